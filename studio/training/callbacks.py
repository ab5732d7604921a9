"""What a running trainer tells the run folder, and what it does when asked to stop."""

from __future__ import annotations

import math
import shutil
import time
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.core.errors import RunFailedError
from studio.core.paths import RunPaths
from studio.runs import checkpoints
from studio.runs.control import command_file
from studio.runs.diagnostics.health_watch import HealthWatch
from studio.runs.event_log import EventLog, read_events
from studio.runs.hub_push import hide_local_base
from studio.runs.status import beat, update_status
from studio.training.distributed import wait_for_all
from studio.training.throughput import Throughput

HEARTBEAT = 1.0
PROGRESS = 2.0
RATE = "optimizer.learning_rate"
NOT_FINITE_REMEDY = (
    "Clone it into Train and lower the learning rate, or train in bfloat16 or float32; its last "
    "complete checkpoint is kept."
)


class RunReporter(TrainerCallback):
    """Writes metrics, progress and checkpoints as events, and keeps the status fresh.

    Args:
        beta: DPO's β, to turn rewards back into log-probability ratios; None for SFT.
        batch: Rows per optimizer step over all processes.
    """

    def __init__(
        self, paths: RunPaths, keep: int, *, batch: int = 1, beta: float | None = None
    ) -> None:
        self.paths = paths
        self.events = EventLog(paths.events)
        self.keep = keep
        self.beta = beta
        self.pace = Throughput(batch)
        self.watch = HealthWatch("sft" if beta is None else "dpo", batch, beta=beta)
        self.last_heartbeat = 0.0
        self.last_progress = 0.0
        self.evaluated_at = -1
        self.trained_before = 0.0

    def on_train_begin(self, args, state: TrainerState, control, **_: Any) -> None:
        self.pace.begin(state.global_step)
        self.watch.total_steps = state.max_steps
        self.watch.replay(read_events(self.paths.events).events)
        self.events.append("stage", stage="training")
        status = update_status(
            self.paths, stage="training", step=state.global_step, total_steps=state.max_steps
        )
        self.trained_before = status.training_seconds

    def on_step_begin(self, args, state, control, **_: Any) -> None:
        self.pace.step_begins()

    def on_step_end(self, args, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.pace.step_ends()
        now = time.monotonic()
        saves = control.should_save
        if saves or now - self.last_heartbeat >= HEARTBEAT or state.global_step == state.max_steps:
            self.last_heartbeat = now
            stage = "saving" if saves else "training"
            done = {"step": state.global_step, "training_seconds": self._trained()}
            beat(self.paths, stage=stage, total_steps=state.max_steps, **done)
        if now - self.last_progress >= PROGRESS:
            self.last_progress = now
            self.events.append(
                "progress",
                step=state.global_step,
                total=state.max_steps,
                seconds_per_step=round(self.pace.seconds_per_step(state.global_step), 4),
            )

    def on_substep_end(self, args, state, control, **_: Any) -> None:
        """A step of many passes is no silence."""
        now = time.monotonic()
        if now - self.last_heartbeat >= HEARTBEAT:
            self.last_heartbeat = now
            beat(self.paths, stage="training")

    def on_prediction_step(self, args, state, control, **_: Any) -> None:
        now = time.monotonic()
        if now - self.last_heartbeat >= HEARTBEAT:
            self.last_heartbeat = now
            beat(self.paths, stage="evaluating")

    def on_evaluate(self, args, state, control: TrainerControl, **_: Any) -> None:
        if control.should_save:
            beat(self.paths, stage="saving")

    def on_log(self, args, state: TrainerState, control, logs=None, **_: Any) -> None:
        logs = dict(logs or {})
        if "train_runtime" in logs:
            return
        kind = "evaluation" if any(key.startswith("eval_") for key in logs) else "metrics"
        numbers = _numbers(logs)
        if kind == "evaluation":
            self.evaluated_at = state.global_step
        else:
            numbers |= self.pace.rates(numbers.get("num_tokens"))
            numbers |= drift(numbers, self.beta)
        self.events.append(kind, step=state.global_step, **numbers)
        self.look_for_signs({"step": state.global_step, **numbers})
        self._ensure_finite("loss", logs.get("loss"), state.global_step)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control, model=None, **_: Any
    ) -> None:
        step = state.global_step
        folder = self.paths.checkpoints / f"checkpoint-{step}"
        if model is not None and not weights_are_finite(model):
            shutil.rmtree(folder, ignore_errors=True)
            raise RunFailedError(
                f"The weights were no numbers any more at step {step}; they were not kept.",
                remedy=NOT_FINITE_REMEDY,
                field=RATE,
            )
        wait_for_all()  # each process writes a part of it
        if self.paths.rank == 0:
            hide_local_base(folder)
            checkpoints.mark_complete(folder)
            best = state.best_global_step if args.load_best_model_at_end else None
            checkpoints.prune(self.paths, self.keep, best)
        self.events.append("checkpoint", step=step)
        beat(self.paths, stage="training")

    def on_train_end(self, args, state: TrainerState, control, **_: Any) -> None:
        update_status(self.paths, step=state.global_step, training_seconds=self._trained())

    def _trained(self) -> float:
        """Seconds that all attempts trained."""
        return round(self.trained_before + time.monotonic() - self.pace.began, 2)

    def look_for_signs(self, values: dict[str, Any]) -> None:
        """Tell what these metrics show that was not told before."""
        for finding in self.watch.see(values):
            self.events.append("finding", **finding.to_event())

    def _ensure_finite(self, name: str, value: Any, step: int) -> None:
        if value is not None and not math.isfinite(float(value)):
            raise RunFailedError(
                f"The {name} became {value} at step {step}.",
                remedy=NOT_FINITE_REMEDY,
                field=RATE,
            )


class ControlFile(TrainerCallback):
    """Obeys the run's control file between steps; with several processes the first decides."""

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths
        self.stopped = False

    def on_step_end(
        self, args, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        command = _agreed(command_file.requested(self.paths), args.world_size)
        if command == "save":
            control.should_save = True
            # A wish to stop may have come since.
            if self.paths.rank == 0 and command_file.requested(self.paths) == "save":
                command_file.request(self.paths, "none")
        elif command in ("stop", "stop_now") and state.global_step < state.max_steps:
            self.stopped = True
            control.should_training_stop = True
            control.should_save = command == "stop"
            update_status(self.paths, state="stopping")
        return control


class EarlyStopping(TrainerCallback):
    """Stops after `patience` evaluations that were no better than the best before.

    Args:
        metric: What is compared; lower is better for `loss`, higher for the others.
    """

    def __init__(self, paths: RunPaths, patience: int, metric: str = "loss") -> None:
        self.events = EventLog(paths.events)
        self.patience = patience
        self.metric = f"eval_{metric}"
        self.sign = 1 if metric == "loss" else -1
        self.best = math.inf
        self.waited = 0

    def on_train_begin(self, args, state: TrainerState, control, **_: Any) -> None:
        """Count on from the evaluations before a resume."""
        for entry in state.log_history:
            if self.metric in entry and entry.get("step", 0) <= state.global_step:
                self._count(entry[self.metric])

    def on_evaluate(
        self, args, state: TrainerState, control: TrainerControl, metrics=None, **_: Any
    ) -> TrainerControl:
        self._count((metrics or {}).get(self.metric, self.sign * math.inf))
        if self.waited >= self.patience and state.global_step < state.max_steps:
            control.should_training_stop = True
            self.events.append(
                "changed",
                message=f"Stopped early at step {state.global_step}: no improvement over "
                f"{self.sign * self.best:.4f} in {self.patience} evaluations.",
            )
        return control

    def _count(self, value: float) -> None:
        if self.sign * value < self.best:
            self.best, self.waited = self.sign * value, 0
        else:
            self.waited += 1


def drift(metrics: dict[str, float], beta: float | None) -> dict[str, float]:
    """Return how far DPO has moved from its reference, in nats per answer.

    A DPO reward is β·(log π − log π_ref) (Rafailov et al. 2023, section 4), so the mean of
    log π_ref − log π over both answers is −(chosen + rejected) / 2β: the Monte Carlo estimate of
    KL(π_ref ‖ π) if the answers had been drawn from the reference.
    """
    chosen, rejected = metrics.get("rewards/chosen"), metrics.get("rewards/rejected")
    if not beta or chosen is None or rejected is None:
        return {}
    return {"drift": -(chosen + rejected) / (2 * beta)}


def weights_are_finite(model: torch.nn.Module) -> bool:
    """Return whether every weight that is trained is a number."""
    return all(
        bool(torch.isfinite(parameter).all())
        for parameter in model.parameters()
        if parameter.requires_grad
    )


def _agreed(command: command_file.Command, processes: int) -> command_file.Command:
    if processes == 1 or not torch.distributed.is_initialized():
        return command
    said = [command]
    torch.distributed.broadcast_object_list(said, src=0)
    return said[0]


def _numbers(logs: dict[str, Any]) -> dict[str, float]:
    found = {}
    for key, value in logs.items():
        try:
            found[key] = float(value)
        except (TypeError, ValueError):
            continue
    return found
