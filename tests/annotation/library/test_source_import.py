"""Previews and imports of sources into the library."""

from __future__ import annotations

import json

import pytest

from studio.annotation import ItemFilter
from studio.annotation.library.source_import import (
    dataset_name,
    import_source,
    preview_source,
)
from studio.core.errors import DataError, RunFailedError
from studio.data.sources.opened_source import Source
from tests.places import SHARED

REAL_DATA = SHARED / "data"


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the shared real data is not here")
@pytest.mark.parametrize(("name", "rows"), [("chartqa", 359), ("multichart", 24)])
def test_real_data_is_imported_whole(workspace, library, name, rows):
    report = import_source(str(REAL_DATA / name), workspace, library)
    assert (report.added, report.bad_count) == (rows, 0)
    found = library.browse(limit=rows + 1)
    assert len({item.external_id for item in found}) == rows
    for item in found:
        places = sum(part.type == "image" for message in item.prompt for part in message.parts)
        assert places == len(item.images) >= 1 and item.candidates


def test_a_source_that_goes_away_while_it_is_previewed_is_told(tmp_path, workspace, monkeypatch):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"question": "Q?", "answer": "A"}))
    count = Source.count

    def counted(source):
        path.unlink()
        return count(source)

    monkeypatch.setattr(Source, "count", counted)
    with pytest.raises(DataError, match=r"could not be read to the end.*choose it again"):
        preview_source(str(path), workspace)


def test_a_preview_changes_nothing(pairs, workspace, library):
    found = preview_source(pairs(3), workspace, limit=5)
    assert found.recognised_as == "Preferences" and found.rows == 5
    assert len(found.first) == 3 and [bad.line for bad in found.bad] == [4, 5]
    assert found.mapping["image"] == "image"
    assert library.datasets() == []


def test_importing_twice_adds_once_and_then_only_what_is_new(pairs, workspace, library):
    seen = []
    first = import_source(
        pairs(30), workspace, library, on_progress=lambda read, total: seen.append((read, total))
    )
    assert (first.dataset, first.added, first.bad_count) == ("pairs", 30, 2)
    assert seen == [(20, 32), (32, 32)]
    again = import_source(pairs(31), workspace, library)
    assert (again.added, again.unchanged) == (1, 30)
    (dataset,) = library.datasets()
    assert (dataset.items, dataset.pairs) == (31, 31)


def test_a_limit_and_a_name(pairs, workspace, library):
    report = import_source(pairs(30), workspace, library, limit=5, name="five")
    assert (report.dataset, report.added) == ("five", 5)


def test_an_import_that_fails_midway_leaves_nothing(pairs, workspace, library):
    class Unplugged(Exception):
        pass

    def fail(read, total):
        raise Unplugged

    with pytest.raises(Unplugged):
        import_source(pairs(40), workspace, library, on_progress=fail)
    assert library.datasets() == []


def test_a_full_disk_is_said_and_leaves_nothing(pairs, workspace, library, monkeypatch):
    def full(path, content, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("studio.data.image_store._write", full)
    with pytest.raises(RunFailedError, match="No space left on device"):
        import_source(pairs(3), workspace, library)
    assert library.datasets() == []


def test_a_source_without_one_usable_row_is_refused(tmp_path, workspace, library):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"image": "no.png", "question": "q", "answer": "a"}))
    with pytest.raises(DataError, match="row 1: there is no image file"):
        import_source(str(path), workspace, library)
    assert library.datasets() == []


@pytest.mark.parametrize(
    ("spec", "name"),
    [("/d/pairs.jsonl", "pairs"), ("/d/pairs.jsonl.gz", "pairs"), ("d/pairs.tar.gz", "pairs"),
     ("embedded:sft", "sft"), ("exports/x-1", "x-1"),
     ("owner/name", "owner/name"), ("/data/charts/", "charts"), ("owner/v1.5", "owner/v1.5")],
)  # fmt: skip
def test_dataset_names(spec, name):
    assert dataset_name(spec) == name


def test_candidates_that_all_say_the_same_are_counted(tmp_path, library, workspace):
    rows = [
        {"question": "One?", "candidates": ["Red.", "Red. "]},
        {"question": "Two?", "candidates": ["Red.", "Blue.", "Red."]},
        {"question": "Three?", "candidates": ["Red."]},
    ]
    for row in rows:
        row["candidates"] = [{"text": text, "author": "a"} for text in row["candidates"]]
    path = tmp_path / "ties.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = import_source(str(path), workspace, library)
    assert report.added == 3 and report.identical == 1


def test_anything_else_imports_with_a_mapping(folder, workspace, library):
    (folder / "odd.jsonl").write_text(
        json.dumps({"bild": "a.png", "frage": "Was?", "gut": "ja", "schlecht": "nein"})
    )
    path = str(folder / "odd.jsonl")
    with pytest.raises(
        DataError, match="without a question; nothing reads 'frage', 'gut', 'schlecht'"
    ):
        preview_source(path, workspace)
    columns = {"image": "bild", "question": "frage", "chosen": "gut", "rejected": "schlecht"}
    assert import_source(path, workspace, library, columns=columns).added == 1


def test_all_splits_at_once_keep_their_names(folder, workspace, library):
    for split in ("train", "test"):
        record = {"id": 1, "image": "a.png", "question": f"{split}?", "answer": "a"}
        (folder / f"{split}.jsonl").write_text(json.dumps(record) + "\nbroken\n")
    report = import_source(str(folder), workspace, library, split="all")
    assert report.added == 2 and report.bad_count == 2
    assert library.facets().splits == ("test", "train")
    assert [item.question for item in library.browse(ItemFilter(split="test"))] == ["test?"]
    assert any("(split t" in bad.reason for bad in report.bad)


def test_every_reason_is_told_where_no_row_can_be_used(tmp_path, workspace, library):
    rows = [{"image": "no.png", "question": "q", "answer": "a"} for _ in range(2)]
    rows.append({"image": "no.png", "question": "q\0", "answer": "a"})
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(DataError, match=r"All reasons: .* \(2 rows\); .* \(1 row\)") as caught:
        import_source(str(path), workspace, library)
    assert caught.value.remedy == "Check that the images lie beside the data."
