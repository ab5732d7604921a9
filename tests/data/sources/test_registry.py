"""Which kind of source a name is, and the refusal of one that names nothing."""

from __future__ import annotations

import gzip

import pytest

from studio.core.errors import DataError
from studio.core.logs import log_told
from studio.data.sources import open_source


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "nope.jsonl",
        "embedded:nope",
        "exports/nope",
        "/no/such/folder",
        "bad id!",
        "x" * 300,
        "a\0b",
        f"/{'x' * 300}.jsonl",
    ],
)
def test_sources_that_are_not_there_are_refused(workspace, spec):
    with pytest.raises(DataError) as caught:
        open_source(spec, workspace=workspace)
    assert caught.value.field == "data.source" and caught.value.remedy


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl.gz", b"no gzip at all"),
        ("cut.jsonl.gz", gzip.compress(bytes(100), mtime=0)[:-9]),
        ("rows.parquet", b"no parquet at all"),
        ("rows.arrow", b"no arrow at all"),
        ("deep.json", b"[" * 100_000),
        ("twice.json", b'[{"question": "q", "question": "r"}]'),
        ("rows.zip", b"no archive at all"),
        ("rows.tar", b"no archive at all"),
    ],
)
def test_a_damaged_file_is_one_line_of_the_log(tmp_path, workspace, caplog, name, content):
    (tmp_path / name).write_bytes(content)
    caplog.set_level("INFO", "studio")
    with pytest.raises(DataError, match=name) as caught:
        list(open_source(str(tmp_path / name), workspace=workspace).rows())
    log_told(caught.value)
    (record,) = caplog.records
    assert record.levelname == "INFO" and record.exc_info is None


def test_a_file_that_the_system_does_not_give_is_logged_with_its_cause(
    tmp_path, workspace, caplog, monkeypatch
):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    monkeypatch.setattr("studio.data.sources.compression.inflate", refuse)
    caplog.set_level("INFO", "studio")
    with pytest.raises(DataError) as caught:
        open_source(str(tmp_path / "rows.jsonl.gz"), workspace=workspace)
    log_told(caught.value)
    assert caplog.records[-1].exc_info
