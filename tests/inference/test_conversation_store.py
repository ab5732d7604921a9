"""Conversations on disk: each person's own, two tabs at one of them, a full disk."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from studio.core.errors import ConflictError, InputError, NotFoundError, RunFailedError
from studio.core.paths import Workspace
from studio.inference import conversation_store
from studio.inference.conversation_store import ConversationStore


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.locate(tmp_path)


def test_nobody_reaches_the_conversations_of_another_login(workspace: Workspace) -> None:
    mine = ConversationStore(workspace, "ana").add("Secret?", {"turns": []})
    other = ConversationStore(workspace, "ben/../ana")

    assert other.list() == []
    for reach in (other.get, other.delete, lambda made: other.rename(made, "x")):
        with pytest.raises(NotFoundError):
            reach(mine.conversation_id)
        with pytest.raises(NotFoundError):
            reach(f"../ana/{mine.conversation_id}")
    assert [one.name for one in ConversationStore(workspace, "ana").list()] == ["Secret?"]


def test_what_went_on_in_another_tab_is_not_overwritten(workspace: Workspace) -> None:
    store = ConversationStore(workspace, "ana")
    first = store.add("One?", {"turns": [1]})
    store.update(first, {"turns": [1, 2]})
    with pytest.raises(ConflictError, match="another tab"):
        store.update(first, {"turns": [1, 3]})
    assert store.get(first.conversation_id).content == {"turns": [1, 2]}

    kept = store.rename(first.conversation_id, "  Renamed\n twice ")
    assert kept.name == "Renamed twice"
    store.update(kept, {"turns": []})


def test_a_deleted_one_does_not_come_back(workspace: Workspace) -> None:
    store = ConversationStore(workspace, "ana")
    kept = store.add("One?", {})
    store.delete(kept.conversation_id)
    with pytest.raises(NotFoundError, match="deleted"):
        store.update(kept, {"turns": []})
    assert store.list() == []


def test_a_full_disk_leaves_what_was_kept(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ConversationStore(workspace, "ana")
    kept = store.add("One?", {"turns": [1]})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(conversation_store, "write_json", full)
    with pytest.raises(RunFailedError, match="No space left"):
        store.update(kept, {"turns": [1, 2]})
    assert store.get(kept.conversation_id).content == {"turns": [1]}


def test_there_are_bounds_and_a_damaged_file_is_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_store, "MOST", 2)
    store = ConversationStore(workspace, "ana")
    kept = store.add("One?", {})
    store.add("Two?", {})
    with pytest.raises(InputError, match="most that are kept"):
        store.add("Three?", {})
    [path] = (workspace.root / "conversations").rglob(f"{kept.conversation_id}.json")
    path.write_text("{")
    with pytest.raises(InputError, match="damaged"):
        store.get(kept.conversation_id)
    assert [one.name for one in store.list()] == ["Two?"], "the others are still listed"
