"""Options that commands share."""

from __future__ import annotations

import json

import pytest

from studio.cli.main import main
from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.runs.store import RunStore


@pytest.mark.parametrize("before", [True, False])
def test_the_workspace_of_the_group_is_that_of_its_commands(tmp_path, capsys, monkeypatch, before):
    monkeypatch.chdir(tmp_path)
    run = RunStore(Workspace.locate(tmp_path / "mine")).create(RunConfig(name="here"))
    place = ["--workspace", str(tmp_path / "mine"), "--json"]
    for command in (["list"], ["show", run.run_id]):
        asked = ["runs", *place, *command] if before else ["runs", *command, *place]
        assert main(asked) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["runs"][0] if "runs" in said else said)["run_id"] == run.run_id
    other = ["--workspace", str(tmp_path / "other")]
    assert main(["runs", *other, "list", *place]) == 0, "a command's own comes first"
    assert json.loads(capsys.readouterr().out)["runs"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["mine"]


def test_an_option_of_the_group_that_a_command_lacks_is_refused(tmp_path, capsys):
    assert main(["runs", "--workspace", str(tmp_path), "--json", "stop", "some-run"]) == 2
    assert "stop has no option --json" in capsys.readouterr().err
