"""JSON Lines and JSON: damaged lines are named, and the others are read."""

from __future__ import annotations

import json

import pytest

from studio.core.errors import DataError
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
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
