"""Notes of frozen copies: found again while the copy is there, dropped when it is not."""

import shutil

import pytest

from studio.annotation import ItemFilter
from studio.core.paths import Workspace, write_json
from studio.data.manifest import MANIFEST
from studio.launch import frozen_copies
from studio.launch.frozen_copies import Copies, Frozen

WHERE = ItemFilter(dataset="charts")
MADE = Frozen("exports/charts-1", {"train": 3}, {"excluded": 1})


@pytest.fixture
def workspace(tmp_path):
    """A workspace with one export that people made."""
    found = Workspace.locate(tmp_path / "workspace")
    write_json(found.root / MADE.source / MANIFEST, {})
    return found


def test_a_copy_is_found_for_the_same_rows_method_and_state_only(workspace):
    copies = Copies(workspace)
    copies.keep(WHERE, "dpo", "state 1", MADE)
    assert copies.find(WHERE, "dpo", "state 1") == MADE
    assert copies.find(WHERE, "sft", "state 1") is None
    assert copies.find(WHERE, "dpo", "state 2") is None
    assert copies.find(ItemFilter(dataset="other"), "dpo", "state 1") is None


def test_that_no_row_was_left_is_remembered_without_a_copy(workspace):
    nothing = Frozen("", {}, {"no answer": 4})
    Copies(workspace).keep(WHERE, "dpo", "state", nothing)
    assert Copies(workspace).find(WHERE, "dpo", "state") == nothing
    Copies(workspace).forget_unused()
    assert Copies(workspace).find(WHERE, "dpo", "state") == nothing


def test_the_note_of_a_copy_that_is_gone_goes(workspace):
    copies = Copies(workspace)
    copies.keep(WHERE, "dpo", "state", MADE)
    copies.forget_unused()
    assert copies.find(WHERE, "dpo", "state") == MADE
    shutil.rmtree(workspace.root / MADE.source)
    assert copies.find(WHERE, "dpo", "state") is None
    assert list(workspace.frozen.glob("*.json"))
    copies.forget_unused()
    assert not list(workspace.frozen.glob("*.json"))


def test_of_very_many_notes_the_newest_stay(workspace, monkeypatch):
    monkeypatch.setattr(frozen_copies, "KEPT_NOTES", 2)
    copies = Copies(workspace)
    for number in range(5):
        copies.keep(WHERE, "dpo", f"state {number}", MADE)
    copies.forget_unused()
    assert len(list(workspace.frozen.glob("*.json"))) == 2
