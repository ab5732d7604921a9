"""Imports in the background, one at a time."""

from __future__ import annotations

import pytest

from studio.annotation.library.import_job import Importer
from studio.core.errors import BusyError


def test_imports_in_the_background(pairs, workspace, library):
    importer = Importer(workspace, library)
    assert importer.status.state == "idle"
    importer.start(pairs(30))
    done = importer.wait(30)
    assert (done.state, done.report.added, done.read) == ("done", 30, 32)
    importer.start("nope.jsonl")
    failed = importer.wait(30)
    assert failed.state == "failed" and failed.number == 2
    assert "nope.jsonl" in failed.error and "data.source" not in failed.error


def test_one_import_at_a_time(pairs, workspace, library, monkeypatch):
    import threading

    gate = threading.Event()
    monkeypatch.setattr(
        "studio.annotation.library.import_job.import_source",
        lambda *args, **kwargs: gate.wait(30),
    )
    importer = Importer(workspace, library)
    importer.start("first")
    with pytest.raises(BusyError, match="first"):
        importer.start("second")
    gate.set()
    importer.wait(30)


def test_what_was_decided_about_changed_rows_is_passed_on(pairs, workspace, library, tmp_path):
    importer = Importer(workspace, library)
    importer.start(pairs(2))
    importer.wait(30)
    path = tmp_path / "pairs.jsonl"
    path.write_text(path.read_text().replace('"chosen": "a"', '"chosen": "better"'))
    importer.start(str(path))
    assert importer.wait(30).report.changed_count == 2
    importer.start(str(path), on_change="update", accounts=("ana",))
    report = importer.wait(30).report
    assert (report.changed_count, report.on_change) == (2, "update")
    importer.start(str(path))
    assert importer.wait(30).report.unchanged == 2
