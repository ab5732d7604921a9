"""Ordinary pairs, gold pairs and second showings are alike in everything a page is sent."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from studio.annotation import AnnotationStore
from studio.annotation.quality import gold
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from tests.api.annotate_client import Context
from tests.api.test_annotate_attacks import KEYS, make_gold, saved, side

PAIRS = 26
AGAIN = (1, 4)
GOLD = (20, 23, 26)


@pytest.fixture
def context(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(gold, "is_repeated", lambda person, pair, share: pair in AGAIN)
    workspace = Workspace.locate(tmp_path)
    store = AnnotationStore(f"sqlite:///{workspace.database}")
    prompt = (Message("user", (Part("text", "How many?"),)),)
    store.add_rows("charts", [
        Row(f"r{n}", (), prompt, chosen=Answer(f"good {n}"), rejected=Answer(f"bad {n}"))
        for n in range(PAIRS)
    ])  # fmt: skip
    make_gold(store, *GOLD)
    store.team.change_settings("lea", "charts", {"gold_share": 0.12})
    yield Context(store, ImageStore(workspace), name="ana", lead=False)
    store.close()


def kind_of(context, card: dict) -> str:
    pair, again = context.store.team.viewer("ana").number(card["pair_id"])
    return "again" if again else "gold" if pair in GOLD else "ordinary"


def following(client: TestClient) -> dict:
    return client.post("/studio/annotate/next", json={"count": 3}).json()


def moved(before: dict, after: dict) -> dict[str, int]:
    return {name: after[name] - before[name] for name in ("labelled", "waiting", "total", "today")}


def test_every_answer_and_every_undo_moves_the_counts_alike(client, context):
    reply, seen = following(client), set()
    while reply["cards"]:
        card, before = reply["cards"][0], reply["progress"]
        kind = kind_of(context, card)
        skips = {"kind": "skip", "winner": None} if len(seen) == 1 else {}
        if context.store.team.viewer("ana").number(card["pair_id"])[0] == AGAIN[0]:
            reply = saved(client, card, next={"count": 3}).json()["next"]
            assert moved(before, reply["progress"])["waiting"] == -1
            seen.add(kind)
            continue  # one that was undone is not shown again
        assert saved(client, card, **skips).status_code == 200
        undone = {"key": next(KEYS), "pair_id": card["pair_id"], "showing": card["showing"]}
        back = client.post("/studio/annotate/undo", json=undone).json()
        assert back["card"]["pair_id"] == card["pair_id"]
        assert not any(moved(before, back["progress"]).values()), kind
        reply = saved(client, back["card"], next={"count": 3}).json()["next"]
        seen.add(kind)
        if reply["cards"]:
            assert moved(before, reply["progress"]) == {
                "labelled": 1, "waiting": -1, "total": 0, "today": 1,
            }, kind  # fmt: skip
    assert seen == {"ordinary", "gold", "again"}
    last = reply["progress"]
    # The pair that was undone at first does not come again, and was expected to.
    assert (last["waiting"], last["labelled"]) == (0, PAIRS + 1)
    assert before["waiting"] == 2


def test_cards_come_in_the_order_they_were_announced_in(client, context):
    reply, announced = following(client), []
    while reply["cards"]:
        numbers = [card["pair_id"] for card in reply["cards"]]
        assert numbers[: len(announced)] == announced
        announced = numbers[1:]
        reply = saved(client, reply["cards"][0], next={"count": 3}).json()["next"]


def test_undoing_and_opening_the_page_again_brings_the_pair_back_whatever_it_is(client, context):
    reply, kinds = following(client), []
    while reply["cards"]:
        card = reply["cards"][0]
        kinds.append(kind_of(context, card))
        if context.store.team.viewer("ana").number(card["pair_id"]) in ((1, False), (4, False)):
            reply = saved(client, card, next={"count": 3}).json()["next"]
            continue  # one that was undone is not shown again
        saved(client, card)
        client.post("/studio/annotate/undo", json={"key": next(KEYS)})
        client.post("/studio/annotate/leave", json={"stamp": reply["stamp"]})
        again = following(client)["cards"]
        assert card["pair_id"] in [one["pair_id"] for one in again], kinds[-1]
        (card,) = [one for one in again if one["pair_id"] == card["pair_id"]]
        reply = saved(client, card, next={"count": 3}).json()["next"]
    assert set(kinds) == {"ordinary", "gold", "again"}


def test_looking_back_shows_every_answer_where_it_was_given(client, context):
    reply, given, kinds = following(client), [], set()
    for number in itertools.count():
        if not reply["cards"]:
            break
        card = reply["cards"][0]
        kinds.add(kind_of(context, card))
        texts = {"comment": f"comment {number}", "ideal": f"ideal {number}"}
        saved(client, card, winner=side(card, "good"), **texts)
        given.insert(0, card["pair_id"])
        entries = client.get("/studio/annotate/history?limit=200").json()["entries"]
        assert [entry["pair_id"] for entry in entries] == given
        assert len({entry["pair_id"] for entry in entries if entry["current"]}) == number + 1
        looked = client.get(f"/studio/annotate/card/{card['pair_id']}").json()
        assert (looked["pair_id"], looked["showing"]) == (card["pair_id"], card["showing"])
        said = looked["current"]
        assert (said["winner"], said["comment"]) == (side(card, "good"), texts["comment"])
        assert said["ideal"] == texts["ideal"]
        replaced = saved(client, looked, kind="tie", winner=None, **texts)
        assert replaced.json()["saved"]["version"] == looked["version"] + 1
        undone = {"key": next(KEYS), "pair_id": card["pair_id"], "showing": card["showing"]}
        back = client.post("/studio/annotate/undo", json=undone).json()["card"]
        assert back["current"]["winner"] == side(card, "good")
        given = [card["pair_id"], *given]
        reply = following(client)
    assert kinds == {"ordinary", "gold", "again"}


def test_nothing_of_the_team_s_counts_is_sent_to_an_annotator(client, context):
    before = client.get("/studio/annotate/datasets").json()
    saved(client, following(client)["cards"][0])
    assert client.get("/studio/annotate/datasets").json() == before
    context.lead = True
    assert client.get("/studio/annotate/datasets").json()[0]["labelled"] == 1


def test_that_the_qualification_round_is_on_is_not_sent(client, context):
    context.store.team.change_settings("lea", "charts", {"qualification": 3})
    reply = following(client)
    while reply["cards"]:
        assert "qualif" not in str(reply)
        reply = saved(client, reply["cards"][0], next={"count": 3}).json()["next"]
    assert reply["standing"] in ({}, {"charts": "failed"})


def test_gold_made_of_a_second_showing_is_the_answer_that_is_looked_at(client, context):
    context.name, context.lead = "lea", True
    reply = following(client)
    while reply["cards"]:
        card = reply["cards"][0]
        pair, again = context.store.team.viewer("lea").number(card["pair_id"])
        saved(client, card, winner=side(card, "bad" if again else "good"))
        if again:
            assert client.post("/studio/annotate/gold", json={"pair_id": card["pair_id"]}).json()[
                "gold"
            ]
            kind, winner = context.store.team.case(pair, "lea").gold
            item = context.store.item(pair)
            text = {one.id: one.text for one in item.candidates}[winner]
            assert (kind, text[:3]) == ("choose", "bad")
            return
        reply = following(client)
    raise AssertionError("there was no second showing")


def test_second_showings_are_told_apart_from_pairs_and_always_the_same_number(client, context):
    reply = following(client)
    first = reply["progress"]
    waiting = first["waiting"]
    assert first["pairs"] == PAIRS and first["twice"] == len(AGAIN)
    assert waiting == first["pairs"] + first["twice"]
    while reply["cards"]:
        now = reply["progress"]
        assert (now["pairs"], now["twice"]) == (first["pairs"], first["twice"])
        card = reply["cards"][0]
        reply = saved(client, card, next={"count": 3}).json()["next"]
    last = reply["progress"]
    assert last["labelled"] - last["twice"] == last["pairs"] == PAIRS
