"""CSV and TSV files, line by line as an editor counts."""

from __future__ import annotations

import pytest

from studio.data.schema import BadRow
from studio.data.sources import open_source


@pytest.mark.parametrize(("name", "mark"), [("r.csv", ","), ("s.csv", ";"), ("t.tsv", "\t")])
def test_delimited_files(folder, workspace, name, mark):
    lines = [("image", "question", "answer"), ("a.png", '"two\nlines"', "=1+1"), ("a.png", "q")]
    (folder / name).write_text("\ufeff" + "\n".join(mark.join(line) for line in lines))
    rows = list(open_source(str(folder / name), workspace=workspace).rows())
    assert rows[0].question == "two\nlines" and rows[0].completion.text == "=1+1"
    assert isinstance(rows[1], BadRow) and "2 cells under 3" in rows[1].reason
    assert rows[1].line == 4, "as an editor counts them, heading and line breaks included"
