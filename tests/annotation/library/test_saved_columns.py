"""How a source is read is said once and kept with its dataset."""

from __future__ import annotations

import json

import pytest

from studio.annotation.library.saved_columns import SavedReading
from studio.annotation.library.source_import import import_source, preview_source
from studio.core.errors import DataError

COLUMNS = {"question": "frage", "chosen": "gut", "rejected": "schlecht"}


@pytest.fixture
def odd(tmp_path):
    """Writes rows with columns that nobody recognises; returns the path."""

    def write(*numbers: int, **changed) -> str:
        rows = [{"frage": f"Was {n}?", "gut": "ja", "schlecht": "nein", **changed} for n in numbers]
        path = tmp_path / "odd.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return str(path)

    return write


def test_columns_are_used_again_and_said(odd, workspace, library):
    path = odd(1)
    first = import_source(path, workspace, library, columns=COLUMNS)
    assert first.columns_from == "given" and first.mapping == COLUMNS
    assert library.saved_reading("odd") == SavedReading(COLUMNS)
    seen = preview_source(path, workspace, store=library)
    assert seen.columns_from == "saved" and seen.columns_saved == COLUMNS
    again = import_source(odd(1, 2), workspace, library)
    assert (again.added, again.unchanged, again.columns_from) == (1, 1, "saved")
    assert again.mapping == COLUMNS


def test_other_columns_replace_them(odd, workspace, library):
    import_source(odd(1), workspace, library, columns=COLUMNS)
    turned = {**COLUMNS, "chosen": "schlecht", "rejected": "gut"}
    import_source(odd(2), workspace, library, columns=turned)
    assert library.saved_reading("odd").columns == turned


@pytest.mark.parametrize("forget", [{"columns": {}}, {"use_saved": False}])
def test_they_are_forgotten_when_asked(odd, workspace, library, forget):
    import_source(odd(1), workspace, library, columns=COLUMNS)
    path = odd(2, question="What?", answer="that")
    report = import_source(path, workspace, library, **forget)
    assert report.columns_from == "" and report.mapping["question"] == "question"
    assert not library.saved_reading("odd")


def test_an_import_that_fails_keeps_nothing(odd, workspace, library):
    with pytest.raises(DataError):
        import_source(odd(1), workspace, library, columns={"question": "fragen"})
    assert not library.saved_reading("odd")


def test_columns_that_do_not_fit_are_said_and_kept(odd, workspace, library, tmp_path):
    import_source(odd(1), workspace, library, columns=COLUMNS)
    other = tmp_path / "usual.jsonl"
    other.write_text(json.dumps({"question": "What?", "answer": "that"}), encoding="utf-8")
    report = import_source(str(other), workspace, library, name="odd")
    assert (report.added, report.columns_from) == (1, "unfit")
    assert report.columns_saved == COLUMNS == library.saved_reading("odd").columns


def test_columns_of_one_dataset_are_not_those_of_another(odd, workspace, library):
    import_source(odd(1), workspace, library, columns=COLUMNS)
    with pytest.raises(DataError):
        import_source(odd(1), workspace, library, name="another")


def test_a_folder_of_images_is_used_again_until_it_is_forgotten(
    folder, tmp_path, workspace, library
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = elsewhere / "rows.jsonl"
    row = {"image": "a.png", "question": "Which?", "answer": "red"}
    path.write_text(json.dumps(row), encoding="utf-8")
    report = import_source(str(path), workspace, library, images=folder)
    assert report.added == 1 and report.images == str(folder)
    assert preview_source(str(path), workspace, store=library).images == str(folder)
    assert import_source(str(path), workspace, library).unchanged == 1
    with pytest.raises(DataError, match="there is no image file"):
        import_source(str(path), workspace, library, use_saved=False)
