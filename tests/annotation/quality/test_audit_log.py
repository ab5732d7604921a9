"""The log tells who did what, newest first."""

from __future__ import annotations

from studio.annotation import TextChange
from studio.annotation.quality.adjudication import DecisionEvent
from tests.annotation.conftest import answer, make_rows


def test_the_log_tells_who_did_what(store):
    store.add_rows("charts", make_rows(2))
    store.team.change_settings("lea", "charts", {"overlap": 2})
    store.save(answer(store.claim("ana"), "ana"))
    store.team.decide(DecisionEvent("d-1", 1, "lea", "tie"))
    actions = {(line.who, line.action) for line in store.team.log()}
    assert actions == {("lea", "settings"), ("ana", "choose"), ("lea", "decided: tie")}
    assert [line.what for line in store.team.log(who="ana")] == ["pair 1"]
    item = store.browse()[0]
    store.edit(TextChange(item.id, item.candidates[0].id, item.revision, "better", "lea"))
    hers = {(line.action, line.what) for line in store.team.log(who="lea")}
    assert ("edited an answer", "row row-0") in hers
    with store.importing("charts", source="more.jsonl") as batch:
        batch.add_rows(make_rows(3))
    assert ("import", "more.jsonl") in {(one.action, one.what) for one in store.team.log()}
    assert store.team.log(dataset="nothing") == []
