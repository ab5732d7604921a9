"""From the run file to the arguments of TRL's trainers."""

from __future__ import annotations

from typing import Any

import torch
from trl import DPOConfig, SFTConfig

from studio.config import RunConfig
from studio.config.dpo import DpoConfig
from studio.config.setting_conflicts import LOW_RANK
from studio.core.paths import RunPaths
from studio.models.load import Loaded
from studio.models.lora_targets import linear_pattern
from studio.training.row_length import cut_length

GPU_WORKERS = 2
PREFETCH = 2


def sft_arguments(config: RunConfig, paths: RunPaths, loaded: Loaded) -> SFTConfig:
    """Return the arguments for `SFTTrainer`; the loss is on the completion only, nothing is truncated."""
    return SFTConfig(**argument_values(config, paths, loaded))


def dpo_arguments(config: RunConfig, paths: RunPaths, loaded: Loaded) -> DPOConfig:
    """Return the arguments for `DPOTrainer`."""
    return DPOConfig(**argument_values(config, paths, loaded))


def argument_values(config: RunConfig, paths: RunPaths, loaded: Loaded) -> dict[str, Any]:
    """Return what is passed to `SFTConfig` or `DPOConfig`, as plain values."""
    common = _common(config, paths, loaded) | _best(config)
    common["max_length"] = cut_length(config, loaded.model.config)
    kwargs = schedule_values(config)
    if kwargs:
        common["lr_scheduler_kwargs"] = kwargs
    if config.optimizer.name.startswith(LOW_RANK):
        frozen = config.optimizer.freeze
        common["optim_target_modules"] = linear_pattern(loaded.model, frozen)
    if config.method == "sft":
        if config.optimizer.neftune is not None:
            common["neftune_noise_alpha"] = config.optimizer.neftune
        return common | {"completion_only_loss": True}
    return common | _dpo(config.dpo)


def schedule_values(config: RunConfig) -> dict[str, Any]:
    """Return what the chosen learning-rate schedule takes besides steps and warm-up."""
    optimizer = config.optimizer
    values: dict[str, dict[str, Any]] = {
        "cosine_with_restarts": {"num_cycles": optimizer.cycles},
        "cosine_with_min_lr": {"min_lr_rate": optimizer.lowest_rate},
        "warmup_stable_decay": {
            "num_decay_steps": optimizer.decay_steps,
            "min_lr_ratio": optimizer.lowest_rate,
        },
    }
    return values.get(optimizer.schedule, {})


def _dpo(dpo: DpoConfig) -> dict[str, Any]:
    return {
        "beta": dpo.beta,
        "loss_type": list(dpo.losses),
        "loss_weights": list(dpo.losses.values()),
        "label_smoothing": dpo.label_smoothing,
        "ld_alpha": dpo.ld_alpha,
        "f_divergence_type": dpo.f_divergence,
        "f_alpha_divergence_coef": dpo.f_alpha,
        "use_weighting": dpo.weighting,
        "discopop_tau": dpo.discopop_tau,
    }


def best_of(metric: str) -> dict[str, Any]:
    """Return what tells the trainer which evaluation is best."""
    return {"metric_for_best_model": f"eval_{metric}", "greater_is_better": metric != "loss"}


def _best(config: RunConfig) -> dict[str, Any]:
    found = best_of(config.schedule.metric)
    plateau = config.optimizer.schedule == "reduce_lr_on_plateau"
    if config.schedule.keep_best:
        return found | {"load_best_model_at_end": True}
    return found if plateau else {}


def _common(config: RunConfig, paths: RunPaths, loaded: Loaded) -> dict[str, Any]:
    on_cpu = loaded.device.type == "cpu"
    workers = config.speed.workers
    if workers is None:
        workers = 0 if on_cpu else GPU_WORKERS
    return {
        "output_dir": str(paths.checkpoints),
        "per_device_train_batch_size": config.batch.per_device,
        "per_device_eval_batch_size": config.batch.per_device,
        "gradient_accumulation_steps": config.accumulation,
        "gradient_checkpointing": config.batch.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "optim": config.optimizer.name,
        "learning_rate": config.optimizer.learning_rate,
        "lr_scheduler_type": config.optimizer.schedule,
        "warmup_steps": config.optimizer.warmup,
        "weight_decay": config.optimizer.weight_decay,
        "max_grad_norm": config.optimizer.max_grad_norm,
        "num_train_epochs": config.schedule.epochs,
        "max_steps": config.schedule.max_steps or -1,
        "logging_steps": config.schedule.log_every,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps"
        if config.data.evaluation and config.schedule.evaluate_every
        else "no",
        "eval_steps": config.schedule.evaluate_every,
        "save_strategy": "steps",
        "save_steps": config.schedule.save_every,
        "seed": config.schedule.seed,
        "bf16": loaded.dtype == torch.bfloat16,
        "fp16": loaded.dtype == torch.float16,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": loaded.device.type == "cuda",
        "dataloader_num_workers": workers,
        "dataloader_prefetch_factor": PREFETCH if workers else None,
        "dataloader_persistent_workers": workers > 0,
        "report_to": list(config.report_to) or "none",
        "run_name": config.name,
        "disable_tqdm": True,
        "save_total_limit": None,
        "remove_unused_columns": False,
    }
