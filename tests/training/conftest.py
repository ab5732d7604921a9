"""A workspace, and runs on the embedded samples that take seconds."""

from __future__ import annotations

import pytest

from studio.config import RunConfig, run_file
from studio.core.paths import Workspace
from studio.runs.event_log import read_events
from studio.runs.store import Run, RunStore
from studio.training.run_training import execute

SOURCES = {"sft": "embedded:sft", "dpo": "embedded:preferences"}
FEW = "train[:8]"


class Runner:
    """Makes and executes runs in this process."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.store = RunStore(workspace)

    def config(self, **sections) -> RunConfig:
        """Two steps of four rows each, of the first few there are, changed by `sections`."""
        values = {
            "method": "sft",
            "data": {"source": SOURCES[sections.get("method", "sft")], "train": FEW},
            "adapter": {"rank": 4, "alpha": 8},
            "batch": {"per_device": 4, "total": 4},
            "optimizer": {"learning_rate": 2e-3, "schedule": "constant", "warmup": 0},
            "schedule": {"max_steps": 2, "save_every": 100},
            "probes": {"count": 0, "forgetting": None},
        }
        for key, value in sections.items():
            both = isinstance(value, dict) and isinstance(values.get(key), dict)
            values[key] = values[key] | value if both else value
        return run_file.parse(values)

    def run(self, config: RunConfig) -> tuple[Run, str]:
        """Execute to the end; the run and how it ended."""
        run = self.store.create(config)
        return run, execute(config, run.paths, self.workspace)

    def values(self, run: Run, key: str, type: str = "metrics") -> list[float]:
        """The series `key` of a run."""
        events = read_events(run.paths.events).events
        return [e.values[key] for e in events if e.type == type and key in e.values]


@pytest.fixture(scope="session")
def workspace_of(tmp_path_factory):
    """Makes a workspace in a folder; a step that was traced in one is known to all.

    A trace depends on nothing but what it is kept under, and takes as long as a short run.
    """
    traces = tmp_path_factory.getbasetemp() / "traces"
    traces.mkdir()

    def make(folder):
        workspace = Workspace.locate(folder)
        workspace.cache.mkdir(exist_ok=True)
        workspace.traces.symlink_to(traces)
        return workspace

    return make


@pytest.fixture
def runner(workspace_of, tmp_path):
    return Runner(workspace_of(tmp_path / "workspace"))


@pytest.fixture(scope="module")
def shared_runner(workspace_of, tmp_path_factory):
    """One workspace for the tests of a file that leave nothing behind in it."""
    return Runner(workspace_of(tmp_path_factory.mktemp("shared") / "workspace"))
