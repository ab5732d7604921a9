"""Copies of the database from the command line, and the way back."""

from __future__ import annotations

import json
from contextlib import closing

from studio.annotation import AnnotationStore
from studio.cli.main import main
from studio.core.paths import Workspace
from tests.annotation.conftest import answer, make_rows


def test_a_copy_is_made_told_and_put_back(tmp_path, capsys):
    place = ["--workspace", str(tmp_path / "workspace")]
    url = Workspace.locate(tmp_path / "workspace").database_url
    copy = tmp_path / "copy.db"
    with closing(AnnotationStore(url)) as store:
        store.add_rows("charts", make_rows(3))
        store.save(answer(store.claim("ana"), "ana"))
        assert main(["backup", str(copy), "--json", *place]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["labels"], told["bytes"]) == (1, copy.stat().st_size)
        store.save(answer(store.claim("ana"), "ana"))
    assert main(["backup", str(copy), *place]) != 0
    assert "exists" in capsys.readouterr().err, "a copy is never written over"
    assert main(["restore", str(copy), *place]) == 0
    assert f"Restored {copy}. What was there is in " in capsys.readouterr().out
    with closing(AnnotationStore(url)) as store:
        assert store.progress("ana").labelled == 1


def test_what_is_no_copy_is_refused_and_changes_nothing(tmp_path, capsys):
    place = ["--workspace", str(tmp_path / "workspace")]
    (tmp_path / "odd.db").write_text("something else " * 100)
    assert main(["restore", str(tmp_path / "odd.db"), *place]) != 0
    assert main(["restore", str(tmp_path / "none.db"), *place]) != 0
    assert "Traceback" not in capsys.readouterr().err
    assert not Workspace.locate(tmp_path / "workspace").database.exists()
