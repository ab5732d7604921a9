"""Names that people type: which can be files at all, and what `~` means."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from studio.annotation.library.other_workspace import is_workspace
from studio.config import run_file
from studio.core.errors import ConfigError, DataError, ModelError, NotFoundError
from studio.core.paths import (
    RunPaths,
    Workspace,
    building,
    can_be_path,
    link_or_copy,
    typed_path,
    write_atomic,
)
from studio.data.sources.registry import open_reader
from studio.models.adapter_config import adapter_folder
from studio.runs.store import RunStore

LONG = ("x" * 256, "x" * 5000, "ü" * 128, "a/" + "x" * 256, "a\\" + "x" * 256, "a/" * 2048)
NOBODY = "~nobody-called-so/x"


@pytest.mark.parametrize("name", [*LONG, "a\0b", "\ud800" * 100])
def test_what_no_file_can_be_called(name):
    assert not can_be_path(name)


@pytest.mark.parametrize(
    "name", ["", "a", "x" * 255, "/".join(["x" * 255] * 15), "ü" * 127, NOBODY]
)
def test_what_a_file_can_be_called(name, tmp_path):
    assert can_be_path(name)
    assert not (tmp_path / name / "none").exists()  # asked, the system has no objection


def test_home_is_the_one_of_whoever_is_known():
    assert typed_path("~/x") == Path(os.path.expanduser("~")) / "x"  # noqa: PTH111
    assert typed_path(NOBODY) == Path(NOBODY)


@pytest.mark.parametrize("name", [*LONG, "a\0b", NOBODY])
def test_a_name_that_names_nothing_is_refused_in_a_sentence(name, tmp_path):
    workspace = Workspace.locate(tmp_path / "workspace")
    with pytest.raises(NotFoundError):
        RunStore(workspace).get(name)
    with pytest.raises(ModelError):
        adapter_folder(name, workspace)
    with pytest.raises(DataError):
        open_reader(name, None, workspace)
    assert not is_workspace(name)
    if name != NOBODY:
        with pytest.raises(ConfigError, match="can have this name"):
            run_file.parse({"model": {"id": name}})


@pytest.mark.parametrize("kept", [5, ["x"], {"a": 1}, True, None, 1.5])
def test_what_a_browser_has_kept_for_a_run_may_be_anything(kept, tmp_path):
    with pytest.raises(NotFoundError):
        RunStore(Workspace.locate(tmp_path / "workspace")).get(kept)


def test_files_of_each_process_of_a_run_have_its_rank():
    first, second = RunPaths(Path("/runs/a")), RunPaths(Path("/runs/a"), 2)
    assert (first.run_id, first.events.name) == ("a", "events.jsonl")
    assert (second.events.name, second.worker_lock.name) == (
        "events.rank2.jsonl",
        ".worker.rank2.lock",
    )
    assert first.config == second.config == Path("/runs/a/run.yaml")
    assert Workspace(Path("/w")).run("a").status == Path("/w/runs/a/status.json")


def test_what_other_processes_left_is_found_by_rank(tmp_path):
    for name in ("status.json", "status.rank10.json", "status.rank2.json", "status.rankx.json"):
        (tmp_path / name).touch()
    assert [other.rank for other in RunPaths(tmp_path).others()] == [2, 10]


def test_a_second_name_is_a_copy_where_a_disk_has_no_links(tmp_path, monkeypatch):
    source = tmp_path / "a"
    source.write_bytes(b"same")
    link_or_copy(source, tmp_path / "far" / "link")
    assert (tmp_path / "far" / "link").stat().st_ino == source.stat().st_ino
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError(1, "no links here")))
    link_or_copy(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"same"
    assert (tmp_path / "copy").stat().st_ino != source.stat().st_ino


@pytest.mark.parametrize("private", [False, True])
def test_a_file_is_replaced_whole_and_read_by_whom_it_is_for(tmp_path, private):
    path = tmp_path / "deep" / "file.json"
    for text in ("first", "second"):
        write_atomic(path, text, private=private)
    assert path.read_text() == "second" and [one.name for one in path.parent.iterdir()] == [
        path.name
    ]
    assert stat.S_IMODE(path.stat().st_mode) == (0o600 if private else 0o666 & ~umask())


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "made"
    with pytest.raises(ValueError, match="half"), building(target) as folder:
        (folder / "a").touch()
        raise ValueError("half")
    assert list(tmp_path.iterdir()) == []
    for text in ("first", "second"):
        with building(target) as folder:
            (folder / "a").write_text(text)
    assert (target / "a").read_text() == "first", "what is there stays"
    assert [one.name for one in tmp_path.iterdir()] == ["made"]
