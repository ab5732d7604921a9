"""CSV and TSV files, line by line as an editor counts."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
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


@pytest.mark.parametrize(
    "text",
    [
        "image , question, answer\na.png,q,a\n",
        "sep=;\nimage;question;answer\na.png;q;a\n",
        "image,question,answer,\na.png,q,a,\n",
        "image\tquestion\tanswer\na.png\tq\ta\n",
        "\ufeffimage,question,answer\r\na.png,q,a\r\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_headers_as_other_programs_write_them(folder, workspace, text, encoding):
    (folder / "rows.csv").write_bytes(text.encode(encoding))
    (row,) = open_source(str(folder / "rows.csv"), workspace=workspace).rows()
    assert (row.question, row.completion.text, len(row.images)) == ("q", "a", 1)


def test_a_line_is_counted_below_what_excel_writes_above(folder, workspace):
    (folder / "rows.csv").write_text("sep=;\nimage;question;answer\na.png;q\n")
    (row,) = open_source(str(folder / "rows.csv"), workspace=workspace).rows()
    assert row.line == 3 and "2 cells under 3" in row.reason


def test_chinese_text_of_a_spreadsheet_is_read(folder, workspace):
    text = "image,question,answer\na.png,什么颜色的东西在图片里?,红色。\n"
    (folder / "rows.csv").write_bytes(text.encode("gb18030"))
    (row,) = open_source(str(folder / "rows.csv"), workspace=workspace).rows()
    assert row.completion.text == "红色。"


def test_another_encoding_and_a_name_given_twice_are_said(folder, workspace):
    (folder / "rows.csv").write_bytes("image,question,answer\na.png,Où,à\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"not UTF-8 text .*0xF9.*Windows-1252") as caught:
        open_source(str(folder / "rows.csv"), workspace=workspace)
    assert "CSV UTF-8" in caught.value.remedy
    (folder / "rows.csv").write_text("image,answer , answer\na.png,x,y\n")
    with pytest.raises(DataError, match="'answer' twice"):
        open_source(str(folder / "rows.csv"), workspace=workspace)
