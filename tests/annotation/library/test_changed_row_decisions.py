"""Rows whose id is there: the same, decided, or another row."""

from __future__ import annotations

import pytest

from studio.annotation import AddReport
from studio.annotation.library.row_differences import Change
from studio.core.errors import DataError
from tests.annotation.library.repeated_rows import (
    CHANGES,
    asked,
    bring,
    only,
)


@pytest.mark.parametrize(("first", "second", "what"), CHANGES, ids=[c[2] for c in CHANGES])
@pytest.mark.parametrize("decision", ["update", "new"])
def test_what_was_decided_is_done_once(store, first, second, what, decision):
    store.add_rows("charts", [first])
    assert bring(store, second, on_change=decision).report.changed == 1
    for again in ("ask", "update", "new"):
        batch = bring(store, second, on_change=again)
        assert batch.report == AddReport(unchanged=1) and not batch.changed
    if decision == "new":
        assert bring(store, first).report == AddReport(unchanged=1)
        assert [item.external_id for item in store.browse()] == ["row-1", "row-1~2"]
    else:
        assert len(bring(store, first).changed) == 1  # the old file is another one now


def test_other_fields_alone_are_counted_and_updated_when_asked(store):
    store.add_rows("charts", [asked(1, meta={"topic": "bars", "page": 3})])
    other = asked(1, meta={"topic": "lines"})
    batch = bring(store, other)
    assert batch.report == AddReport(unchanged=1, metadata=1) and not batch.changed
    assert [row.changes for row in batch.beside] == [(Change("topic", "bars", "lines"),)]
    assert only(store).meta == {"topic": "bars", "page": 3}
    assert bring(store, other, on_change="update").report.metadata == 1
    assert only(store).meta == {"topic": "lines", "page": 3}
    assert bring(store, other).report == AddReport(unchanged=1)


def test_two_rows_of_one_source_with_one_id_are_two_rows(store):
    rows = [asked(1), asked(1, "Which one?"), asked(1, "And which?")]
    assert bring(store, *rows).report == AddReport(added=3)
    assert [item.external_id for item in store.browse()] == ["row-1", "row-1~2", "row-1~3"]
    assert bring(store, *rows).report == AddReport(unchanged=3)


def test_an_id_of_very_many_rows_is_refused(store):
    rows = [asked(1, f"Which of {n}?") for n in range(101)]
    with pytest.raises(DataError, match="different rows have the id 'row-1'"):
        bring(store, *rows)
    assert store.count() == 0
