"""Annotators who write their own requests: nothing is retried, nothing is seen early."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.annotation import AnnotationStore, LabelEvent
from studio.annotation.labeling import assignment_queue
from studio.annotation.quality import gold as checks
from studio.annotation.quality.adjudication import DecisionEvent
from studio.api.annotate import router
from studio.api.save_rate import SaveRate
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from tests.api.annotate_client import CHANGE, Context

KEYS = (f"attack-key-{number}" for number in itertools.count())
PAIRS = 14


@pytest.fixture
def context(tmp_path: Path):
    workspace = Workspace.locate(tmp_path)
    store = AnnotationStore(f"sqlite:///{workspace.database}")
    prompt = (Message("user", (Part("text", "How many?"),)),)
    rows = [
        Row(f"r{n}", (), prompt, chosen=Answer(f"good {n}", "model-x"), rejected=Answer(f"bad {n}"))
        for n in range(PAIRS)
    ]
    store.add_rows("charts", rows)
    store.team.change_settings("lea", "charts", {"repeat_share": 0})
    yield Context(store, ImageStore(workspace), name="ana", lead=False)
    store.close()


def claimed(client: TestClient, count: int = 1) -> list[dict]:
    return client.post("/studio/annotate/next", json={"count": count}).json()["cards"]


def saved(client: TestClient, card: dict, **changes):
    values = {
        "key": next(KEYS),
        "pair_id": card["pair_id"],
        "showing": card["showing"],
        "kind": "choose",
        "winner": "left",
        "expected_version": card["version"],
    }
    return client.post("/studio/annotate/save", json=values | changes)


def side(card: dict, beginning: str) -> str:
    return "left" if card["left"]["text"].startswith(beginning) else "right"


def make_gold(store: AnnotationStore, *pairs: int) -> None:
    for pair in pairs:
        store.team.set_gold("lea", pair, "choose", store.item(pair).pairs[0].source_choice_id)


def gold(context, name: str = "ana") -> tuple[int, int]:
    """Gold pairs answered, and rightly, as the lead sees it."""
    people = {one.name: one for one in context.store.team.quality("charts", 0).people}
    figure = people[name].gold
    return figure.count, round((figure.value or 0) * figure.count)


def test_gold_cannot_be_retried_until_right(client, context):
    make_gold(context.store, 3, 4)
    settings = {"qualification": 2, "qualification_pass": 1.0, "gold_feedback": True}
    context.store.team.change_settings("lea", "charts", settings)
    for card in claimed(client, 2):
        wrong, right = side(card, "bad"), side(card, "good")
        first = saved(client, card, winner=wrong)
        assert "another one" in first.json()["saved"]["feedback"]
        version = first.json()["saved"]["version"]
        again = saved(client, card, winner=right, expected_version=version)
        assert again.json()["saved"]["feedback"].startswith("Right.")
        undone = {"key": next(KEYS), "pair_id": card["pair_id"], "showing": card["showing"]}
        for number in range(2):
            undo = undone | {"key": f"{undone['key']}-{number}"}
            back = client.post("/studio/annotate/undo", json=undo).json()["card"]
        assert back["current"] is None
        assert saved(client, back, winner=side(back, "good")).status_code == 200
    assert gold(context) == (2, 0)
    assert context.store.team.standing("ana", None) == {"charts": "failed"}
    reply = client.post("/studio/annotate/next", json={}).json()
    assert (reply["cards"], reply["standing"]) == ([], {"charts": "failed"})


def test_gold_undone_and_left_comes_back_like_any_pair_and_its_first_answer_counts(client, context):
    make_gold(context.store, 1, 2)
    settings = {"qualification": 2, "qualification_pass": 1.0}
    context.store.team.change_settings("lea", "charts", settings)
    one, two = claimed(client, 2)
    saved(client, one, winner=side(one, "bad"))
    client.post("/studio/annotate/undo", json={"key": next(KEYS)})
    back = claimed(client, 5)
    assert [card["pair_id"] for card in back] == [one["pair_id"], two["pair_id"]]
    for card in back:
        saved(client, card, winner=side(card, "good"))
    assert gold(context) == (2, 1)
    assert context.store.team.standings("charts") == {"ana": "failed"}


def test_a_second_showing_cannot_be_retried_until_it_is_the_same(client, context, monkeypatch):
    monkeypatch.setattr(checks, "is_repeated", lambda person, pair, share: pair == 1)
    context.store.team.change_settings("lea", "charts", {"repeat_share": 0.05})
    (first,) = claimed(client)
    saved(client, first, winner=side(first, "good"))
    while (card := claimed(client)[0])["left"]["text"] != first["right"]["text"]:
        saved(client, card)
    reply = saved(client, card, winner=side(card, "bad")).json()["saved"]
    undone = {"key": next(KEYS), "pair_id": card["pair_id"], "showing": card["showing"]}
    back = client.post("/studio/annotate/undo", json=undone).json()["card"]
    assert back["pair_id"] == card["pair_id"]
    again = saved(client, back, winner=side(back, "good")).json()["saved"]
    assert again["version"] > reply["version"]
    (person,) = context.store.team.quality("charts", 0).people
    assert (person.consistency.value, person.consistency.count) == (0.0, 1)
    # Nor by changing what it is compared with.
    looked = client.get(f"/studio/annotate/card/{first['pair_id']}").json()
    saved(client, looked, winner=side(looked, "bad"))
    (person,) = context.store.team.quality("charts", 0).people
    assert (person.consistency.value, person.consistency.count) == (0.0, 1)


def test_what_was_never_handed_out_takes_no_answer_and_shows_no_card(client, context):
    (mine,) = claimed(client)
    context.name = "ben"
    foreign = claimed(client, 3)
    context.name = "ana"
    for card in foreign:
        assert saved(client, card).status_code == 404
        assert client.get(f"/studio/annotate/card/{card['pair_id']}").status_code == 404
    for number in range(1, PAIRS + 1):
        old = {"key": next(KEYS), "pair_id": number, "kind": "tie", "expected_version": 0}
        reply = client.post("/studio/annotate/save", json=old)
        assert reply.status_code == 404
        assert "not given to you" in reply.json()["message"] and reply.json()["remedy"]
        assert client.get(f"/studio/annotate/card/{number}").status_code == 404
    assert saved(client, mine, showing=foreign[0]["showing"]).status_code == 422
    assert context.store.progress().labelled == 0
    assert saved(client, mine).status_code == 200


def close(store: AnnotationStore, name: str, pair: int) -> None:
    item = store.team.case(pair, "lea").card
    if name == "decided":
        store.team.decide(DecisionEvent("decision-1", pair, "lea", "tie"))
    elif name == "excluded":
        store.exclude(store.ids())
    elif name == "binned":
        store.delete(store.ids())
    elif name == "gold":
        store.team.set_gold("lea", pair, "tie", None)
    else:
        winner = item.left.candidate_id
        store.save(LabelEvent("key-of-cem", pair, "cem", "choose", winner))


@pytest.mark.parametrize("how", ["closed", "decided", "excluded", "binned", "gold"])
def test_a_late_answer_of_a_holder_is_taken_and_of_nobody_else(client, context, how):
    (held,) = claimed(client)
    pair, _ = context.store.team.viewer("ana").number(held["pair_id"])
    close(context.store, how, pair)
    ben = context.store.team.viewer("ben")
    context.name = "ben"
    claimed(client)
    forged = {"pair_id": ben.handle(pair), "showing": held["showing"], "version": 0}
    assert saved(client, forged).status_code == 404
    assert client.get(f"/studio/annotate/card/{ben.handle(pair)}").status_code == 404
    context.name = "ana"
    seen = client.get(f"/studio/annotate/card/{held['pair_id']}").status_code
    assert seen == (200 if how == "gold" else 404)
    client.post("/studio/annotate/leave", json={"stamp": 0})
    context.store.release("ana")
    assert saved(client, held).status_code == 200
    replaced = client.get(f"/studio/annotate/card/{held['pair_id']}").json()
    assert saved(client, replaced, kind="tie", winner=None).status_code == 200


def test_answers_written_by_people_are_no_pairs_to_vote_on(client, context):
    (card,) = claimed(client)
    assert saved(client, card, edit="better still").status_code == 200
    written = [pair.id for pair in context.store.item(1).pairs][-1]
    handle = context.store.team.viewer("ana").handle(written)
    assert saved(client, card | {"pair_id": handle}).status_code == 404
    assert client.get(f"/studio/annotate/card/{handle}").status_code == 404


def test_whoever_failed_gets_no_vote_in_and_sees_no_pair(client, context):
    (held,) = claimed(client)
    make_gold(context.store, 9)
    settings = {"qualification": 1, "qualification_pass": 1.0, "gold_share": 0}
    context.store.team.change_settings("lea", "charts", settings)
    (test,) = claimed(client)
    saved(client, test, winner=side(test, "bad"))
    assert claimed(client, 5) == []
    assert client.get(f"/studio/annotate/card/{held['pair_id']}").status_code == 404
    ana = context.store.team.viewer("ana")
    for pair in range(2, PAIRS + 1):
        if pair != 9:
            forged = {"pair_id": ana.handle(pair), "showing": "0" * 32, "version": 0}
            assert saved(client, forged).status_code == 404


def test_neither_order_nor_anything_sent_tells_what_the_source_preferred(client, context):
    make_gold(context.store, 2, 11)
    context.store.team.change_settings("lea", "charts", {"gold_share": 0.2})
    cards = []
    while found := claimed(client, 5):
        cards += found
        for card in found:
            text = json.dumps(card)
            for word in ("candidate", 'author"', "repeat", "qualifying", "gold", "model-x"):
                assert word not in text
            assert (card["authors"], card["current"]) == ([], None)
            assert saved(client, card).status_code == 200
    assert len(cards) == PAIRS
    sides = [card["left"]["text"].startswith("good") for card in cards]
    assert {True, False} == set(sides)
    keys = {tuple(sorted(card)) for card in cards}
    assert len(keys) == 1


def test_a_second_showing_cannot_be_told_from_a_first(client, context, monkeypatch):
    monkeypatch.setattr(checks, "is_repeated", lambda person, pair, share: pair == 1)
    context.store.team.change_settings("lea", "charts", {"repeat_share": 1})
    seen: dict[int, dict] = {}
    (first,) = claimed(client)
    early = context.store.team.viewer("ana").handle(1, True)
    assert saved(client, first | {"pair_id": early}).status_code == 404
    again = None
    while found := claimed(client):
        (card,) = found
        assert card["pair_id"] not in seen
        if card["left"]["text"] == first["right"]["text"]:
            again = card
            assert len(seen) == assignment_queue.BETWEEN + 1
            conflict = saved(client, card, expected_version=card["version"] + 1)
            assert conflict.status_code == 409 and "current" not in conflict.text
            looked = client.get(f"/studio/annotate/card/{card['pair_id']}").json()
            assert looked == card
        seen[card["pair_id"]] = card
        assert saved(client, card, next={}).status_code == 200
    assert again is not None and again["current"] is None
    assert {tuple(sorted(one)) for one in seen.values()} == {tuple(sorted(first))}
    assert context.store.progress("ana").labelled == PAIRS + 1  # as if it were a pair of its own
    undone = {"key": next(KEYS), "pair_id": again["pair_id"], "showing": again["showing"]}
    back = client.post("/studio/annotate/undo", json=undone).json()["card"]
    assert (back["pair_id"], back["current"]) == (again["pair_id"], None)


def test_answers_of_the_version_before_that_wait_in_a_browser_are_taken(client, context):
    claimed(client, 2)
    with context.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE leases SET plain = 1 WHERE pair_id = 1")
    pair = context.store.item(1).pairs[0]
    old = {
        "key": "waited-in-a-browser", "pair_id": 1, "kind": "choose", "winner_id": pair.second_id,
        "shown_left_id": pair.first_id, "expected_version": 0, "repeat": False, "next": None,
        "spans": [{"candidate_id": pair.first_id, "start": 0, "end": 2}], "aspects": {},
    }  # fmt: skip
    assert client.post("/studio/annotate/save", json=old).status_code == 200
    assert client.post("/studio/annotate/save", json=old).status_code == 200
    case = context.store.team.case(1, "lea")
    assert [vote.winner_id for vote in case.votes] == [pair.second_id]
    undo = client.post("/studio/annotate/undo", json={"key": "undo-waited", "pair_id": 1})
    assert undo.json()["card"]["current"] is None
    newer = old | {"key": "not-from-before", "pair_id": 2, "spans": [], "winner_id": None}
    assert client.post("/studio/annotate/save", json=newer | {"kind": "tie"}).status_code == 404


def test_an_outbox_drains_and_a_script_waits_and_nothing_is_lost(context):
    now = [0.0]
    app = FastAPI()
    app.include_router(router(context, SaveRate(5, 1.0, lambda: now[0])))
    client = TestClient(app, base_url="http://127.0.0.1:7860", headers=CHANGE)
    cards = claimed(client, 5)
    assert [saved(client, card).status_code for card in cards] == [200] * 5
    (card,) = claimed(client)
    refused = saved(client, card)
    assert refused.status_code == 429 and refused.headers["retry-after"] == "1"
    assert "sent again" in refused.json()["remedy"]
    now[0] += 1.0
    assert saved(client, card).status_code == 200
    assert context.store.progress("ana").labelled == 6


def test_answers_faster_than_reading_are_told_to_the_lead_whatever_the_page_says(client, context):
    for card in claimed(client, 3):
        saved(client, card, elapsed_ms=60_000)
    (person,) = context.store.team.quality("charts", 0).people
    assert person.too_fast == 3


def test_decide_is_blind_until_it_is_decided(client, context):
    context.store.team.change_settings("lea", "charts", {"overlap": 2})
    for name, wish in (("ana", "good"), ("ben", "bad")):
        context.name = name
        (card,) = claimed(client)
        span = {"side": side(card, wish), "start": 0, "end": 2}
        assert saved(client, card, winner=side(card, wish), spans=[span]).status_code == 200
    context.name, context.lead = "lea", True
    case = client.get("/studio/team/case").json()["case"]
    assert "model-x" not in json.dumps(case) and "candidate" not in json.dumps(case)
    assert case["authors"] == []
    votes = {vote["annotator"]: vote for vote in case["votes"]}
    assert votes["ana"]["winner"] == side(case["card"], "good")
    assert votes["ben"]["spans"][0]["side"] == side(case["card"], "bad")
    body = {"key": "decision-1", "pair_id": case["card"]["pair_id"], "kind": "choose",
            "winner": side(case["card"], "good")}  # fmt: skip
    refused = client.post("/studio/team/decide", json=body | {"showing": "0" * 32})
    assert refused.status_code == 422
    decided = client.post(
        "/studio/team/decide", json=body | {"showing": case["card"]["showing"]}
    ).json()["case"]
    assert decided["decided"] == ["choose", body["winner"]]
    assert decided["authors"][("left", "right").index(body["winner"])] == "model-x"
    sides = {
        side({"left": {"text": context.store.team.case(1, f"lead-{n}").card.left.text}}, "good")
        for n in range(12)
    }
    assert sides == {"left", "right"}


def test_without_a_login_nothing_of_it_is_reached(client, context):
    (card,) = claimed(client)
    context.name = None
    assert saved(client, card).status_code == 401
    assert client.get(f"/studio/annotate/card/{card['pair_id']}").status_code == 401
    assert client.post("/studio/annotate/gold", json={"pair_id": 1}).status_code == 401
    context.name = "ana"
    assert client.post("/studio/annotate/gold", json={"pair_id": 1}).status_code == 403


def test_a_lead_s_own_answer_becomes_gold_and_is_gold_no_longer(client, context):
    context.name, context.lead = "lea", True
    (card,) = claimed(client)
    wanted = {"pair_id": card["pair_id"]}
    assert client.post("/studio/annotate/gold", json=wanted).status_code == 422
    saved(client, card, winner=side(card, "good"), comment="because")
    assert client.post("/studio/annotate/gold", json=wanted).json() == {"gold": True}
    assert context.store.team.gold_pairs("charts") == 1
    assert client.post("/studio/annotate/gold", json=wanted).json() == {"gold": False}
    assert context.store.team.gold_pairs("charts") == 0


BIG = 2**31


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("annotate/history?before={big}", 422),
        ("annotate/card/{handle}", 404),
        ("annotate/progress?dataset=%00", 422),
        ("annotate/guidelines?dataset=a%00b", 422),
        ("team/case?after={big}", 422),
        ("team/case?dataset=%00", 422),
        ("team/case/{big}", 422),
    ],
)
def test_numbers_and_names_that_no_database_holds_are_refused(client, context, path, status):
    claimed(client)
    context.lead = True
    handle = context.store.team.viewer("ana").handle(BIG)
    reply = client.get(f"/studio/{path.format(big=BIG, handle=handle)}")
    assert reply.status_code == status and reply.json()["message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"guideline": BIG},
        {"elapsed_ms": BIG},
        {"expected_version": BIG},
        {"spans": [{"side": "left", "start": 0, "end": 100}]},
        {"spans": [{"side": "left", "start": 0, "end": BIG}]},
        {"comment": "a\0b"},
        {"next": {"dataset": "a\0b"}},
    ],
)
def test_an_answer_out_of_bounds_is_refused_with_a_sentence(client, context, changes):
    (card,) = claimed(client)
    refused = saved(client, card, **changes)
    assert refused.status_code == 422
    assert refused.json()["message"] and refused.json()["field"] in (
        *changes,
        "spans.0.end",
        "next.dataset",
    )
    assert context.store.progress().labelled == 0
    assert saved(client, card, guideline=BIG - 1).status_code == 200
    assert context.store.answers("charts")[0]["guideline"] is None


def test_a_conflict_of_two_tabs_is_one_line_of_the_log(client, caplog):
    (card,) = claimed(client)
    saved(client, card)
    caplog.set_level("INFO")
    assert saved(client, card).status_code == 409
    (told,) = [record for record in caplog.records if "elsewhere" in record.getMessage()]
    assert told.exc_info is None
