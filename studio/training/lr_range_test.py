"""The learning-rate range test: a short training whose rate grows until the loss explodes.

It trains the real model on the real rows with the run's optimizer, batch and adapter, keeps
nothing, and reports every step. `studio.runs.lr_range_result` says what is read off the losses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState
from transformers.trainer_utils import set_seed

from studio.config import RunConfig, run_file
from studio.core.errors import RunFailedError
from studio.core.paths import RunPaths, Workspace
from studio.models.oom import MEMORY_ERRORS, ran_out
from studio.runs.event_log import EventLog
from studio.runs.lr_range_result import Point, RangeLosses, RangeResult, RateSpan, ensure_span
from studio.training.model_setup import prepare_model
from studio.training.planning.preflight_plan import preflight
from studio.training.trainers import build_trainer


def range_test(
    config: RunConfig,
    workspace: Workspace,
    span: RateSpan,
    report: Callable[[Point], None] = lambda point: None,
    events: Path | None = None,
) -> RangeResult:
    """Train up to `span.steps` steps with growing rates and forget them.

    Args:
        report: Told of every step as it is taken.
        events: A file that gets an `lr_range` event for every step.

    Raises:
        InputError: The run cannot start, or the span is none.
        RunFailedError: Memory ran out.
    """
    ensure_span(span)
    short, losses = short_run(config, span), RangeLosses(span)
    found = preflight(short, workspace)
    with tempfile.TemporaryDirectory() as folder:
        set_seed(config.schedule.seed)
        watch = Raising(short, losses, report, EventLog(events) if events else None)
        trainable = prepare_model(short, workspace)
        data = type(found.data)(found.data.train, None)
        trainer = build_trainer(short, RunPaths(Path(folder)), trainable, data, [watch], workspace)
        try:
            trainer.train()
        except MEMORY_ERRORS as error:
            if not ran_out(error):
                raise
            raise RunFailedError(
                "Memory ran out in the learning-rate range test.",
                remedy="Lower the rows at once.",
                field="batch.per_device",
            ) from error
    return losses.result()


def short_run(config: RunConfig, span: RateSpan) -> RunConfig:
    """Return `config` for the test: the rate is set step by step, nothing is saved, asked or sent."""
    values = config.model_dump(mode="json")
    values["optimizer"] |= {"schedule": "constant", "warmup": 0}
    values["schedule"] |= {
        "epochs": 1000,
        "max_steps": span.steps,
        "log_every": 1,
        "save_every": 10**9,
        "early_stopping": None,
        "keep_best": False,
    }
    values["launch"] |= {"processes": 1, "engine": "local"}
    values["data"]["evaluation"] = None
    values["report_to"], values["push_to_hub"] = [], None
    return run_file.parse(values)


class Raising(TrainerCallback):
    """Sets the rate before every step, takes the loss after it, and stops when it explodes."""

    def __init__(
        self,
        config: RunConfig,
        losses: RangeLosses,
        report: Callable[[Point], None],
        events: EventLog | None,
    ) -> None:
        self.usual = config.optimizer.learning_rate
        self.losses = losses
        self.report = report
        self.events = events
        self.shares: list[float] = []

    def on_step_begin(
        self, args, state: TrainerState, control, optimizer: Any = None, **_: Any
    ) -> None:
        groups = optimizer.param_groups
        self.shares = self.shares or [group["lr"] / self.usual for group in groups]
        rate = self.losses.span.rate(state.global_step)
        for group, share in zip(groups, self.shares, strict=True):
            group["lr"] = rate * share

    def on_log(
        self, args, state: TrainerState, control: TrainerControl, logs=None, **_: Any
    ) -> TrainerControl:
        if "loss" not in (logs or {}):
            return control
        point = self.losses.add(float(logs["loss"]))
        if self.losses.diverged:
            control.should_training_stop = True
        if self.events:
            self.events.append(
                "lr_range", step=point.step, rate=point.rate, loss=point.loss, smooth=point.smooth
            )
        self.report(point)
        return control
