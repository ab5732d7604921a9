"""JSON Lines and JSON: damaged lines are named, and the others are read."""

from __future__ import annotations

import json

import pytest

from studio.core.errors import DataError
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
from studio.data.sources.files import open_reader
from tests.data.conftest import QA


def test_damaged_lines_are_named_and_the_others_read(jsonl, workspace):
    path = jsonl(
        b"\xef\xbb\xbf" + json.dumps(QA).encode(),
        "not json",
        b'{"image": "a.png", "question": "\xff", "answer": "a"}',
        '{"image": "a.png", "image": "b.png", "question": "q", "answer": "a"}',
        '{"image": "a.png", "question": "q", "answer": NaN}',
        "[1]",
        "",
        "[" * 100_000,
        {**QA, "question": "one � more"},
    )
    source = open_source(path, workspace=workspace)
    rows = list(source.rows())
    bad = {row.line: row.reason for row in rows if isinstance(row, BadRow)}
    assert set(bad) == {2, 3, 4, 6, 8}
    assert "appears twice" in bad[4] and "UTF-8" in bad[3]
    assert [row.question for row in rows if isinstance(row, Row)] == ["q", "q", "one � more"]
    assert rows[4].completion is None, "NaN is no value, and no reason to refuse a row"


def test_an_overlong_line_is_skipped_without_being_kept(jsonl, workspace, monkeypatch):
    monkeypatch.setattr("studio.data.sources.json_files.MAX_LINE", 200)
    path = jsonl(QA, {**QA, "answer": "a" * 1000}, {**QA, "question": "last"})
    rows = list(open_source(path, workspace=workspace).rows())
    assert [type(row) for row in rows] == [Row, BadRow, Row]
    assert rows[1].line == 2


def test_json_lists(folder, workspace):
    (folder / "rows.json").write_text(json.dumps({"data": [QA, 5], "version": "1"}))
    rows = list(open_source(str(folder / "rows.json"), workspace=workspace).rows())
    assert [type(row) for row in rows] == [Row, BadRow]
    (folder / "bad.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        open_source(str(folder / "bad.json"), workspace=workspace)


TWO = [QA, {**QA, "question": "r"}]
LINES = "".join(json.dumps(row) + "\n" for row in TWO)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.ndjson"])
@pytest.mark.parametrize(
    "content",
    [
        LINES,
        "\ufeff" + LINES.replace("\n", "\r\n"),
        LINES.replace("}\n", "},\n"),
        LINES.replace("}\n", "},\r\n").rstrip(",\r\n") + "\r\n",
        "\n\n" + LINES.replace("\n", "\n\n"),
        json.dumps(TWO),
        json.dumps(TWO, indent=1),
        "[\n" + LINES.replace("}\n", "},\n").rstrip(",\n") + "\n]\n",
        "\n".join(json.dumps(row, indent=1) for row in TWO),
        ",\n".join(json.dumps(row, indent=1) for row in TWO),
        json.dumps({"data": TWO}, indent=1),
        json.dumps({"data": TWO}),
        "".join(f"\x1e{json.dumps(row)}\n" for row in TWO),
        json.dumps(TWO)[:-2] + ",},]",
    ],
)
def test_the_content_tells_how_it_is_read_not_the_ending(folder, workspace, name, content):
    (folder / name).write_bytes(content.encode())
    source = open_source(str(folder / name), workspace=workspace)
    assert [row.question for row in source.rows()] == ["q", "r"] and source.count() == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "gb18030"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_other_encodings_are_read(folder, workspace, name, encoding):
    row = {"image": "a.png", "question": "什么颜色的东西在图片里?", "answer": "红色。"}
    text = json.dumps(row, ensure_ascii=False) + "\n"
    (folder / name).write_bytes((text * 2).encode(encoding))
    source = open_source(str(folder / name), workspace=workspace)
    rows = list(source.rows())
    assert [row.completion.text for row in rows] == ["红色。"] * 2 and source.count() == 2


def test_a_comma_in_a_text_is_no_comma_before_an_end(folder, workspace):
    (folder / "rows.json").write_text(
        '[{"image": "a.png", "question": "x,] \\",}", "answer": "a",}]'
    )
    (row,) = open_source(str(folder / "rows.json"), workspace=workspace).rows()
    assert row.question == 'x,] ",}'


def test_a_damaged_first_line_does_not_hide_the_others(jsonl, workspace):
    path = jsonl('{"image": "a.png", "quest', QA, "{broken", QA)
    assert [type(row) for row in open_source(path, workspace=workspace).rows()] == [
        BadRow, Row, BadRow, Row,
    ]  # fmt: skip


def test_numbers_that_are_none_are_missing_values(folder, workspace):
    text = '[{"image": "a.png", "question": "q", "answer": "a", "score": [NaN, -Infinity, 1]}]'
    (folder / "rows.json").write_text(text)
    reader = open_reader(str(folder / "rows.json"), None, workspace, "data.train")
    assert next(reader.records()).values["score"] == [None, None, 1]


def test_a_json_file_with_splits_has_them(folder, workspace):
    (folder / "rows.json").write_text(json.dumps({"train": TWO, "test": TWO[1:]}))
    path = str(folder / "rows.json")
    assert open_source(path, workspace=workspace).count() == 2
    held = open_source(path, split="test", workspace=workspace)
    assert held.splits == ("train", "test") and [row.question for row in held.rows()] == ["r"]
    with pytest.raises(DataError, match="no split 'dev2'"):
        open_source(path, split="dev2", workspace=workspace)
    folder_source = open_source(str(folder), split="test", workspace=workspace)
    assert [row.question for row in folder_source.rows()] == ["r"]


def test_a_json_file_over_the_limit_is_refused(folder, workspace, monkeypatch):
    monkeypatch.setattr("studio.data.sources.json_files.MAX_JSON", 10)
    (folder / "rows.json").write_text(json.dumps(TWO))
    with pytest.raises(DataError, match="is over") as caught:
        open_source(str(folder / "rows.json"), workspace=workspace)
    assert "JSON Lines" in caught.value.remedy
