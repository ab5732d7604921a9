"""Frozen datasets of the workspace as sources, and their images by name."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.data.frozen_dataset import freeze, freeze_splits
from studio.data.image_store import ImageStore
from studio.data.manifest import LIBRARY_SPEC
from studio.data.sources import open_source

COPY = {LIBRARY_SPEC: "library:charts"}


def test_a_name_is_the_newest_of_its_exports_and_a_folder_exactly_that_one(row, workspace):
    first = freeze([row("red", completion="x")], "n", workspace, evaluation_share=0)
    freeze([row("red", completion="y")], "n", workspace, evaluation_share=0)
    (newest,) = open_source("exports/n", workspace=workspace).rows()
    (exact,) = open_source(f"exports/{first.name}/", workspace=workspace).rows()
    assert (newest.completion.text, exact.completion.text) == ("y", "x")


def test_an_export_that_is_gone_is_said_with_those_there_are(row, workspace):
    with pytest.raises(DataError, match="no export 'none'") as caught:
        open_source("exports/none", workspace=workspace)
    assert "make one with Export" in caught.value.remedy
    made = freeze([row("red", completion="x")], "n", workspace)
    with pytest.raises(DataError) as caught:
        open_source("exports/none", workspace=workspace)
    assert f"exports/{made.name}" in caught.value.remedy


def test_a_copy_for_a_run_names_its_images_and_reading_hashes_none(row, workspace, monkeypatch):
    rows = [row("red", "blue", completion="x"), row("red", completion="y")]
    copy = freeze_splits({"train": rows}, "n", workspace, COPY)
    images = ImageStore(workspace)
    for sha in rows[0].images:
        linked = copy / "images" / images.path(sha).name
        assert linked.stat().st_ino == images.path(sha).stat().st_ino, "no second copy on the disk"
    with monkeypatch.context() as patch:
        patch.setattr(ImageStore, "add", lambda *given: pytest.fail("hashed again"))
        assert list(open_source(f"exports/{copy.name}", workspace=workspace).rows()) == rows


def test_a_copy_brings_back_an_image_that_the_workspace_lost(row, workspace):
    rows = [row("red", completion="x")]
    copy = freeze_splits({"train": rows}, "n", workspace, COPY)
    ImageStore(workspace).path(rows[0].images[0]).unlink()
    assert list(open_source(f"exports/{copy.name}", workspace=workspace).rows()) == rows
    assert ImageStore(workspace).has(rows[0].images[0])


def test_a_copy_that_somebody_exports_is_theirs_with_its_images_inside(row, workspace):
    rows = [row("red", completion="x")]
    copy = freeze_splits({"train": rows}, "n", workspace, COPY)
    assert freeze_splits({"train": rows}, "n", workspace) == copy
    ImageStore(workspace).path(rows[0].images[0]).unlink()
    for link in (copy / "images").iterdir():
        link.unlink()
    assert list(open_source(f"exports/{copy.name}", workspace=workspace).rows()) == rows
    assert not list(copy.glob(".*.tmp"))


def test_a_name_in_a_stranger_s_file_is_never_taken_for_a_hash(folder, jsonl, images, workspace):
    known = images.add((folder / "b.png").read_bytes())
    (folder / f"{known}.png").write_bytes((folder / "a.png").read_bytes())
    path = jsonl({"image": f"{known}.png", "question": "q", "answer": "a"})
    (found,) = open_source(path, workspace=workspace).rows()
    assert found.images != (known,)
