"""When memory runs out: less at once, the same effective batch, from the last complete step.

The weights of the last complete step are still in memory when a forward or backward pass fails,
so they are saved as a checkpoint and training goes on from it: no row is repeated or left out.
"""

from __future__ import annotations

import gc
from typing import Any

import torch
from transformers import Trainer, TrainerCallback

from studio.config import RunConfig
from studio.core.errors import RunFailedError
from studio.core.paths import RunPaths, Workspace
from studio.models.compat.transformers_internals import forget_evaluation_loaders, save_checkpoint
from studio.models.oom import MEMORY_ERRORS, first_line, ran_out
from studio.models.prequantized import can_be_quantized
from studio.runs import checkpoints
from studio.runs.control.oom_backoff import less_at_once, with_batch
from studio.runs.event_log import EventLog
from studio.runs.run_plan import GIB, Plan
from studio.training.distributed import is_alone
from studio.training.planning.batch_finder import find_batch_size


class StepGuard(TrainerCallback):
    """Knows whether weights are just being changed, when they belong to no complete step.

    Args:
        inside: Whether the optimizer changes them during the backward pass.
    """

    def __init__(self, inside: bool = False) -> None:
        self.inside = inside
        self.changing = False

    def on_step_begin(self, args, state, control, **_: Any) -> None:
        self.changing = self.inside

    def on_pre_optimizer_step(self, args, state, control, **_: Any) -> None:
        self.changing = True

    def on_step_end(self, args, state, control, **_: Any) -> None:
        self.changing = False


def keep_last_step(trainer: Trainer, guard: StepGuard, paths: RunPaths) -> None:
    """Save the last complete step, unless it is saved already or its weights are half changed.

    One of several processes cannot: the others wait for it in the middle of a step.
    """
    step = trainer.state.global_step
    latest = checkpoints.latest_checkpoint(paths)
    saved = latest is not None and checkpoints.step_of(latest) >= step
    if saved or guard.changing or step == 0 or not is_alone():
        return
    trainer.model.zero_grad(set_to_none=True)
    save_checkpoint(trainer)
    if paths.rank == 0:
        checkpoints.mark_complete(paths.checkpoints / f"checkpoint-{step}")
        EventLog(paths.events).append("checkpoint", step=step)


def smaller_evaluation(trainer: Trainer, config: RunConfig, paths: RunPaths) -> None:
    """Let `trainer.evaluate` halve its own batch when memory runs out there."""
    evaluate = trainer.evaluate

    def within_memory(*args: Any, **kwargs: Any) -> dict[str, float]:
        while True:
            try:
                return evaluate(*args, **kwargs)
            except MEMORY_ERRORS as error:
                if not ran_out(error):
                    raise
                failure, size = first_line(error), trainer.args.per_device_eval_batch_size
                if config.batch.on_oom == "fail" or size == 1 or not is_alone():
                    raise
            trainer.args.per_device_eval_batch_size = size // 2
            forget_evaluation_loaders(trainer)
            free_memory()
            EventLog(paths.events).append(
                "changed",
                message=f"Memory ran out while evaluating ({failure}): {size // 2} rows at once "
                f"instead of {size}.",
            )

    trainer.evaluate = within_memory


def within_plan(config: RunConfig, paths: RunPaths, workspace: Workspace, plan: Plan) -> RunConfig:
    """Return `config` with the most rows at once that the plan has room for, and write it to the
    run file.

    Unchanged when its plan fits or nothing may be changed; where the largest batch is wanted, it
    is taken.
    """
    if config.batch.largest:
        found = find_batch_size(config, workspace)
        message = f"The run starts with the largest batch. {found.sentence}"
        changes = {"per_device": found.per_device, "largest": False}
        return with_batch(config, paths, changes, message)
    if plan.fits or config.batch.on_oom == "fail":
        return config
    found = find_batch_size(config, workspace)
    size, before = found.per_device, config.batch.per_device
    if size >= before:
        return config
    message = (
        f"{before} rows at once would need {plan.counted.total / GIB:.1f} of "
        f"{plan.device_memory / GIB:.1f} GiB, so the run starts with {size}, effective batch "
        f"still {config.batch.total}."
    )
    return with_batch(config, paths, {"per_device": size}, message)


def with_less_memory(config: RunConfig, paths: RunPaths, failure: str) -> RunConfig:
    """Return `config` with fewer rows at once, then with checkpointing, and write it to the run
    file.

    Raises:
        RunFailedError: Nothing is left to change, or nothing may be changed.
    """
    less = less_at_once(config, paths)
    if less is None:
        raise _explained(config, failure)
    return with_batch(config, paths, less.changes, less.message)


def free_memory() -> None:
    """Give back what is no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _explained(config: RunConfig, failure: str) -> RunFailedError:
    size = config.batch.per_device
    rows = "one row" if size == 1 else f"{size} rows"
    tried = " and gradient checkpointing" if config.batch.gradient_checkpointing else ""
    remedies = ["lower model.image.longest_edge"]
    if config.adapter and can_be_quantized(config.model):
        remedies.append("use model.quantization: nf4")
    if config.adapter is None:
        remedies.append("train an adapter instead of every weight")
    if config.batch.on_oom == "fail":
        remedies.insert(0, "set batch.on_oom: shrink")
    return RunFailedError(
        f"Memory ran out with {rows} at once{tried}: {failure}",
        remedy=f"To need less, {', or '.join(remedies)}.",
        field="batch.per_device",
    )
