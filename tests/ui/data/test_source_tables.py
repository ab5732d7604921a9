"""What is drawn of a source's fields and files: everything, and nothing of it as markup."""

from __future__ import annotations

from studio.annotation.library.import_report import ImportReport
from studio.annotation.library.imported_labels import GivenLabels
from studio.api.upload_folders import without_folder
from studio.data.schema import FieldUse, FileGroup
from studio.ui.data import source_tables as tables
from tests.ui.library_tab import HOSTILE


def test_a_field_that_is_not_used_is_warned_of_and_stands_first():
    uses = [
        FieldUse("question", 200, role="question"),
        FieldUse("page", 200, kept=200),
        FieldUse("data.image_url", 200, kept=80, why="addresses are not fetched"),
    ]
    warning = tables.unused(uses)
    assert 'class="notice warn"' in warning and "1 field is not used" in warning
    assert "data.image_url: in 120 rows, addresses are not fetched." in warning
    table = tables.fields_table(uses)
    places = [table.index(use.path) for use in (uses[2], uses[0], uses[1])]
    assert places == sorted(places)
    assert "<b>Question</b>" in table and "200 · 120 not used" in table
    assert table.count("Kept beside the row") == 2 and " open" in table
    assert tables.unused(uses[:2]) == "" and tables.fields_table([]) == ""
    table = tables.fields_table(
        [FieldUse("note", 3, kept=1, left_out=2), FieldUse("x", 1, left_out=1)]
    )
    assert "3 · 2 left out" in table and "Its rows cannot be used" in table


def test_a_column_without_a_value_is_named_and_not_called_lost():
    uses = [FieldUse("question", 3, role="question"), FieldUse(HOSTILE, 0, empty=True)]
    line, table = tables.empty_columns(uses), tables.fields_table(uses)
    assert "Empty in every row read: <code>" in line and "Empty in every row read</span>" in table
    assert HOSTILE not in line + table and tables.unused(uses) == "" and "is-lost" not in table
    assert tables.empty_columns(uses[:1]) == ""


def test_many_fields_are_folded_and_none_is_left_out():
    uses = [FieldUse(f"field_{n}", 3, why="nested") for n in range(40)]
    assert "… and 34 more, in the table of fields." in tables.unused(uses)
    table = tables.fields_table(uses)
    assert "<summary>28 more</summary>" in table
    assert all(f"<code>field_{n}</code>" in table for n in range(40))


def test_files_are_told_with_their_fate_the_refused_first():
    groups = [
        FileGroup("imported", "", 24, ("a.png", "b.png")),
        FileGroup("ignored", "not read: .pdf", 3, ("1.pdf", "2.pdf", "3.pdf", "4.pdf")),
        FileGroup("refused", "no image", 1, ("c.png",)),
    ]
    table = tables.files_table(groups, folded=True)
    places = [table.index(word) for word in ("Refused", "Ignored", "Imported")]
    assert places == sorted(places) and " open" in table
    assert "1.pdf, 2.pdf, 3.pdf<" in table and "a.png, b.png, …" in table
    assert " open" not in tables.files_table(groups[:2], folded=True)


def test_labels_that_were_left_out_are_told():
    asked = GivenLabels(found={"ana": 3, "bob": 1}, refused={"ana": 3}, brought=True)
    told = tables.labels_left_out(ImportReport("x", "y", given_labels=asked))
    assert "3 labels of ana: somebody here has that name." in told and "bob" not in told
    assert "--labels-as" in told and "ana=OTHER NAME" in told
    ignored = GivenLabels(found={"bob": 1})
    assert "1 label of bob." in tables.labels_left_out(ImportReport("x", "y", given_labels=ignored))
    brought = GivenLabels(found={"bob": 1}, brought=True)
    assert tables.labels_left_out(ImportReport("x", "y", given_labels=brought)) == ""


def test_nothing_of_a_source_is_markup_or_template():
    use = FieldUse(HOSTILE, 2, why=HOSTILE)
    group = FileGroup("refused", HOSTILE, 2, (HOSTILE,))
    for html in (
        tables.unused([use]),
        tables.fields_table([use]),
        tables.files_table([group]),
        tables.labels_left_out(ImportReport("x", "y", given_labels=GivenLabels({HOSTILE: 1}))),
    ):
        assert "<img" not in html and "${" not in html and "{{" not in html


def test_people_do_not_read_where_uploads_are_kept():
    kept = "/home/x/workspace/cache/uploads/folders/host-12/0123456789abcdef"
    assert without_folder(f"{kept}/pairs.jsonl is still being imported.") == (
        "pairs.jsonl is still being imported."
    )
    assert without_folder(f"{kept}/charts") == "charts"
    assert without_folder(kept) == "what was dropped"
    assert without_folder("/data/uploads/pairs.jsonl") == "/data/uploads/pairs.jsonl"
