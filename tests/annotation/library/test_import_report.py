"""Files of several splits are told once; a report names every column."""

from __future__ import annotations

import json
import zipfile

from studio.annotation.library.import_report import joined_files
from studio.annotation.library.source_import import import_source, preview_source
from studio.cli.import_report import import_lines
from studio.data.schema import FileGroup
from studio.ui.data import source_tables as tables


def test_a_file_that_one_split_needs_is_imported():
    train = [
        FileGroup("imported", "", 3, ("train.jsonl", "a.png")),
        FileGroup("ignored", "no row names it", 3, ("b.png", "c.png")),
        FileGroup("refused", "no image", 1, ("x.exe",)),
    ]
    test = [
        FileGroup("imported", "", 2, ("test.jsonl", "b.png")),
        FileGroup("ignored", "no row names it", 4, ("a.png", "c.png")),
        FileGroup("refused", "no image", 1, ("x.exe",)),
    ]
    joined = joined_files([train, test])
    assert sum(group.count for group in joined) == 7
    assert [group.state for group in joined] == ["imported", "ignored", "refused"]
    assert joined_files([train]) == train and joined_files([]) == []


def test_a_report_and_a_preview_name_every_column(tmp_path, workspace, library):
    rows = [
        {"question": "Which?", "answer": "red", "topic": "bars"},
        {"question": "Which one?", "answer": "blue", "notes": "x" * 200_000},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    seen = preview_source(str(path), workspace, limit=1)
    done = import_source(str(path), workspace, library)
    for fields in (seen.fields, done.fields):
        named = {use.path: use for use in fields}
        assert named["topic"].kept == 1 and named["notes"].lost == 1 and named["notes"].why
        assert {named["question"].role, named["answer"].role} == {"question", "answer"}


def test_files_of_rows_that_are_not_read_are_told_apart(tmp_path, workspace, library):
    row = json.dumps({"question": "Which?", "answer": "red"})
    (tmp_path / "set" / "more").mkdir(parents=True)
    for name in (
        "pairs.jsonl",
        "test.jsonl",
        "more/train.jsonl",
        "table.xlsx",
        "notes.md",
        "a.zip",
    ):
        (tmp_path / "set" / name).write_text(row, encoding="utf-8")
    unread = {"test.jsonl", "more/train.jsonl", "table.xlsx", "a.zip"}
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.writestr("__MACOSX/hidden.zip", row)
        for path in (path for path in (tmp_path / "set").rglob("*") if path.is_file()):
            packed.write(path, path.relative_to(tmp_path / "set"))
    for source in (tmp_path / "set", tmp_path / "packed.zip"):
        seen = preview_source(str(source), workspace)
        done = import_source(str(source), workspace, library, name=source.name)
        for files in (seen.files, done.files):
            named = {name for group in files if group.unread for name in group.examples}
            assert named == unread, source.name
        every = import_source(str(source), workspace, library, split="all", name=source.name)
        named = {name for group in every.files if group.unread for name in group.examples}
        assert named == unread - {"test.jsonl"}
        assert "4 data files are not read" in tables.unread(done.files)
        lines = list(import_lines(done))
        place = next(n for n, line in enumerate(lines) if "4 data files are not read" in line)
        assert "more/train.jsonl" in "".join(lines[place : place + 5])


def test_reasons_are_grouped_in_preview_and_report(tmp_path, workspace, library):
    rows = [{"image": f"{n}.png", "question": "Which?", "answer": "red"} for n in range(3)]
    rows.append({"question": "Which?", "answer": "red", "image": None})
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    seen = preview_source(str(path), workspace)
    done = import_source(str(path), workspace, library)
    for reasons in (seen.reasons, done.reasons):
        assert reasons[0].count == 3 and reasons[0].lines == (1, 2, 3)
        assert "0.png" in reasons[0].example
