"""What a running trainer tells the run folder, and what it does when asked to stop."""

from __future__ import annotations

import math
import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.errors import RunFailedError
from studio.paths import RunPaths
from studio.runs import checkpoints, control
from studio.runs.events import EventLog
from studio.runs.status import update_status

HEARTBEAT = 1.0
PROGRESS = 2.0


class RunReporter(TrainerCallback):
    """Writes metrics, progress and checkpoints as events, and keeps the status fresh."""

    def __init__(self, paths: RunPaths, keep: int) -> None:
        self.paths = paths
        self.events = EventLog(paths.events)
        self.keep = keep
        self.began = 0.0
        self.first_step = 0
        self.last_heartbeat = 0.0
        self.last_progress = 0.0
        self.evaluated_at = -1

    def on_train_begin(self, args, state: TrainerState, control, **_: Any) -> None:
        self.began, self.first_step = time.monotonic(), state.global_step
        self.events.append("stage", stage="training")
        update_status(
            self.paths, stage="training", step=state.global_step, total_steps=state.max_steps
        )

    def on_step_end(self, args, state: TrainerState, control, **_: Any) -> None:
        now = time.monotonic()
        if now - self.last_heartbeat >= HEARTBEAT or state.global_step == state.max_steps:
            self.last_heartbeat = now
            update_status(
                self.paths, stage="training", step=state.global_step, total_steps=state.max_steps
            )
        if now - self.last_progress >= PROGRESS:
            self.last_progress = now
            pace = (now - self.began) / max(1, state.global_step - self.first_step)
            self.events.append(
                "progress",
                step=state.global_step,
                total=state.max_steps,
                seconds_per_step=round(pace, 4),
            )

    def on_prediction_step(self, args, state, control, **_: Any) -> None:
        now = time.monotonic()
        if now - self.last_heartbeat >= HEARTBEAT:
            self.last_heartbeat = now
            update_status(self.paths, stage="evaluating")

    def on_log(self, args, state: TrainerState, control, logs=None, **_: Any) -> None:
        logs = dict(logs or {})
        if "train_runtime" in logs:
            return
        kind = "evaluation" if any(key.startswith("eval_") for key in logs) else "metrics"
        if kind == "evaluation":
            self.evaluated_at = state.global_step
        self.events.append(kind, step=state.global_step, **_numbers(logs))
        loss = logs.get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            raise RunFailedError(
                f"The loss became {loss} at step {state.global_step}.",
                remedy="Lower the learning rate or use bfloat16 or float32; the last complete "
                "checkpoint is kept.",
            )

    def on_save(self, args: TrainingArguments, state: TrainerState, control, **_: Any) -> None:
        folder = self.paths.checkpoints / f"checkpoint-{state.global_step}"
        checkpoints.mark_complete(folder)
        checkpoints.prune(self.paths, self.keep)
        self.events.append("checkpoint", step=state.global_step)

    def on_train_end(self, args, state: TrainerState, control, **_: Any) -> None:
        update_status(
            self.paths,
            step=state.global_step,
            training_seconds=round(time.monotonic() - self.began, 2),
        )


class ControlFile(TrainerCallback):
    """Obeys the run's control file between steps."""

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths
        self.stopped = False

    def on_step_end(
        self, args, state: TrainerState, control_: TrainerControl, **_: Any
    ) -> TrainerControl:
        command = control.requested(self.paths)
        if command == "save":
            control_.should_save = True
            control.request(self.paths, "none")
        elif command in ("stop", "stop_now") and state.global_step < state.max_steps:
            self.stopped = True
            control_.should_training_stop = True
            control_.should_save = command == "stop"
            update_status(self.paths, state="stopping")
        return control_


class EarlyStopping(TrainerCallback):
    """Stops after `patience` evaluations without a lower loss."""

    def __init__(self, paths: RunPaths, patience: int) -> None:
        self.events = EventLog(paths.events)
        self.patience = patience
        self.best = math.inf
        self.waited = 0

    def on_evaluate(
        self, args, state: TrainerState, control_: TrainerControl, metrics=None, **_: Any
    ) -> TrainerControl:
        loss = (metrics or {}).get("eval_loss", math.inf)
        if loss < self.best:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        if self.waited >= self.patience:
            control_.should_training_stop = True
            self.events.append(
                "changed",
                message=f"Stopped early at step {state.global_step}: no improvement over "
                f"{self.best:.4f} in {self.patience} evaluations.",
            )
        return control_


def _numbers(logs: dict[str, Any]) -> dict[str, float]:
    found = {}
    for key, value in logs.items():
        try:
            found[key] = float(value)
        except (TypeError, ValueError):
            continue
    return found
