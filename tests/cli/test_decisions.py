"""Runs are accepted, rolled back and traced from the command line."""

import json

from studio.cli.main import main
from studio.config import RunConfig
from studio.core.paths import Workspace, write_json
from studio.runs.checkpoints import MARKER
from studio.runs.status import update_status
from studio.runs.store import RunStore


def test_a_run_is_accepted_traced_and_rolled_back(tmp_path, capsys):
    place = str(tmp_path)
    store = RunStore(Workspace.locate(tmp_path))
    run = store.create(RunConfig(name="charts"))
    update_status(run.paths, state="finished")
    write_json(run.paths.adapter / MARKER, {"kind": "adapter", "step": 10})
    at = ["--workspace", place]
    assert main(["runs", "decide", "charts", *at]) != 0
    assert main(["runs", "decide", "charts", "--accept", *at]) != 0
    assert "Why?" in capsys.readouterr().err
    assert main(["runs", "decide", "charts", "--accept", "--reason", "good", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "accepted"
    assert main(["runs", "lineage", "charts", "--json", *at]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert [step["kind"] for step in steps] == ["model", "data", "run", "decision"]
    assert main(["runs", "decide", "charts", "--roll-back", "--reason", "bad", *at]) == 0
    assert main(["runs", "decisions", "--json", *at]) == 0
    verdicts = [one["verdict"] for one in json.loads(capsys.readouterr().out)["decisions"]]
    assert verdicts == ["accepted", "rolled back"]
