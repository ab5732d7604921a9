"""Combinations that cannot work, found before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from studio.config.run import RunConfig
from studio.errors import ConfigError, FieldProblem

PAGED_OR_8BIT = ("8bit", "paged")


def problems(config: RunConfig) -> list[FieldProblem]:
    """Everything in `config` that contradicts itself, whatever the machine and the model."""
    return [
        *_quantization(config),
        *_adapter(config),
        *_dpo(config),
        *_schedule(config),
        *_launch(config),
    ]


def ensure_consistent(config: RunConfig) -> None:
    """Raise `ConfigError` with every contradiction found."""
    found = problems(config)
    if found:
        raise ConfigError(found)


def _quantization(config: RunConfig) -> list[FieldProblem]:
    found = []
    if config.model.quantization == "none":
        return found
    if config.adapter is None:
        found.append(
            FieldProblem(
                "adapter",
                "Quantized weights cannot be trained themselves.",
                "Add an adapter, or set model.quantization to none.",
            )
        )
    elif config.adapter.init in ("pissa", "olora"):
        found.append(
            FieldProblem(
                "adapter.init",
                f"{config.adapter.init} starts from full-precision weights.",
                "Use init: default, or model.quantization: none.",
            )
        )
    return found


def _adapter(config: RunConfig) -> list[FieldProblem]:
    adapter = config.adapter
    if adapter is None:
        return []
    found = []
    named = adapter.targets if isinstance(adapter.targets, list) else []
    if isinstance(adapter.targets, list) and not named:
        found.append(
            FieldProblem(
                "adapter.targets",
                "The list of target modules is empty.",
                "Name some, or use: language.",
            )
        )
    if any(name.split(".")[-1] == "lm_head" for name in named):
        found.append(
            FieldProblem(
                "adapter.targets",
                "LoRA on lm_head is not possible: the loss is computed from the head directly.",
                "Leave lm_head out.",
            )
        )
    return found


def _dpo(config: RunConfig) -> list[FieldProblem]:
    found = []
    losses = config.dpo.losses
    if config.method == "dpo" and config.dpo.label_smoothing == 0 and "exo_pair" in losses:
        found.append(
            FieldProblem(
                "dpo.label_smoothing",
                "exo_pair needs label smoothing above 0.",
                "Set it to 0.001 or more.",
            )
        )
    if config.method == "dpo" and set(losses) == {"sft"}:
        found.append(
            FieldProblem(
                "dpo.losses",
                "The sft loss alone ignores the rejected answers.",
                "Add sigmoid, or choose method: sft.",
            )
        )
    return found


def _schedule(config: RunConfig) -> list[FieldProblem]:
    if config.schedule.early_stopping and not config.data.evaluation:
        return [
            FieldProblem(
                "schedule.early_stopping",
                "Early stopping needs an evaluation split.",
                'Set data.evaluation, for example "5%", or clear early_stopping.',
            )
        ]
    return []


def _launch(config: RunConfig) -> list[FieldProblem]:
    found = []
    engine, processes = config.launch.engine, config.launch.processes
    share = config.batch.per_device * processes
    if config.batch.total % share:
        found.append(
            FieldProblem(
                "launch.processes",
                f"{processes} processes with batch.per_device={config.batch.per_device} do not "
                f"divide batch.total={config.batch.total}.",
                f"Set batch.total to {-(-config.batch.total // share) * share}, or change one of "
                "the other two.",
            )
        )
    kind, _, name = engine.partition(":")
    if kind == "accelerate" and not Path(name).is_file():
        found.append(
            FieldProblem(
                "launch.engine",
                f"There is no file {name}.",
                "Make one with `accelerate config --config_file FILE`, or use local.",
            )
        )
    return found
