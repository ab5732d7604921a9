"""Runs looked at and steered from the command line."""

from __future__ import annotations

import json

from studio.cli.main import main
from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.runs.control import command_file
from studio.runs.status import update_status
from studio.runs.store import RunStore


def test_a_damaged_run_file_does_not_hide_the_other_runs(tmp_path, capsys):
    store = RunStore(Workspace.locate(tmp_path))
    broken, fine = (store.create(RunConfig(name=name), state="stopped") for name in ("b", "f"))
    broken.paths.config.write_text("metod: sft\n")
    assert main(["runs", "list", "--workspace", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert broken.run_id in shown and fine.run_id in shown
    assert main(["runs", "list", "--json", "--workspace", str(tmp_path)]) == 0
    told = {run["run_id"]: run for run in json.loads(capsys.readouterr().out)["runs"]}
    assert told[fine.run_id]["method"] == "sft"
    assert told[broken.run_id]["method"] is None and "metod" in told[broken.run_id]["problem"]


def test_what_a_run_is_asked_for_is_said_as_it_is(tmp_path, capsys):
    store, place = RunStore(Workspace.locate(tmp_path)), ["--workspace", str(tmp_path)]
    run = store.create(RunConfig())
    assert main(["runs", "save", run.run_id, *place]) == 1
    assert "queued: there is nothing to save" in capsys.readouterr().err
    for said in ("is off the queue", "is stopped already"):
        assert main(["runs", "stop", run.run_id, *place]) == 0
        assert said in capsys.readouterr().err
    update_status(run.paths, state="running")
    assert main(["runs", "save", run.run_id, *place]) == 0
    assert main(["runs", "stop", run.run_id, *place]) == 0
    assert command_file.requested(run.paths) == "stop"
    assert "stops after the current step" in capsys.readouterr().err


def test_runs_of_an_empty_workspace(tmp_path, capsys):
    assert main(["runs", "list", "--json", "--workspace", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": []}
    assert main(["runs", "show", "nope", "--workspace", str(tmp_path)]) == 2


def test_a_run_is_called_by_its_name_or_the_beginning_of_its_id(tmp_path, capsys):
    store, place = RunStore(Workspace.locate(tmp_path)), ["--workspace", str(tmp_path)]
    one, other = (store.create(RunConfig(name=name)) for name in ("charts", "tables"))
    assert main(["runs", "queue", "--first", "tables", *place]) == 0
    assert capsys.readouterr().out.splitlines() == [other.run_id, one.run_id]
    assert main(["runs", "stop", "charts", *place]) == 0
    assert f"{one.run_id} is off the queue" in capsys.readouterr().err
    assert store.get(other.run_id).status.state == "queued"
    assert main(["runs", "stop", one.run_id[:8], *place]) == 2
    assert "2 runs can be meant" in capsys.readouterr().err
