"""The routes, over HTTP: what they do, and whom they refuse."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from sqlalchemy import event

from studio.annotation.quality import gold as checks
from studio.api.access.request_checks import MAX_BODY
from studio.data.schema import Answer, Message, Part, Row
from tests.api.annotate_client import body, next_cards


def test_next_save_undo_history_progress(client, pairs):
    first = next_cards(client)
    card = first["cards"][0]
    assert len({c["pair_id"] for c in first["cards"]}) == 3
    assert "secret-model" not in str(first)
    saved = client.post("/studio/annotate/save", json=body(card)).json()["saved"]
    assert (saved["pair_id"], saved["version"]) == (card["pair_id"], card["version"] + 1)
    assert next_cards(client)["progress"]["labelled"] == 1
    entries = client.get("/studio/annotate/history").json()["entries"]
    assert [entry["winner"] for entry in entries] == [card["left"]["text"]]
    undone = client.post("/studio/annotate/undo", json={"key": "undo-key-1"}).json()
    assert undone["card"]["pair_id"] == card["pair_id"]
    assert client.get("/studio/annotate/progress").json()["labelled"] == 0


def test_saving_again_with_the_same_key_is_one_label(client, pairs, context):
    event = body(next_cards(client)["cards"][0])
    replies = [client.post("/studio/annotate/save", json=event) for _ in range(2)]
    assert replies[0].json() == replies[1].json()
    assert context.store.progress().labelled == 1


def test_a_full_disk_is_said_and_the_same_answer_is_saved_once_there_is_room(
    client, pairs, context, tmp_path
):
    engine = context.store._database.engine

    def fill(connection, *_):
        connection.execute("PRAGMA max_page_count=1").close()  # SQLite takes what is used already

    event.listen(engine, "connect", fill)
    engine.dispose()
    card = next_cards(client)["cards"][0]
    big = body(card, ideal="long " * 1500, next={})
    reply = client.post("/studio/annotate/save", json=big)
    assert reply.status_code == 500
    assert "disk is full" in reply.json()["message"] and "free space" in reply.json()["remedy"]
    assert str(tmp_path) not in reply.text and "studio.db" not in reply.text
    assert context.store.progress().labelled == 0
    event.remove(engine, "connect", fill)
    engine.dispose()
    assert client.post("/studio/annotate/save", json=big).json()["saved"]["kind"] == "choose"
    assert context.store.progress().labelled == 1


def test_a_conflict_is_said_and_the_pair_can_be_looked_at(client, pairs):
    card = next_cards(client)["cards"][0]
    client.post("/studio/annotate/save", json=body(card))
    reply = client.post("/studio/annotate/save", json=body(card, key="another-tab-1"))
    assert reply.status_code == 409
    assert reply.json()["remedy"] and "card" not in reply.json()
    found = client.get(f"/studio/annotate/card/{card['pair_id']}").json()
    assert found["current"]["winner"] == "left"
    assert found["version"] == card["version"] + 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"winner": None}, "winner_id"),
        ({"winner": "both"}, "winner"),
        ({"winner_id": 1}, "winner_id"),
        ({"repeat": True}, "repeat"),
        ({"showing": "0" * 32}, "showing"),
        ({"spans": [{"candidate_id": 1, "start": 0, "end": 1}]}, "spans"),
        ({"spans": [{"side": "left", "start": 2, "end": 1}]}, "spans"),
        ({"aspects": {"Faithful": 0}}, "aspects"),
        ({"kind": "undo"}, "kind"),
        ({"pair_id": 2**70}, "pair_id"),
        ({"elapsed_ms": -1}, "elapsed_ms"),
        ({"comment": "x" * 5000}, "comment"),
        ({"key": "../../x"}, "key"),
        ({"annotator": "somebody else"}, "annotator"),
    ],
)
def test_bodies_that_do_not_fit_are_refused(client, pairs, context, changes, field):
    card = next_cards(client)["cards"][0]
    reply = client.post("/studio/annotate/save", json=body(card, **changes))
    assert reply.status_code == 422
    assert reply.json()["field"] == field
    assert reply.json()["message"]
    assert context.store.progress().labelled == 0


def test_an_unknown_pair_is_404(client, pairs):
    card = next_cards(client)["cards"][0]
    assert client.post("/studio/annotate/save", json=body(card, pair_id=99)).status_code == 404
    assert client.get("/studio/annotate/card/99").status_code == 404


CHANGING = ("next", "save", "undo")


@pytest.mark.parametrize("route", CHANGING)
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Studio": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example:7860", "Origin": "http://evil.example:7860"},
    ],
)
def test_other_sites_change_nothing(client, pairs, context, route, headers):
    reply = client.post(f"/studio/annotate/{route}", json={"key": "k" * 9}, headers=headers)
    assert reply.status_code == 403
    assert reply.json()["message"]
    assert context.store.claim("probe").pair_id == 1


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:1", "[::1]:7860", "192.168.1.5"])
def test_hosts_of_this_machine_are_served(client, host):
    headers = {"Host": host, "Origin": f"http://{host}"}
    reply = client.post("/studio/annotate/next", json={}, headers=headers)
    assert reply.status_code == 200


@pytest.mark.parametrize("path", ["annotate/progress", "annotate/history", "images/x"])
def test_a_stranger_s_name_pointing_here_reads_nothing(client, path):
    reply = client.get(f"/studio/{path}", headers={"Host": "rebound.example:7860"})
    assert reply.status_code == 403


def test_nothing_without_a_login_when_logins_are_on(client, pairs, context, sha):
    card = next_cards(client)["cards"][0]
    context.name = None
    for path in ("annotate/progress", "annotate/history", f"images/{sha}", f"thumbs/{sha}"):
        assert client.get(f"/studio/{path}").status_code == 401
    assert client.post("/studio/annotate/next", json={}).status_code == 401
    assert client.post("/studio/annotate/save", json=body(card)).status_code == 401
    assert context.store.progress().labelled == 0


def test_saving_can_bring_the_next_pairs_along(client, pairs):
    card = next_cards(client)["cards"][0]
    event = body(card, next={"count": 2, "progress": False})
    replies = [client.post("/studio/annotate/save", json=event).json() for _ in range(2)]
    assert replies[0]["saved"] == replies[1]["saved"]
    following = [one["question"] for one in replies[0]["next"]["cards"]]
    assert following == [one["question"] for one in next_cards(client, count=2)["cards"]]
    assert replies[0]["next"]["progress"] is None


def test_everything_an_answer_can_carry(client, pairs, context):
    context.store.team.change_settings("lea", "charts", {"aspects": ["Faithful"]})
    card = next_cards(client)["cards"][0]
    span = {"side": "left", "start": 0, "end": 2}
    event = body(
        card, strength="slightly", flagged=True, comment="c", edit="one!", ideal="uno",
        spans=[span], aspects={"Faithful": "left"},
    )  # fmt: skip
    assert client.post("/studio/annotate/save", json=event).status_code == 200
    current = client.get(f"/studio/annotate/card/{card['pair_id']}").json()["current"]
    assert (current["edit"], current["ideal"], current["spans"]) == ("one!", "uno", [span])
    assert current["aspects"] == {"Faithful": "left"}


def test_progress_is_left_out_when_not_asked_for(client, pairs):
    assert next_cards(client, progress=False)["progress"] is None


def test_leaving_releases_unless_another_page_has_claimed_since(client, pairs, context):
    first = next_cards(client)["stamp"]
    second = next_cards(client)["stamp"]

    def leave(stamp: int) -> dict:
        return client.post("/studio/annotate/leave", json={"stamp": stamp}).json()

    assert client.post("/studio/annotate/heartbeat", json={}).json() == {}
    assert leave(first) == {}
    assert context.store.heartbeat("local") == 3
    assert leave(second) == {}
    assert context.store.heartbeat("local") == 0


def test_no_reply_tells_gold_or_a_second_showing(client, pairs, context, monkeypatch):
    monkeypatch.setattr(checks, "is_repeated", lambda *_: True)
    store = context.store
    store.add_rows(
        "more",
        [
            Row(
                f"m{n}",
                (),
                (Message("user", (Part("text", "?"),)),),
                chosen=Answer("a"),
                rejected=Answer("b"),
            )
            for n in range(16)
        ],
    )
    seen, gold = set(), store.count() - 1
    store.team.set_gold("lea", gold, "tie", None)
    counts = []
    for number in range(14):
        card = next_cards(client, count=1)["cards"][0]
        assert client.post("/studio/annotate/heartbeat", json={}).json() == {}
        wanted = {"count": 1, "progress": False}
        event = body(card, key=f"blind-{number:04}", next=wanted)
        reply = client.post("/studio/annotate/save", json=event).json()
        assert reply["next"]["progress"] is None
        counts.append(store.progress("local").labelled)
        seen.add(client.post("/studio/annotate/leave", json={"stamp": reply["next"]["stamp"]}).text)
    assert seen == {"{}"}
    assert counts == list(range(1, 15))
    assert len(store.history("local")) < 14  # there were second showings among them


def test_guidelines_are_shown_to_everybody(client, pairs, context):
    context.store.team.write_guidelines("lea", "charts", "# Look", seen=0)
    context.lead = False
    found = client.get("/studio/annotate/guidelines", params={"dataset": "charts"}).json()
    assert (found["version"], found["text"]) == (1, "# Look")


def test_bodies_are_bounded(client):
    big = client.post("/studio/annotate/save", content=b"x" * (MAX_BODY + 1))
    assert big.status_code == 413
    endless = client.post("/studio/annotate/save", content=iter([b"{}"]))
    assert endless.status_code == 411


def test_images_are_served_as_images_only(client, sha):
    reply = client.get(f"/studio/images/{sha}")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in reply.headers["cache-control"]
    assert "sandbox" in reply.headers["content-security-policy"]
    assert Image.open(io.BytesIO(reply.content)).size == (8, 8)
    thumb = client.get(f"/studio/thumbs/{sha}")
    assert thumb.headers["content-type"].startswith("image/")
    assert Image.open(io.BytesIO(thumb.content)).size == (8, 8)


@pytest.mark.parametrize("side", [100, 400, 1000])
def test_images_of_any_size_come_whole(client, context, side):
    noise = Image.effect_noise((side, side), 90).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "BMP")
    sha = context.images.add(buffer.getvalue())
    reply = client.get(f"/studio/images/{sha}")
    assert reply.status_code == 200
    assert Image.open(io.BytesIO(reply.content)).convert("RGB").tobytes() == noise.tobytes()


@pytest.mark.parametrize(
    "name", ["0" * 64, "0" * 63, "..%2f..%2fstudio.db", "%2e%2e", "AB" * 32, "a" * 64 + ".png"]
)
def test_what_is_no_image_of_the_workspace_is_404(client, sha, name):
    for kind in ("images", "thumbs"):
        assert client.get(f"/studio/{kind}/{name}").status_code == 404


TEXTS = ("reason", "comment", "edit", "ideal")


@pytest.mark.parametrize("flaw", ["a\0b", "a\ud800b"])
@pytest.mark.parametrize("field", [*TEXTS, "decision", "explanation"])
def test_a_character_that_no_store_takes_is_one_line_in_the_log(client, pairs, caplog, field, flaw):
    caplog.set_level("INFO", "studio")
    given = {"pair_id": 1, "kind": "tie", "key": "decision-1"}
    if field == "decision":
        address, event = "team/decide", given | {"comment": flaw}
    elif field == "explanation":
        address, event = "team/gold", {"pair_id": 1, "kind": "tie", "explanation": flaw}
    else:
        address, event = "annotate/save", body(next_cards(client)["cards"][0], **{field: flaw})
    content = json.dumps(event)
    reply = client.post(
        f"/studio/{address}", content=content, headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 422 and reply.json()["message"] and reply.json()["remedy"]
    told = [record for record in caplog.records if record.name.startswith("studio")]
    # Half a surrogate pair is no text, and refused before it is one of an answer.
    assert [record.getMessage()[:6] for record in told] == ["Told: "] * (flaw == "a\0b")
    assert all(record.exc_info is None for record in told)
