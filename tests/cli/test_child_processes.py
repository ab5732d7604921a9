"""Commands that the studio starts for itself lead to the process they name."""

import pytest

from studio.cli.main import main
from studio.core.paths import Workspace

CHILDREN = {
    "planner": "studio.training.planning.worker.main",
    "checker": "studio.preflight.worker.main",
    "inference": "studio.inference.worker.main",
    "dry-step": "studio.training.planning.dry_step_worker.main",
}


@pytest.mark.parametrize("command", CHILDREN)
def test_a_child_works_on_the_workspace_it_is_given(command, tmp_path, monkeypatch):
    given = []
    for name, target in CHILDREN.items():
        monkeypatch.setattr(target, lambda *values, name=name: given.append((name, values[0])))
    assert main([command, "--workspace", str(tmp_path)]) == 0
    assert given == [(command, Workspace.locate(str(tmp_path)))]


@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("worker", "studio.training.worker.main"),
        ("remote", "studio.launch.hf_job_monitor.follow_remote"),
    ],
)
def test_a_run_s_process_ends_as_its_run_does(command, target, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(target, lambda folder: given.append(folder) or 3)
    assert main([command, str(tmp_path)]) == 3
    assert given == [tmp_path]
