"""Rows brought in and labelled pairs taken out."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from studio.annotation import AnnotationStore
from studio.cli.main import main
from studio.core.paths import Workspace


def test_import_label_export_round(tmp_path, capsys):
    place = ["--workspace", str(tmp_path), "--json"]
    assert main(["import", "embedded:preferences", *place]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["added"] > 0 and first["bad"] == []
    assert main(["import", "embedded:preferences", *place]) == 0
    assert json.loads(capsys.readouterr().out)["added"] == 0
    assert main(["export", "--dataset", first["dataset"], "--include-imported", *place]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["rows"] == first["added"] and made["source"].startswith("exports/")
    asked = ["--include-imported", "--evaluation-share", "0", "--name", "all-of-it"]
    assert main(["export", *asked, *place]) == 0  # the only dataset need not be named
    manifest = Path(json.loads(capsys.readouterr().out)["path"]) / "manifest.json"
    assert list(json.loads(manifest.read_text())["rows"]) == ["train"]
    assert main(["import", "embedded:unlabelled", *place]) == 0
    capsys.readouterr()
    assert main(["export", *place]) == 2
    said = capsys.readouterr().err
    assert "There are 2 with pairs" in said and first["dataset"] in said
    with closing(AnnotationStore(Workspace.locate(tmp_path).database_url)) as store:
        assert [line.action for line in store.team.log()].count("export") == 2


def test_an_export_for_another_tool_says_what_it_does_not_hold(tmp_path, capsys):
    place = ["--workspace", str(tmp_path)]
    assert main(["import", "embedded:preferences", *place]) == 0
    capsys.readouterr()
    asked = ["export", "--include-imported", "--format", "ms-swift", *place]
    assert main([*asked, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["not_held"]["ids"] == made["rows"]
    assert (Path(made["path"]) / "preferences.jsonl").is_file()
    assert main(asked) == 0
    said = capsys.readouterr().err
    assert "ms-swift holds no names of rows" in said
    assert f"left out in {made['rows']} rows." in said
    assert main(["export", "--shape", "ranked", "--format", "openai", *place]) == 2
    assert "Export ranked as: jsonl." in capsys.readouterr().err
