"""Rows of another workspace are read, and nothing there changes."""

from __future__ import annotations

import pytest

from studio.annotation.library.source_import import import_source, preview_source
from studio.core.errors import DataError
from tests.annotation.library.conftest import other_workspace


def test_another_workspace_gives_its_rows_and_stays_as_it_is(tmp_path, folder, workspace, library):
    other = other_workspace(tmp_path, folder)
    before = other.database.read_bytes()
    preview = preview_source(str(other.root), workspace)
    assert preview.recognised_as == "Another workspace"
    assert preview.splits == ("pairs", "my texts") and preview.rows == 2
    report = import_source(str(other.root), workspace, library)
    assert (report.dataset, report.added) == ("pairs", 2)
    (pair,) = library.browse()[0].pairs
    chosen = {c.id: c.text for c in library.browse()[0].candidates}[pair.source_choice_id]
    assert chosen == "x" and len(library.browse()[0].images) == 1
    texts = import_source(str(other.root), workspace, library, split="my texts")
    assert (texts.dataset, texts.added, library.datasets()[1].pairs) == ("my texts", 1, 3)
    assert import_source(str(other.root), workspace, library).unchanged == 2
    assert other.database.read_bytes() == before


def test_a_workspace_of_another_version_is_refused(tmp_path, folder, workspace):
    import sqlite3

    other = other_workspace(tmp_path, folder)
    with sqlite3.connect(other.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    with pytest.raises(DataError, match="another version"):
        preview_source(str(other.root), workspace)
