"""TRL's trainers, built from a run file."""

from __future__ import annotations

from transformers import Trainer, TrainerCallback
from trl import DPOTrainer, SFTTrainer

from studio.config import RunConfig
from studio.config.run import speed_obstacle, with_possible_speed
from studio.config.speed import SAVINGS
from studio.core.errors import ModelError
from studio.core.paths import RunPaths, Workspace
from studio.models.load import Loaded
from studio.runs import checkpoints
from studio.runs.event_log import EventLog
from studio.runs.status import INITIALIZING, beat
from studio.training.adapter_init import MOST_PASSES, start_from_rows
from studio.training.dpo_reference_check import check_reference
from studio.training.fast_path.fast_trainers import FastDPOTrainer, FastSFTTrainer
from studio.training.fast_path.trainer_setup import Setup
from studio.training.model_setup import PreparedModel, keep_start, set_reference, set_weights
from studio.training.multi_turn_loss import TurnCollator
from studio.training.parameter_groups import set_rates
from studio.training.planning.allocator_heap import trim_before_passes
from studio.training.run_rows import RunData
from studio.training.script_lines import begins_with_rows
from studio.training.trainer_arguments import dpo_arguments, sft_arguments


def build_trainer(
    config: RunConfig,
    paths: RunPaths,
    trainable: PreparedModel,
    data: RunData,
    callbacks: list[TrainerCallback],
    workspace: Workspace,
) -> Trainer:
    """Return the trainer for `config.method`, ready for `.train()`: TRL's own when all `speed` is
    off.
    """
    why_stock = speed_obstacle(config)
    config = with_possible_speed(config)
    loaded = trainable.loaded
    stock = config.speed.all_off
    common = {
        "model": trainable.model,
        "train_dataset": data.train.dataset,
        "eval_dataset": data.evaluation.dataset if data.evaluation else None,
        "processing_class": loaded.processor,
        "peft_config": trainable.peft_config,
        "callbacks": callbacks,
    }
    if config.method == "sft":
        kind = SFTTrainer if stock else FastSFTTrainer
        trainer = kind(args=sft_arguments(config, paths, loaded), **common)
        if data.scores_earlier:
            trainer.data_collator.__class__ = TurnCollator
    else:
        kind = DPOTrainer if stock else FastDPOTrainer
        trainer = kind(
            args=dpo_arguments(config, paths, loaded), ref_model=trainable.reference, **common
        )
    set_weights(trainer, config, trainable)
    _begin(trainer, config, paths, loaded)
    set_reference(trainer, config, workspace)
    keep_start(trainer.model, config, paths)
    set_rates(trainer, config)
    if trainer.args.device.type == "cpu":
        trim_before_passes(trainer.model)
    if stock:
        EventLog(paths.events).append(
            "fast_path", message=f"Fast path ✗ {why_stock}.", **dict.fromkeys(SAVINGS, False)
        )
    else:
        Setup(trainer, config, loaded, paths, workspace).run()
    if config.method == "dpo":
        check_reference(trainer, config, paths)
    return trainer


def _begin(trainer: Trainer, config: RunConfig, paths: RunPaths, loaded: Loaded) -> None:
    """Give a new adapter the start that needs rows, unless a checkpoint replaces it.

    Raises:
        ModelError: The rows give no such start.
    """
    if not begins_with_rows(config) or checkpoints.latest_checkpoint(paths):
        return
    given = (loaded.processor, trainer.train_dataset, config.method, config.schedule.seed)
    EventLog(paths.events).append("stage", stage=INITIALIZING)

    def passed(passes: int) -> None:
        if paths.rank == 0:
            beat(paths, stage=INITIALIZING, stage_done=passes, stage_total=MOST_PASSES)

    try:
        start_from_rows(trainer.model, *given, passed)
    except (ValueError, IndexError) as error:
        raise ModelError(
            f"EVA finds no start for this adapter in these rows: {error}.",
            remedy="Use init: default, a lower rank, or targets that every row reaches.",
            field="adapter.init",
        ) from error
