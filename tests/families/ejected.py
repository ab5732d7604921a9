"""Whether the script of a run on a family's tiny model trains as the run did."""

from __future__ import annotations

import runpy
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from studio.config.speed import SAVINGS
from studio.launch.training_script import eject
from studio.runs.event_log import read_events
from studio.runs.store import RunStore
from studio.training.run_training import execute
from tests.families.trial import Bench

OFF = dict.fromkeys(SAVINGS, "off")
SCHEDULE = {"max_steps": 2, "save_every": 100}


@dataclass(frozen=True)
class Ejected:
    """The losses of each step, and the text of the script."""

    run: list[float]
    script: list[float]
    text: str

    @property
    def apart(self) -> float:
        """The largest difference between two losses of a step."""
        return max(abs(a - b) for a, b in zip(self.run, self.script, strict=True))


def ejected(bench: Bench, family: str, method: str, folder: Path) -> Ejected:
    """Train two steps, write the run as a script into `folder`, and execute that."""
    config = bench.config(bench.model(family), method, schedule=SCHEDULE, speed=OFF)
    run = RunStore(bench.workspace).create(config)
    execute(config, run.paths, bench.workspace)
    events = read_events(run.paths.events).events
    losses = [e.values["loss"] for e in events if e.type == "metrics" and "loss" in e.values]
    script = eject(run, bench.workspace, folder)[0]
    with chdir(folder):
        history = runpy.run_path(str(script))["trainer"].state.log_history
    again = [entry["loss"] for entry in history if "loss" in entry]
    return Ejected(losses, again, script.read_text(encoding="utf-8"))
