"""TRL's trainers, built from a run file."""

from __future__ import annotations

from transformers import Trainer, TrainerCallback
from trl import DPOTrainer, SFTTrainer

from studio.config import RunConfig
from studio.paths import RunPaths
from studio.train.arguments import dpo_arguments, sft_arguments
from studio.train.data import RunData
from studio.train.prepare import Trainable, keep_adapter_precision


def build_trainer(
    config: RunConfig,
    paths: RunPaths,
    trainable: Trainable,
    data: RunData,
    callbacks: list[TrainerCallback],
) -> Trainer:
    """The trainer for `config.method`, ready for `.train()`."""
    loaded = trainable.loaded
    common = {
        "model": trainable.model,
        "train_dataset": data.train.dataset,
        "eval_dataset": data.evaluation.dataset if data.evaluation else None,
        "processing_class": loaded.processor,
        "peft_config": trainable.peft_config,
        "callbacks": callbacks,
    }
    if config.method == "sft":
        trainer = SFTTrainer(args=sft_arguments(config, paths, loaded), **common)
    else:
        trainer = DPOTrainer(
            args=dpo_arguments(config, paths, loaded), ref_model=trainable.reference, **common
        )
    keep_adapter_precision(trainer.model, loaded.dtype)
    return trainer
