"""Previews and imports, with the real annotation store."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from studio.annotation import AnnotationStore
from studio.annotation.library.import_job import Importer
from studio.annotation.library.sources import (
    dataset_name,
    import_source,
    list_datasets,
    preview_source,
)
from studio.core.errors import BusyError, DataError, RunFailedError
from studio.core.paths import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def store(workspace):
    opened = AnnotationStore(f"sqlite:///{workspace.database}")
    yield opened
    opened.close()


@pytest.fixture
def pairs(tmp_path):
    """Writes `count` pairs and two bad rows; returns the path."""

    def write(count: int) -> str:
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
        (tmp_path / "a.png").write_bytes(buffer.getvalue())
        rows = [
            {"id": str(n), "image": "a.png", "question": f"q{n}", "chosen": "a", "rejected": "b"}
            for n in range(count)
        ]
        lines = [json.dumps(row) for row in [*rows, {**rows[0], "image": "../x.png"}]]
        (tmp_path / "pairs.jsonl").write_text("\n".join([*lines, "broken"]))
        return str(tmp_path / "pairs.jsonl")

    return write


def test_a_preview_changes_nothing(pairs, workspace, store):
    found = preview_source(pairs(3), workspace, limit=5)
    assert found.recognised_as == "Preferences" and found.rows == 5
    assert len(found.first) == 3 and [bad.line for bad in found.bad] == [4, 5]
    assert found.mapping["image"] == "image"
    assert list_datasets(store) == []


def test_importing_twice_adds_once_and_then_only_what_is_new(pairs, workspace, store):
    seen = []
    first = import_source(
        pairs(30), workspace, store, on_progress=lambda read, total: seen.append((read, total))
    )
    assert (first.dataset, first.added, first.bad_count) == ("pairs", 30, 2)
    assert seen == [(20, 32), (32, 32)]
    again = import_source(pairs(31), workspace, store)
    assert (again.added, again.unchanged) == (1, 30)
    (dataset,) = list_datasets(store)
    assert (dataset.items, dataset.pairs) == (31, 31)


def test_a_limit_and_a_name(pairs, workspace, store):
    report = import_source(pairs(30), workspace, store, limit=5, name="five")
    assert (report.dataset, report.added) == ("five", 5)


def test_an_import_that_fails_midway_leaves_nothing(pairs, workspace, store):
    class Unplugged(Exception):
        pass

    def fail(read, total):
        raise Unplugged

    with pytest.raises(Unplugged):
        import_source(pairs(40), workspace, store, on_progress=fail)
    assert list_datasets(store) == []


def test_a_full_disk_is_said_and_leaves_nothing(pairs, workspace, store, monkeypatch):
    def full(path, content, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("studio.data.image_store._write", full)
    with pytest.raises(RunFailedError, match="No space left on device"):
        import_source(pairs(3), workspace, store)
    assert list_datasets(store) == []


def test_a_source_without_one_usable_row_is_refused(tmp_path, workspace, store):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"image": "no.png", "question": "q", "answer": "a"}))
    with pytest.raises(DataError, match="row 1: there is no image file"):
        import_source(str(path), workspace, store)
    assert list_datasets(store) == []


@pytest.mark.parametrize(
    ("spec", "name"),
    [("/d/pairs.jsonl", "pairs"), ("embedded:sft", "sft"), ("exports/x-1", "x-1"),
     ("owner/name", "owner/name"), ("/data/charts/", "charts"), ("owner/v1.5", "owner/v1.5")],
)  # fmt: skip
def test_dataset_names(spec, name):
    assert dataset_name(spec) == name


def test_imports_in_the_background(pairs, workspace, store):
    importer = Importer(workspace, store)
    assert importer.status.state == "idle"
    importer.start(pairs(30))
    done = importer.wait(30)
    assert (done.state, done.report.added, done.read) == ("done", 30, 32)
    importer.start("nope.jsonl")
    failed = importer.wait(30)
    assert failed.state == "failed" and failed.number == 2
    assert "nope.jsonl" in failed.error


def test_one_import_at_a_time(pairs, workspace, store, monkeypatch):
    import threading

    gate = threading.Event()
    monkeypatch.setattr(
        "studio.annotation.library.import_job.import_source",
        lambda *args, **kwargs: gate.wait(30),
    )
    importer = Importer(workspace, store)
    importer.start("first")
    with pytest.raises(BusyError, match="first"):
        importer.start("second")
    gate.set()
    importer.wait(30)


def test_candidates_that_all_say_the_same_are_counted(tmp_path, store, workspace):
    rows = [
        {"question": "One?", "candidates": ["Red.", "Red. "]},
        {"question": "Two?", "candidates": ["Red.", "Blue.", "Red."]},
        {"question": "Three?", "candidates": ["Red."]},
    ]
    for row in rows:
        row["candidates"] = [{"text": text, "author": "a"} for text in row["candidates"]]
    path = tmp_path / "ties.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = import_source(str(path), workspace, store)
    assert report.added == 3 and report.identical == 1
