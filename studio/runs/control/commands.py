"""Wishes about a run, from whichever process they come: stop, save, resume, extend."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import psutil

from studio.config import run_file
from studio.config.adapter import MOVES_WEIGHTS
from studio.config.setting_conflicts import ensure_consistent
from studio.core.errors import BusyError, ConfigError, ConflictError, FieldProblem, InputError
from studio.core.paths import RunPaths
from studio.core.process_identity import process_alive
from studio.runs import checkpoints, queue
from studio.runs.control import command_file
from studio.runs.control import extend as longer_
from studio.runs.control.oom_backoff import less_at_once, with_batch
from studio.runs.diagnostics.crash_report import MEMORY, Death, explain_death
from studio.runs.event_log import EventLog
from studio.runs.hub_push import push_cut_short, push_under_way, push_weights
from studio.runs.status import ENDED, PUSHING, State, read_status, update_status
from studio.runs.store import Run, RunStore

STOP_GRACE = 10.0


def stop(store: RunStore, run_id: str, now: bool = False) -> None:
    """Ask a run to stop, saving first unless `now`; a waiting one is taken off the queue."""
    with queue.locked(store.workspace):
        run = store.get(run_id)
        if run.status.state == "queued":
            EventLog(run.paths.events).append("stopped", message="Taken off the queue.")
            update_status(run.paths, state="stopped", ended=time.time())
        elif run.status.active and command_file.requested(run.paths) != "stop_now":
            command_file.request(run.paths, "stop_now" if now else "stop")


def save_now(store: RunStore, run_id: str) -> None:
    """Ask a run for a checkpoint after its current step."""
    run = store.get(run_id)
    if run.status.active and command_file.requested(run.paths) == "none":
        command_file.request(run.paths, "save")


def resume(store: RunStore, run_id: str, step: int | None = None, state: State = "queued") -> None:
    """Put a stopped or failed run back into the queue, or right into `starting`.

    Args:
        step: Go on from the complete checkpoint of this step; those after it are deleted, and a
            finished run may go back too. None: from the last one.

    Raises:
        ConflictError: It is waiting, going on, or finished.
        NotFoundError: There is no complete checkpoint of that step.
    """
    with queue.locked(store.workspace):
        run = store.get(run_id)
        _ensure_ended(run)
        if run.status.state == "finished" and step is None:
            raise ConflictError(
                f"Run {run_id} is finished.",
                remedy="It can be extended, or go back to one of its checkpoints.",
            )
        if step is not None:
            checkpoints.go_back_to(run.paths, step)
        _requeue(run, state)


def use_checkpoint(store: RunStore, run_id: str, step: int) -> None:
    """Let the run's weights be those of a complete checkpoint: to chat with, continue, release.

    Raises:
        ConflictError: It has not ended, or a checkpoint of it does not fit the base model.
        NotFoundError: There is no complete checkpoint of that step.
    """
    with queue.locked(store.workspace):
        run = store.get(run_id)
        _ensure_ended(run, remedy="Stop it first.")
        adapter = run.config.adapter
        if adapter and adapter.continue_from is None and adapter.init in MOVES_WEIGHTS:
            raise ConflictError(
                f"With {adapter.init} part of the base model moved into the adapter, and a "
                "checkpoint does not fit the model as it came.",
                remedy="Resume from it and stop: then the weights are written so that they fit.",
            )
        checkpoints.take_weights(run.paths, step, run.config.model.id)
        message = f"The run's weights are those of step {step}."
        EventLog(run.paths.events).append("changed", message=message)


def push(store: RunStore, run_id: str, repository: str | None = None) -> str:
    """Push an ended run's weights to the hub, again or for the first time; the address.

    Args:
        repository: `user/name`; None: the one in the run's settings.

    Raises:
        ConflictError: It has not ended, or left no weights.
        InputError: No repository is named.
        BusyError: It is being pushed already.
        RunFailedError: It could not be pushed.
    """
    run, repository = pushable(store, run_id, repository)
    return push_weights(run.config, run.paths, repository)


def pushable(store: RunStore, run_id: str, repository: str | None = None) -> tuple[Run, str]:
    """Return the run and where `push` would send it. Raises what `push` refuses before it begins."""
    run = store.get(run_id)
    _ensure_ended(run)
    if not run.has_adapter:
        raise ConflictError(
            f"Run {run_id} has left no complete weights to push.", remedy="Resume it first."
        )
    repository = repository or run.config.push_to_hub
    if not repository:
        raise InputError(
            "Where to?",
            remedy="Give --to USER/NAME, or set push_to_hub in the run's settings.",
            field="push_to_hub",
        )
    if push_under_way(run.paths):
        raise BusyError(f"{run_id} is being pushed already.", remedy="Wait for its end.")
    return run, repository


def extend(
    store: RunStore,
    run_id: str,
    epochs: float | None = None,
    max_steps: int | None = None,
    state: State = "queued",
) -> str:
    """Let a run that ended go on for longer, from its last complete checkpoint.

    Args:
        epochs, max_steps: The new length of the whole run; the one given replaces both.

    Returns:
        What was done, and what becomes of the learning rate; the run's diary says the same.

    Raises:
        ConflictError: It has not ended, or has left no checkpoint to go on from.
        ConfigError: That is not longer than it was.
    """
    with queue.locked(store.workspace):
        run = store.get(run_id)
        _ensure_extendable(run)
        _ensure_longer(epochs, max_steps, run)
        values = run.config.model_dump(mode="json")
        length = {"epochs": epochs or run.config.schedule.epochs, "max_steps": max_steps}
        config = run_file.parse(values | {"schedule": values["schedule"] | length})
        ensure_consistent(config)
        run_file.save(config, run.paths.config)
        total = max_steps or longer_.steps_with(run, epochs or 0)
        reached = f"{max_steps} steps" if max_steps else f"{epochs:g} epochs"
        message = f"Extended to {reached}. {longer_.note(run, total)}".strip()
        EventLog(run.paths.events).append("changed", message=message)
        _requeue(run, state)
        if total:
            update_status(run.paths, total_steps=total)
    return message


def _ensure_ended(run: Run, remedy: str = "") -> None:
    if run.status.state in ENDED and not run.alive:
        return
    what = "is queued" if run.status.state == "queued" else "is going on"
    raise ConflictError(f"Run {run.run_id} {what} already.", remedy=remedy)


def _ensure_extendable(run: Run) -> None:
    _ensure_ended(run, remedy="Stop and save it first.")
    if checkpoints.latest_checkpoint(run.paths) is None:
        raise ConflictError(
            f"Run {run.run_id} left no checkpoint to go on from.",
            remedy="Clone it into Train with more epochs.",
        )


def _ensure_longer(epochs: float | None, max_steps: int | None, run: Run) -> None:
    schedule, step = run.config.schedule, run.status.step
    if max_steps is not None:
        if max_steps <= step:
            message = f"must be more than {step}, where the run is now."
            raise ConfigError([FieldProblem("schedule.max_steps", message)])
        return
    wanted, total = epochs or 0, longer_.steps_with(run, epochs or 0)
    message = ""
    if not schedule.max_steps and wanted <= schedule.epochs:
        message = f"must be more than the {schedule.epochs:g} the run has now."
    elif total is not None and total <= step:
        message = f"{wanted:g} are {total:,} steps, and the run is at step {step:,} already."
    if message:
        raise ConfigError([FieldProblem("schedule.epochs", message)])


def _requeue(run: Run, state: State, queued: float | None = None) -> None:
    began = run.status.started > 0  # not one that was taken off the queue before its turn
    attempt = run.status.attempt + (began or run.status.state == "failed")
    last = checkpoints.latest_checkpoint(run.paths)
    # What was trained after the last checkpoint is not in the run; without one, nothing is.
    kept = {} if last else {"training_seconds": 0.0, "first_step_attempt": attempt}
    EventLog(run.paths.events).append("stage", stage="queued")
    update_status(
        run.paths,
        state=state,
        stage="",
        step=checkpoints.step_of(last) if last else 0,
        stage_done=0,
        stage_total=0,
        queued=queued or time.time(),
        pid=0,
        pid_started=0.0,
        ended=0.0,
        message="",
        remedy="",
        field="",
        cause="",
        lines=[],
        attempt=attempt,
        launches=0,
        **kept,
    )


def enforce_stop(run: Run) -> None:
    """End a worker that was asked to stop now and has not done so within ten seconds."""
    if command_file.requested(run.paths) != "stop_now":
        return
    if time.time() - run.paths.control.stat().st_mtime < STOP_GRACE:
        return
    kill_worker(run)
    if run.status.stage == PUSHING:
        push_cut_short(run.paths)
        return
    EventLog(run.paths.events).append("stopped", message="Stopped at once.")
    update_status(run.paths, state="stopped", stage="", ended=time.time())


def kill_worker(run: Run) -> None:
    """End the run's own process group, and nothing else: pid and start time must both match."""
    pid, started = run.status.pid, run.status.pid_started
    if not process_alive(pid, started):
        return
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        if os.name != "nt" and os.getpgid(pid) != os.getpgrp():
            os.killpg(os.getpgid(pid), signal.SIGKILL)
            return
        worker = psutil.Process(pid)
        for process in (*worker.children(recursive=True), worker):
            process.kill()


def mark_dead(paths: RunPaths) -> None:
    """Record that a worker is gone without having said goodbye, and free what it left half done.

    One that had trained and was pushing its weights has done its work.
    """
    status = read_status(paths)
    if not status.active:
        return
    if status.stage == PUSHING:
        push_cut_short(paths)
        return
    reason = _said_elsewhere(paths) or explain_death(paths)
    checkpoints.drop_torn(paths)  # only now: what it frees would hide that the disk was full
    why = {"message": reason.message, "remedy": reason.remedy, "lines": reason.lines}
    EventLog(paths.events).append("failed", **why)
    more = {"field": reason.field, "cause": reason.kind}
    update_status(paths, state="failed", stage="", ended=time.time(), **why, **more)


def mark_unstartable(paths: RunPaths, error: InputError | OSError) -> None:
    """Record that no worker of a run could be started: its run file or the machine is at fault."""
    message, remedy = f"No worker could be started: {error}.", "Resume the run when that is mended."
    if isinstance(error, InputError):
        message = f"Its run file cannot be used: {error}"
        remedy = f"Mend {paths.config}, then resume the run."
    why = {"message": message, "remedy": remedy}
    EventLog(paths.events).append("failed", **why)
    update_status(paths, state="failed", stage="", ended=time.time(), **why)


def _said_elsewhere(paths: RunPaths) -> Death | None:
    """Why another process of the run ended it, in the words of that one."""
    for other in paths.others():
        status = read_status(other)
        if status.state == "failed" and status.message:
            message = f"Process {other.rank + 1}: {status.message}"
            return Death(message, status.remedy, status.lines, field=status.field)
    return None


def go_on_with_less(store: RunStore, run_id: str, state: State = "queued") -> bool:
    """Put a run whose worker died for want of memory back, with less at once; whether it was.

    A worker shrinks by itself where it can. It cannot when the system ends it, or when it is one
    of several. Each time less is taken, so this ends; it goes on from the last complete checkpoint.
    """
    with queue.locked(store.workspace):
        run = store.get(run_id)
        stopping = command_file.requested(run.paths) in ("stop", "stop_now")
        if run.status.state != "failed" or run.status.cause != MEMORY or stopping:
            return False
        less = less_at_once(run.config, run.paths)
        if less is None:
            return False
        with_batch(run.config, run.paths, less.changes, less.message)
        _requeue(run, state, queued=run.status.queued)
    return True
