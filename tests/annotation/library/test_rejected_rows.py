"""Rows that an import leaves out: the first in memory, all of them in a file."""

from __future__ import annotations

import csv

import pytest

from studio.annotation.library import rejected_rows
from studio.annotation.library.rejected_rows import LeftOut
from studio.data.schema import BadRow


def test_all_rows_are_in_the_file_and_only_the_first_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(rejected_rows, "IN_MEMORY", 2)
    with LeftOut() as bad:
        for line in range(1, 6):
            bad.add(BadRow(line, "no image", "image"))
        path = bad.keep(tmp_path / "imports" / "1-left-out.csv")
    assert (bad.count, [row.line for row in bad.first]) == (5, [1, 2])
    with path.open(encoding="utf-8-sig", newline="") as handle:
        assert [row["line"] for row in csv.DictReader(handle)] == list("12345")


def test_no_cell_is_a_formula(tmp_path):
    with LeftOut() as bad:
        bad.add(BadRow(1, "=1+1 is no image", "@column"))
        text = bad.keep(tmp_path / "left-out.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[1] == "1,'@column,'=1+1 is no image"


def test_nothing_is_written_without_a_row_and_nothing_stays_open(tmp_path):
    with LeftOut() as bad:
        assert bad.keep(tmp_path / "left-out.csv") is None
    assert not (tmp_path / "left-out.csv").exists()
    with pytest.raises(ValueError, match="closed"):
        bad.add(BadRow(1, "late"))
