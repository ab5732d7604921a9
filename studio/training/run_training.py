"""One run from its first to its last step, with what happens when memory runs out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import set_seed

from studio.config import RunConfig
from studio.core.errors import BusyError, RunFailedError
from studio.core.paths import RunPaths, Workspace, write_json
from studio.models.oom import MEMORY_ERRORS, first_line, ran_out
from studio.runs import checkpoints
from studio.runs.control.command_file import requested
from studio.runs.event_log import EventLog
from studio.runs.hub_push import hide_local_base, push_weights
from studio.runs.status import PUSHING, update_status
from studio.training.callbacks import ControlFile, EarlyStopping, RunReporter
from studio.training.distributed import ensure_alike, is_alone, whole_weights
from studio.training.fast_path.fast_trainers import FastTrainer
from studio.training.fast_path.feature_filling import fill_cache, record_hits
from studio.training.model_download import fetching_told
from studio.training.model_setup import prepare_model, save_adapter
from studio.training.oom_recovery import (
    StepGuard,
    free_memory,
    keep_last_step,
    smaller_evaluation,
    with_less_memory,
    within_plan,
)
from studio.training.planning.allocator_heap import return_freed_memory
from studio.training.planning.preflight_plan import plan_run
from studio.training.probes.answer_scores import make_scorer
from studio.training.probes.probe_rounds import make_prober
from studio.training.resume import checkpoint_to_resume
from studio.training.run_rows import RunData
from studio.training.script_recipe import write_recipe
from studio.training.small_data_warnings import report_narrow
from studio.training.trainers import build_trainer

Outcome = Literal["finished", "stopped"]


def execute(config: RunConfig, paths: RunPaths, workspace: Workspace) -> Outcome:
    """Check, load, train, save.

    Raises:
        InputError: The run cannot start; nothing was trained.
        RunFailedError: It failed on the way.
    """
    return_freed_memory()
    _stage(paths, "checking")
    plan, data = plan_run(config, workspace)
    smaller = within_plan(config, paths, workspace, plan)
    if smaller is not config:
        config = smaller
        plan, data = plan_run(config, workspace)
    ensure_alike(data)
    write_json(paths.plan, plan.to_json())
    for sentence in plan.warnings:
        EventLog(paths.events).append("warning", message=sentence)
    report_narrow(config, paths, data.train)
    update_status(paths, total_steps=plan.steps)
    return _train_within_memory(config, paths, workspace, data)


def _train_within_memory(
    config: RunConfig, paths: RunPaths, workspace: Workspace, data: RunData
) -> Outcome:
    """Train, again with less at once when memory runs out.

    One of several processes cannot change that alone: it ends, with it the others, and whoever
    watches the run starts it again.
    """
    while True:
        try:
            return _train(config, paths, workspace, data)
        except MEMORY_ERRORS as error:
            if not ran_out(error) or not is_alone():
                raise
            failure = first_line(error)
        free_memory()
        config = with_less_memory(config, paths, failure)


def _train(config: RunConfig, paths: RunPaths, workspace: Workspace, data: RunData) -> Outcome:
    if _asked_to_stop(paths):
        return "stopped"
    resume = checkpoint_to_resume(config, paths, data)
    if paths.rank == 0:
        write_recipe(config, paths, workspace, data)
    _stage(paths, "loading")
    set_seed(config.schedule.seed)
    with fetching_told(paths, config.model.id):
        trainable = prepare_model(config, workspace)
    control = ControlFile(paths)
    beta = config.dpo.beta if config.method == "dpo" else None
    reporter = RunReporter(paths, config.schedule.keep, batch=config.batch.total, beta=beta)
    guard = StepGuard(inside=config.optimizer.updates_inside)
    processor = trainable.loaded.processor
    asking = (
        make_prober(config, paths, workspace, processor, reporter, data),
        make_scorer(config, paths, processor, data),
    )
    callbacks: list[TrainerCallback] = [control, reporter, guard, *filter(None, asking)]
    if config.schedule.early_stopping:
        metric = config.schedule.metric
        callbacks.append(EarlyStopping(paths, config.schedule.early_stopping, metric))
    trainer = build_trainer(config, paths, trainable, data, callbacks, workspace)
    if isinstance(trainer, FastTrainer):
        fill_cache(trainer, paths)
    smaller_evaluation(trainer, config, paths)
    if _asked_to_stop(paths):
        return "stopped"
    _train_on(trainer, guard, paths, resume)
    scored = reporter.evaluated_at == trainer.state.global_step
    if data.evaluation and not control.stopped and not scored:
        _stage(paths, "evaluating")
        trainer.evaluate()
    weights = whole_weights(trainer)
    outcome: Outcome = "stopped" if control.stopped else "finished"
    if paths.rank == 0:
        _save(trainer, config, paths, weights)
        if config.push_to_hub:
            _push(config, paths, config.push_to_hub, outcome)
    return outcome


def _train_on(trainer: Trainer, guard: StepGuard, paths: RunPaths, resume: Path | None) -> None:
    try:
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    except MEMORY_ERRORS as error:
        if ran_out(error):
            keep_last_step(trainer, guard, paths)
        raise
    if isinstance(trainer, FastTrainer):
        record_hits(trainer, paths)


def _asked_to_stop(paths: RunPaths) -> bool:
    """Whether the run is to end before its first step; several processes agree in that step."""
    return is_alone() and requested(paths) in ("stop", "stop_now")


def _save(
    trainer: Trainer, config: RunConfig, paths: RunPaths, weights: dict[str, Any] | None
) -> None:
    _stage(paths, "saving")
    model = trainer.accelerator.unwrap_model(trainer.model)
    if config.adapter is not None:
        save_adapter(model, paths, weights)
        kind = "adapter"
    else:
        model.save_pretrained(paths.adapter, state_dict=weights)
        kind = "model"
    trainer.processing_class.save_pretrained(paths.adapter)
    hide_local_base(paths.adapter)
    write_json(
        paths.adapter / checkpoints.MARKER,
        {"kind": kind, "step": trainer.state.global_step, "base": config.model.id},
    )


def _push(config: RunConfig, paths: RunPaths, repository: str, outcome: Outcome) -> None:
    """Push the weights; a run that trained is finished although that fails."""
    update_status(paths, trained=outcome)
    _stage(paths, PUSHING)
    try:
        push_weights(config, paths, repository)
    except (RunFailedError, BusyError) as error:
        EventLog(paths.events).append("warning", message=error.message, remedy=error.remedy)


def _stage(paths: RunPaths, stage: str) -> None:
    EventLog(paths.events).append("stage", stage=stage)
    update_status(paths, stage=stage)
