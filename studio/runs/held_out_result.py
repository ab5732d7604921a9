"""What a run came to on its held-out rows, kept with the run: wanted, then measured or not, and why."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

import psutil

from studio.config import RunConfig
from studio.core.paths import RunPaths, read_state, write_json
from studio.core.process_identity import process_alive
from studio.runs import checkpoints

State = Literal["wanted", "measuring", "measured", "not measured"]
MOST_ATTEMPTS = 2


@dataclass(frozen=True)
class HeldOutResult:
    """The evaluation of a run at its end.

    Attributes:
        attempts: How often a process was started for it.
        pid, pid_started: Who measures, or has just started the process that will.
        evaluation: Id of the evaluation that has all figures and rows.
        step: Of the weights that were measured.
        against: What they are compared with.
        sentence: What it came to, in words; or why nothing was measured.
        metrics, paired: By the name of the metric, as the evaluation has them.
    """

    state: State
    attempts: int = 0
    pid: int = 0
    pid_started: float = 0.0
    evaluation: str = ""
    step: int | None = None
    against: str = ""
    sentence: str = ""
    rows: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    paired: dict[str, Any] = field(default_factory=dict)


def ask_for_evaluation(config: RunConfig, paths: RunPaths) -> None:
    """Say that a run which has just finished is to be measured, if it is; whoever started it does."""
    if config.probes.held_out and config.data.evaluation:
        write(paths, HeldOutResult("wanted"))
    else:
        paths.evaluation.unlink(missing_ok=True)


def write(paths: RunPaths, found: HeldOutResult) -> None:
    """Keep what is known."""
    write_json(paths.evaluation, asdict(found))


def read(paths: RunPaths) -> HeldOutResult | None:
    """Return what is known; None where nothing is, or where it is about other weights by now."""
    values = read_state(paths.evaluation)
    names = {one.name for one in fields(HeldOutResult)}
    if values.get("state") not in get_args(State):
        return None
    found = HeldOutResult(**{key: value for key, value in values.items() if key in names})
    if found.state == "measuring" and not process_alive(found.pid, found.pid_started):
        return replace(found, state="wanted")
    if found.state == "measured" and found.step != checkpoints.adapter_step(paths):
        return None
    return found


def claim(paths: RunPaths, found: HeldOutResult) -> None:
    """Say that this process measures the run, or starts the one that does."""
    me = psutil.Process()
    write(paths, replace(found, state="measuring", pid=os.getpid(), pid_started=me.create_time()))


def give_up(paths: RunPaths) -> None:
    """Say that the process which was started is gone; another attempt may be made."""
    found = read(paths)
    if found is not None and found.state == "measuring":
        write(paths, replace(found, state="wanted"))
