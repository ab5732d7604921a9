"""What a run is doing now, as one small file that is always whole."""

from __future__ import annotations

import platform
import time
from dataclasses import asdict, dataclass, fields, replace
from dataclasses import field as field_
from typing import Any, Literal, get_args

from studio.core.paths import RunPaths, read_json, write_json
from studio.runs.event_log import EventLog

State = Literal["queued", "starting", "running", "stopping", "stopped", "finished", "failed"]
ACTIVE: tuple[State, ...] = ("starting", "running", "stopping")
CACHING = "caching images"
INITIALIZING = "initializing the adapter"
PUSHING = "pushing"
ENDED: tuple[State, ...] = ("stopped", "finished", "failed")


@dataclass(frozen=True)
class RunStatus:
    """State, place and process of a run.

    Attributes:
        pid, pid_started: The worker; both must match for it to count as alive.
        stage: What it is at: checking, loading, initializing the adapter, caching images, probing,
            training, evaluating, saving, pushing.
        step, total_steps: Optimizer steps done and planned.
        stage_done, stage_total: What the stage itself counts: images while they are cached,
            passes while an adapter is initialized, bytes while a model is fetched (its size is not
            known).
        attempt: How often it was resumed or started again; `launches`, how often its worker never
            came up.
        first_step_attempt: The attempt that began at the first step, with nothing of those before.
        message, remedy: Why it ended, in words for the user; `lines`, what the log says of it.
        field: The setting at fault, when one is.
        cause: `memory` where a worker died for want of it; empty otherwise.
        oom_kills: Processes the system had ended for want of memory when the worker began; -1
            where it does not say.
        host: The machine of a worker that no studio started (SLURM); empty: that of the studio.
        trained: While its weights are pushed: how the run ends whatever becomes of that.
        pushed: Address of the repository that has the weights; empty before a push succeeded.
        push_error, push_remedy: Why the last push failed, and what to do; empty otherwise.
        updated: Seconds since the epoch of the last sign of life.
    """

    state: State = "queued"
    stage: str = ""
    step: int = 0
    total_steps: int = 0
    stage_done: int = 0
    stage_total: int = 0
    pid: int = 0
    pid_started: float = 0.0
    attempt: int = 0
    first_step_attempt: int = 0
    launches: int = 0
    queued: float = field_(default_factory=time.time)
    started: float = 0.0
    ended: float = 0.0
    updated: float = 0.0
    training_seconds: float = 0.0
    message: str = ""
    remedy: str = ""
    field: str = ""
    lines: list[str] = field_(default_factory=list)
    cause: str = ""
    oom_kills: int = -1
    host: str = ""
    trained: str = ""
    pushed: str = ""
    push_error: str = ""
    push_remedy: str = ""

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def again(self) -> str:
        """How it came to go on, in words; empty for a run that is at its first attempt."""
        resumed = self.attempt - self.first_step_attempt
        times = f"resumed {resumed} time{'s' * (resumed > 1)}" if resumed > 0 else ""
        return ", ".join(filter(None, ("started again" * (self.first_step_attempt > 0), times)))

    @property
    def elsewhere(self) -> bool:
        """Whether the worker is on another machine, where its process cannot be looked up."""
        return bool(self.host) and self.host != platform.node()

    @property
    def counted(self) -> tuple[int, int]:
        """How much of how much is done: images while they are cached, else optimizer steps."""
        if self.stage == CACHING:
            return self.stage_done, self.stage_total
        return self.step, self.total_steps

    @property
    def progress(self) -> float:
        """Share of that, 0 to 1."""
        done, total = self.counted
        return done / total if total else 0.0


_TYPES: dict[str, Any] = {"int": int, "float": (int, float), "list[str]": list}
KINDS = {item.name: _TYPES.get(str(item.type), str) for item in fields(RunStatus)}
STATES = get_args(State)
DAMAGED = RunStatus(state="running", queued=0.0)


def read_status(paths: RunPaths) -> RunStatus:
    """Return the status on disk; a run without one is queued, one whose status is damaged has no
    worker.
    """
    try:
        values = read_json(paths.status)
    except ValueError:
        return DAMAGED
    if values is None:
        return RunStatus()
    if not isinstance(values, dict) or values.get("state") not in STATES:
        return DAMAGED
    kept = {key: values[key] for key in KINDS if key in values}
    fits = all(isinstance(value, KINDS[key]) for key, value in kept.items())
    return RunStatus(**kept) if fits else DAMAGED


def write_status(paths: RunPaths, status: RunStatus, durable: bool = True) -> None:
    """Replace the status."""
    write_json(paths.status, asdict(status), durable)


def update_status(paths: RunPaths, **changes: Any) -> RunStatus:
    """Change some of the status and return the new one."""
    status = replace(read_status(paths), updated=time.time(), **changes)
    write_status(paths, status)
    return status


def end_run(paths: RunPaths, state: State, **why: Any) -> None:
    """Write that a run has ended, and why, into its diary and its status."""
    EventLog(paths.events).append(state, **why)
    update_status(paths, state=state, stage="", ended=time.time(), **why)


def beat(paths: RunPaths, **changes: Any) -> None:
    """A sign of life: `update_status` without waiting for the disk."""
    status = replace(read_status(paths), updated=time.time(), **changes)
    write_status(paths, status, durable=False)
