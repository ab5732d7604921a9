"""Combinations that cannot work, found before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from studio.config.accelerate_file import ACCELERATE_ENGINE, accelerate_cautions
from studio.config.adapter import MOVES_WEIGHTS
from studio.config.availability import availability_problems
from studio.config.dpo import DIFFERENCE_LOSSES, SMOOTHED, UNWEIGHTABLE
from studio.config.job_flavors import job_cautions, job_problems
from studio.config.run import RunConfig
from studio.config.schedule import ANSWER_METRICS
from studio.core.errors import ConfigError, FieldProblem

HEAD = "lm_head"
FULL_PRECISION = (*MOVES_WEIGHTS, "orthogonal")
LOW_RANK = ("galore", "apollo")
OF_REWARDS = "rewards/"
REPOSITORY = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*")


def problems(config: RunConfig) -> list[FieldProblem]:
    """List what in `config` contradicts itself or is not installed here.

    What depends on the device is told by `studio.models.devices.device_problems`.
    """
    checks = (
        _quantization,
        _adapter,
        _kept_whole,
        _initialisation,
        _losses,
        _reference,
        _optimizer,
        _rates,
        _schedule,
        _best,
        _launch,
        _push,
        availability_problems,
    )
    return [problem for check in checks for problem in check(config)]


def ensure_consistent(config: RunConfig) -> None:
    """Raise `ConfigError` with every contradiction found."""
    contradictions = problems(config)
    if contradictions:
        raise ConfigError(contradictions)


def cautions(config: RunConfig) -> list[str]:
    """List what works but is probably not meant, in sentences for the plan."""
    sentences = []
    adapter, optimizer = config.adapter, config.optimizer
    if config.method == "dpo":
        losses = {name for name, weight in config.dpo.losses.items() if weight > 0}
        if config.dpo.label_smoothing > 0 and not losses & set(SMOOTHED):
            sentences.append(
                f"Label smoothing is read by {', '.join(SMOOTHED)} only; "
                f"{', '.join(sorted(losses))} ignores it."
            )
        if adapter and adapter.dropout:
            sentences.append("DPO trains without dropout, so adapter.dropout changes nothing.")
    if config.batch.largest:
        sentences.append(
            f"The run starts with the most rows at once that there is room for, not with "
            f"{config.batch.per_device}."
        )
    if config.data.too_long == "cut_answer" and not config.speed.all_off:
        sentences.append(
            "data.too_long: cut_answer takes TRL's own path: every image is encoded again for each "
            "answer, and nothing is shared or cached. leave_out is faster."
        )
    if optimizer.updates_inside:
        sentences.append(
            f"{optimizer.name} changes weights while gradients are made, so they are not clipped: "
            "optimizer.max_grad_norm does nothing."
        )
    if optimizer.name.startswith("schedule_free") and optimizer.schedule != "constant":
        sentences.append(
            f"{optimizer.name} needs no schedule; with {optimizer.schedule} it learns less."
        )
    if optimizer.warmup and optimizer.schedule in ("constant", "reduce_lr_on_plateau"):
        sentences.append(f"The schedule {optimizer.schedule} has no warm-up, so it is not used.")
    return [*sentences, *job_cautions(config), *accelerate_cautions(config)]


def _quantization(config: RunConfig) -> Iterator[FieldProblem]:
    if config.model.quantization != "none" and config.adapter is None:
        yield FieldProblem(
            "adapter",
            "Quantized weights cannot be trained themselves.",
            "Add an adapter, or set model.quantization to none.",
        )


def _adapter(config: RunConfig) -> Iterator[FieldProblem]:
    adapter = config.adapter
    if adapter is None:
        return
    named = adapter.targets if isinstance(adapter.targets, list) else []
    if isinstance(adapter.targets, list) and not named:
        yield FieldProblem(
            "adapter.targets",
            "The list of target modules is empty.",
            "Name some, or use: language.",
        )
    if any(name.split(".")[-1] == HEAD for name in named):
        yield FieldProblem(
            "adapter.targets",
            "LoRA on lm_head is not possible: the loss is computed from the head directly.",
            "Leave lm_head out.",
        )
    if any(name.split(".")[-1] == HEAD for name in adapter.modules_to_save):
        yield FieldProblem(
            "adapter.modules_to_save",
            "lm_head cannot be trained beside an adapter: the loss is computed from the head "
            "directly.",
            "Leave lm_head out, or train every weight (adapter: null).",
        )
    if config.method == "dpo" and adapter.bias != "none":
        yield FieldProblem(
            "adapter.bias",
            "Trained biases stay when the adapter is switched off, so DPO would lose its "
            "reference.",
            "Use bias: none.",
        )


def _kept_whole(config: RunConfig) -> Iterator[FieldProblem]:
    model, adapter = config.model, config.adapter
    if adapter is None or model.quantization == "none":
        return
    quantized = sorted(set(adapter.modules_to_save) - set(model.skip_modules))
    if quantized:
        yield FieldProblem(
            "adapter.modules_to_save",
            f"{quantized[0]} would be quantized, and quantized weights cannot be trained.",
            f"Add {quantized[0]} to model.skip_modules too.",
        )
    if adapter.init in FULL_PRECISION:
        yield FieldProblem(
            "adapter.init",
            f"{adapter.init} starts from full-precision weights.",
            "Use init: default, or model.quantization: none.",
        )


def _initialisation(config: RunConfig) -> Iterator[FieldProblem]:
    adapter = config.adapter
    if adapter is None or adapter.init not in MOVES_WEIGHTS:
        return
    if config.method == "dpo":
        yield FieldProblem(
            "adapter.init",
            f"{adapter.init} moves part of the base weights into the adapter, so the model "
            "without it is no reference for DPO.",
            "Use init: default, gaussian or orthogonal.",
        )
    if adapter.dora:
        yield FieldProblem(
            "adapter.dora",
            f"An adapter begun with {adapter.init} is saved as plain LoRA, which has no DoRA "
            "magnitudes.",
            "Switch DoRA off, or use init: default.",
        )


def _losses(config: RunConfig) -> Iterator[FieldProblem]:
    if config.method != "dpo":
        return
    dpo = config.dpo
    losses = {name for name, weight in dpo.losses.items() if weight > 0}
    if dpo.label_smoothing == 0 and "exo_pair" in dpo.losses:
        yield FieldProblem(
            "dpo.label_smoothing",
            "exo_pair needs label smoothing above 0.",
            "Set it to 0.001, the paper's value.",
        )
    if losses == {"sft"}:
        yield FieldProblem(
            "dpo.losses",
            "The sft loss alone ignores the rejected answers.",
            "Add sigmoid, or choose method: sft.",
        )
    excluded = sorted(set(dpo.losses) - set(DIFFERENCE_LOSSES))
    if dpo.f_divergence != "reverse_kl" and excluded:
        yield FieldProblem(
            "dpo.f_divergence",
            f"{dpo.f_divergence} is not defined for {', '.join(excluded)}.",
            f"Use reverse_kl, or losses among {', '.join(DIFFERENCE_LOSSES)}.",
        )
    sorting = sorted(set(dpo.losses) & set(UNWEIGHTABLE))
    if dpo.weighting and sorting:
        yield FieldProblem(
            "dpo.weighting",
            f"{sorting[0]} sorts the rows of a batch, so pairs cannot be weighed.",
            f"Switch weighting off, or leave {sorting[0]} out.",
        )


def _reference(config: RunConfig) -> Iterator[FieldProblem]:
    if config.method != "dpo" or config.dpo.reference == "auto":
        return
    reference, adapter = config.dpo.reference, config.adapter
    if reference == "adapter" and (adapter is None or adapter.continue_from is None):
        yield FieldProblem(
            "dpo.reference",
            "There is no adapter to start from that could be the reference.",
            "Set adapter.continue_from, or use base.",
        )
    if reference not in ("base", "adapter") and adapter is None:
        yield FieldProblem(
            "dpo.reference",
            "Another adapter can be the reference of an adapter only.",
            "Use base, or train an adapter.",
        )


def _optimizer(config: RunConfig) -> Iterator[FieldProblem]:
    name, adapter = config.optimizer.name, config.adapter
    if name.startswith(LOW_RANK) and adapter is not None:
        yield FieldProblem(
            "optimizer.name",
            f"{name} projects the gradients of whole weight matrices; an adapter is low-rank "
            "already.",
            "Use adamw_torch or adamw_8bit, or train every weight (adapter: null).",
        )
    several = config.accumulation > 1 or config.launch.processes > 1
    if config.optimizer.updates_inside and several:
        yield FieldProblem(
            "optimizer.name",
            f"{name} updates each layer at once, so it can neither accumulate nor use several "
            "processes.",
            "Set batch.total to batch.per_device and launch.processes to 1, or choose an optimizer "
            "that does not.",
        )
    if name.startswith("schedule_free") and 0 < config.optimizer.warmup < 1:
        yield FieldProblem(
            "optimizer.warmup",
            f"{name} warms up by itself and takes a number of steps, not a share of them.",
            "Set it to 0, or to 1 and more steps.",
        )
    if config.method == "dpo" and config.optimizer.neftune is not None:
        yield FieldProblem(
            "optimizer.neftune",
            "NEFTune's noise would fall on the reference too.",
            "Empty it; it is for method: sft.",
        )


def _rates(config: RunConfig) -> Iterator[FieldProblem]:
    optimizer, adapter = config.optimizer, config.adapter
    if optimizer.freeze and adapter is not None:
        yield FieldProblem(
            "optimizer.freeze",
            "With an adapter every weight of the model is frozen anyway.",
            "Choose what learns with adapter.targets.",
        )
    if set(optimizer.freeze) == {"vision", "projector", "language", "head"}:
        yield FieldProblem(
            "optimizer.freeze", "Nothing is left to train.", "Leave out at least one part."
        )
    both = sorted(set(optimizer.freeze) & set(optimizer.tower_rates))
    if both:
        yield FieldProblem(
            "optimizer.tower_rates",
            f"{both[0]} has a learning rate but is frozen.",
            "Take it out of one of the two.",
        )
    ratio = adapter.lora_plus_ratio if adapter else None
    own = "adapter.lora_plus_ratio" if ratio else "optimizer.tower_rates"
    if not ratio and not optimizer.tower_rates:
        return
    if optimizer.name.startswith((*LOW_RANK, "lomo", "adalomo")):
        yield FieldProblem(
            own,
            f"{optimizer.name} makes its own parameter groups.",
            "Use another optimizer, or one learning rate for all.",
        )
    if config.launch.engine.startswith(ACCELERATE_ENGINE):
        yield FieldProblem(
            own,
            "Parameter groups are made before accelerate spreads the weights over processes.",
            "Use launch.engine: local, or one learning rate for all.",
        )


def _schedule(config: RunConfig) -> Iterator[FieldProblem]:
    if config.schedule.early_stopping and not config.data.evaluation:
        yield FieldProblem(
            "schedule.early_stopping",
            "Early stopping needs an evaluation split.",
            'Set data.evaluation, for example "5%", or clear early_stopping.',
        )
    if config.schedule.answer_rows and not config.data.evaluation:
        yield FieldProblem(
            "schedule.answer_rows",
            "Answers are scored on evaluation rows, and there are none.",
            'Set data.evaluation, for example "5%", or clear it.',
        )
    if config.schedule.metric in ANSWER_METRICS and not config.schedule.answer_rows:
        yield FieldProblem(
            "schedule.metric",
            f"{config.schedule.metric} is known only when answers are generated, and none are.",
            "Set schedule.answer_rows, for example 32, or use loss.",
        )
    evaluated = config.data.evaluation and config.schedule.evaluate_every
    if config.optimizer.schedule == "reduce_lr_on_plateau" and not evaluated:
        yield FieldProblem(
            "optimizer.schedule",
            "reduce_lr_on_plateau watches the evaluation, and there is none.",
            'Set data.evaluation, for example "5%", and schedule.evaluate_every.',
        )
    if config.schedule.metric.startswith(OF_REWARDS) and config.method != "dpo":
        yield FieldProblem(
            "schedule.metric",
            f"SFT has no {config.schedule.metric}.",
            "Use loss or mean_token_accuracy.",
        )


def _best(config: RunConfig) -> Iterator[FieldProblem]:
    schedule = config.schedule
    if not schedule.keep_best:
        return
    if not config.data.evaluation or not schedule.evaluate_every:
        yield FieldProblem(
            "schedule.keep_best",
            "What is best is known only from evaluations, and there are none.",
            'Set data.evaluation, for example "5%", and schedule.evaluate_every.',
        )
    elif schedule.save_every % schedule.evaluate_every:
        every = schedule.evaluate_every
        yield FieldProblem(
            "schedule.save_every",
            f"A checkpoint every {schedule.save_every} steps does not fall on an evaluation "
            f"every {every}.",
            f"Set it to {-(-schedule.save_every // every) * every}.",
        )


def _push(config: RunConfig) -> Iterator[FieldProblem]:
    if config.push_to_hub and not REPOSITORY.fullmatch(config.push_to_hub):
        yield FieldProblem(
            "push_to_hub",
            f"{config.push_to_hub!r} cannot be the name of a repository.",
            "Give user/name, of letters, digits, dots, hyphens and underscores.",
        )


def _launch(config: RunConfig) -> Iterator[FieldProblem]:
    processes = config.launch.processes
    share = config.batch.per_device * processes
    if config.batch.total % share:
        yield FieldProblem(
            "launch.processes",
            f"{processes} processes with batch.per_device={config.batch.per_device} do not "
            f"divide batch.total={config.batch.total}.",
            f"Set batch.total to {-(-config.batch.total // share) * share}, or change one of "
            "the other two.",
        )
    yield from job_problems(config)
