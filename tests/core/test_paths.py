"""Names that people type: which can be files at all, and what `~` means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.annotation.library.other_workspace import is_workspace
from studio.config import run_file
from studio.core.errors import ConfigError, DataError, ModelError, NotFoundError
from studio.core.paths import Workspace, can_be_path, typed_path
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
