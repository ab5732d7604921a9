"""Results kept under what they depend on."""

import os

import pytest

from studio.training.planning import result_cache
from studio.training.planning.result_cache import code_of, keep_note, key_of, read_note


def test_a_key_depends_on_every_part_and_text_in_their_order():
    keys = {
        key_of([1, 2]),
        key_of([2, 1]),
        key_of([12]),
        key_of([{"a": 1}]),
        key_of([{"a": 2}]),
        key_of([], ["\ud800"]),
    }
    assert len(keys) == 6 and {len(key) for key in keys} == {32}
    assert key_of([{"a": 1, "b": 2}]) == key_of([{"b": 2, "a": 1}])


def seconds(values):
    return values["seconds"]


def test_a_note_is_read_as_it_was_kept(tmp_path, caplog):
    file = tmp_path / "notes" / "a.json"
    assert read_note(file, seconds) is None
    keep_note(file, {"seconds": 2})
    assert read_note(file, seconds) == 2
    assert caplog.text == ""


@pytest.mark.parametrize("text", ['{"seconds":', "{}", "[]", "2"])
def test_a_damaged_note_counts_as_none_and_is_logged(tmp_path, caplog, text):
    file = tmp_path / "a.json"
    file.write_text(text, encoding="utf-8")
    assert read_note(file, seconds) is None
    assert str(file) in caplog.text and "Traceback" in caplog.text


def test_the_oldest_notes_make_room(tmp_path, monkeypatch):
    monkeypatch.setattr(result_cache, "MOST_KEPT", 2)
    for age, name in enumerate(("old", "older", "new")):
        keep_note(tmp_path / f"{name}.json", {})
        os.utime(tmp_path / f"{name}.json", (age, age))
    assert sorted(file.stem for file in tmp_path.iterdir()) == ["new", "older"]


def test_code_is_known_by_its_text(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder, text in zip(folders, ("x = 1", "x = 2"), strict=True):
        folder.mkdir()
        (folder / "module.py").write_text(text)
    assert code_of(folders[0]) != code_of(folders[1])
