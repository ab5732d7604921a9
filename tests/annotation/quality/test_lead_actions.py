"""What a lead changes in the middle of a project."""

from __future__ import annotations

from tests.annotation.conftest import label_all, make_rows


def test_overlap_changes_in_mid_project_and_nothing_answered_is_dropped(store):
    store.add_rows("charts", make_rows(4))
    assert label_all(store, "ana") == 4
    assert label_all(store, "ben") == 0
    store.team.change_settings("lea", "charts", {"overlap": 2})
    assert label_all(store, "ben") == 4
    store.team.change_settings("lea", "charts", {"overlap": 1})
    assert label_all(store, "cho") == 0
    assert store.progress().labelled == 8
