"""The lead's routes: deciding, gold pairs, guidelines; closed to annotators and other sites."""

from __future__ import annotations

import pytest

from tests.api.annotate_client import body, next_cards

TEAM = [
    ("get", "case", {}),
    ("get", "case/1", {}),
    ("post", "decide", {"key": "decision-1", "pair_id": 1, "kind": "tie"}),
    ("post", "gold", {"pair_id": 1, "kind": "tie"}),
]


@pytest.mark.parametrize(("method", "path", "body"), TEAM)
def test_an_annotator_calling_the_lead_s_routes_directly_is_refused(
    client, pairs, context, method, path, body
):
    def call() -> int:
        given = {"json": body} if body else {}
        return getattr(client, method)(f"/studio/team/{path}", **given).status_code

    context.lead = False
    assert call() == 403
    context.name = None
    assert call() == 401
    context.name, context.lead = "lea", True
    assert call() == 200


def test_changes_of_the_team_need_the_studio_s_own_page(client, pairs):
    for path in ("decide", "gold"):
        body = {"key": "decision-1", "pair_id": 1, "kind": "tie"}
        body = body if path == "decide" else {"pair_id": 1, "kind": "tie"}
        reply = client.post(f"/studio/team/{path}", json=body, headers={"X-Studio": ""})
        assert reply.status_code == 403


def test_a_lead_s_decision_is_not_replaced_by_one_who_was_not_shown_it(client, pairs, context):
    shown = {}
    for context.name in ("lena", "lee"):
        shown[context.name] = client.get("/studio/team/case/1").json()["case"]

    def decide(key: str, kind: str, version: int):
        body = {"key": key, "pair_id": 1, "kind": kind, "version": version}
        return client.post("/studio/team/decide", json=body)

    context.name = "lena"
    assert decide("decision-1", "tie", shown["lena"]["version"]).status_code == 200
    context.name = "lee"
    refused = decide("decision-2", "both_bad", shown["lee"]["version"])
    assert refused.status_code == 409 and "lena decided" in refused.json()["message"]
    assert refused.json()["remedy"]
    case = client.get("/studio/team/case/1").json()["case"]
    assert (case["decided"], case["decided_by"]) == (["tie", None], "lena")
    assert decide("decision-3", "both_bad", case["version"]).status_code == 200
    gold = {"pair_id": 1, "kind": "both_bad", "gold_version": case["gold_version"]}
    assert client.post("/studio/team/gold", json=gold).status_code == 200
    context.name = "lena"
    refused = client.post("/studio/team/gold", json=gold | {"kind": "tie"})
    assert refused.status_code == 409 and "lee made" in refused.json()["message"]
    assert client.post("/studio/team/gold", json={"pair_id": 1}).status_code == 409
    assert context.store.team.case(1, "lena").gold == ("both_bad", None)


def test_o_on_the_gold_of_another_lead_asks_first(client, pairs, context):
    context.store.team.change_settings("lea", "charts", {"overlap": 2})
    cards, replies = {}, []
    for context.name in ("lena", "lee"):
        cards[context.name] = next_cards(client)["cards"][0]
    for context.name, card in cards.items():
        event = body(card, key=f"key-of-{context.name}", kind="tie", winner=None)
        assert client.post("/studio/annotate/save", json=event).status_code == 200
        press = {"pair_id": card["pair_id"]}
        replies.append(client.post("/studio/annotate/gold", json=press))
    first, refused = replies
    assert first.json() == {"gold": True}
    assert refused.status_code == 409
    told = refused.json()
    assert "lena made this pair gold" in told["message"] and "Press O again" in told["remedy"]
    again = client.post("/studio/annotate/gold", json=press | {"version": told["version"]})
    assert again.json() == {"gold": False}
