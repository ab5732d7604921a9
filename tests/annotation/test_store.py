"""The store: whole imports, and whole batches of rows."""

from __future__ import annotations

import pytest

from tests.annotation.conftest import make_row, make_rows


def test_a_batch_that_fails_half_way_leaves_nothing(store):
    def rows():
        yield make_row(1)
        raise ValueError("the file ends here")

    with pytest.raises(ValueError, match="ends here"), store.importing("charts") as batch:
        batch.add_rows(rows())
    assert store.datasets() == []


def test_annotators_go_on_while_rows_are_gathered(store):
    store.add_rows("charts", make_rows(1))
    with store.importing("more") as batch:
        batch.add(make_row(2))
        assert store.claim("ana") is not None
    assert batch.report.added == 1
