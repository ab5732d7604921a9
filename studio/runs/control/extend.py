"""What training a run for longer does to its learning rate, told before and after it is decided.

A schedule is laid over the whole run. Over a longer one it is another schedule: the run goes on at
a higher rate than it stopped at, and has not had the rates a run of that length would have had.
"""

from __future__ import annotations

import math

from studio.config import RunConfig
from studio.core.paths import read_state
from studio.runs import checkpoints
from studio.runs.store import Run

LENGTHLESS = ("constant", "constant_with_warmup", "inverse_sqrt", "reduce_lr_on_plateau")


def steps_with(run: Run, epochs: float) -> int | None:
    """Return the optimizer steps of the run at `epochs` in all; None before its rows were counted."""
    rows = read_state(run.paths.plan).get("train_rows")
    if not isinstance(rows, int) or rows < 1:
        return None
    per_epoch = math.ceil(rows / run.config.batch.total)
    return math.ceil(per_epoch * epochs)


def note(run: Run, total: int | None) -> str:
    """Return a sentence or two on the learning rate when the run becomes `total` steps long.

    Empty where the schedule does not depend on the length.
    """
    optimizer = run.config.optimizer
    if optimizer.schedule in LENGTHLESS:
        return ""
    start = f"The {optimizer.schedule.replace('_', ' ')} schedule is laid over the new length"
    last = checkpoints.latest_checkpoint(run.paths)
    step, before = checkpoints.step_of(last) if last else 0, run.status.total_steps
    was, will = rate(run.config, step, before), rate(run.config, step, total or 0)
    jump = ": the learning rate goes up again and then comes down."
    if was is not None and will is not None:
        jump = f": at step {step:,} the learning rate goes from {was:.2g} to {will:.2g}."
    return f"{start}{jump} A run of that length from the start would have learned otherwise."


def rate(config: RunConfig, step: int, total: int) -> float | None:
    """Return the learning rate after `step` of `total` steps, as transformers computes it.

    Known for the linear and the cosine schedule; None for others.
    """
    optimizer = config.optimizer
    if optimizer.schedule not in ("linear", "cosine") or total < 1:
        return None
    warmup = optimizer.warmup
    warmup = math.ceil(total * warmup) if warmup < 1 else int(warmup)
    if step < warmup:
        return optimizer.learning_rate * step / max(1, warmup)
    left = max(0.0, (total - step) / max(1, total - warmup))
    if optimizer.schedule == "cosine":
        left = max(0.0, 0.5 * (1 + math.cos(math.pi * (1 - left))))
    return optimizer.learning_rate * left
