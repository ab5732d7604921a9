"""Everything that people said about pairs, as records."""

from __future__ import annotations

import json

import pytest

from studio.annotation import Span
from studio.core.errors import DataError
from studio.data.schema import Answer
from tests.annotation.conftest import answer, make_row
from tests.annotation.export.conftest import export


def test_everything_people_said_with_marks_aspects_and_what_is_no_preference(store, workspace):
    candidates = (Answer("🙂 nine bars", "a"), Answer("eight", "b"))
    store.add_rows("charts", [make_row(n, candidates=candidates) for n in range(2)])
    store.team.change_settings("lea", "charts", {"aspects": ["Faithful", "Short"], "overlap": 2})
    with pytest.raises(DataError, match="nobody"):
        export(store, workspace, shape="answers", format="jsonl")
    card = store.claim("ana")
    nine, eight = sorted((card.left, card.right), key=lambda side: side.candidate_id)
    details = {
        "spans": (Span(nine.candidate_id, 3, 7),),
        "aspects": {"Faithful": eight.candidate_id, "Short": 0},
        "comment": "counted twice",
        "ideal": "Eight.",
    }
    store.save(answer(card, "ana", kind="both_bad", **details))
    store.save(answer(store.claim("ben"), "ben", kind="skip", reason="blurred"))
    made = export(store, workspace, shape="answers", format="jsonl")
    lines = (made.path / "answers.jsonl").read_text("utf-8").splitlines()
    ana, ben = (json.loads(line) for line in lines)
    assert ana["answers"][0] == {"text": "🙂 nine bars", "author": "a"}
    assert ana["marks"] == [{"answer": 0, "start": 3, "end": 7, "text": "nine"}]
    assert ana["aspects"] == {"Faithful": 1, "Short": "both"}
    assert (ana["kind"], ana["preferred"], ana["ideal"]) == ("both_bad", None, "Eight.")
    assert (ana["comment"], ana["seconds"]) == ("counted twice", 1.5)
    assert (ben["annotator"], ben["kind"], ben["reason"]) == ("ben", "skip", "blurred")
    assert made.rows == 2 and made.answers
    only = export(store, workspace, shape="answers", format="jsonl", annotators=("ben",))
    assert only.rows == 1 and only.path != made.path
    assert export(store, workspace, shape="answers", format="jsonl") == made
