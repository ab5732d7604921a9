"""Which model and adapter answer for a run."""

import shutil
from pathlib import Path

import pytest

from studio.config import RunConfig
from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.core.paths import Workspace, write_json
from studio.inference.model_choice import resolve
from studio.runs.checkpoints import MARKER
from studio.runs.store import Run, RunStore


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def run(workspace: Workspace, trained: Path) -> Run:
    run = RunStore(workspace).create(RunConfig(name="trained"))
    shutil.copytree(trained, run.paths.adapter)
    return run


def test_a_run_is_resolved_to_its_adapter(workspace: Workspace, run: Run) -> None:
    runs = RunStore(workspace)

    assert resolve(runs, ModelConfig(), run.run_id).adapter == run.paths.adapter
    (run.paths.adapter / MARKER).write_text("{")  # damaged: its files are looked at all the same
    assert resolve(runs, ModelConfig(), run.run_id).adapter == run.paths.adapter
    assert resolve(runs, ModelConfig()).adapter is None


def test_a_run_of_another_base_or_without_weights_is_refused(
    workspace: Workspace, run: Run
) -> None:
    runs = RunStore(workspace)
    with pytest.raises(ModelError, match="trained on embedded, not on org/other"):
        resolve(runs, ModelConfig(id="org/other"), run.run_id)
    (run.paths.adapter / MARKER).unlink()
    with pytest.raises(ModelError, match="no complete adapter"):
        resolve(runs, ModelConfig(), run.run_id)


def test_a_fully_trained_model_takes_the_place_of_its_base(workspace: Workspace, run: Run) -> None:
    write_json(run.paths.adapter / MARKER, {"kind": "model"})

    answerer = resolve(RunStore(workspace), ModelConfig(), run.run_id)

    assert (answerer.model.id, answerer.adapter) == (str(run.paths.adapter), None)
