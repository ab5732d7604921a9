"""The preflight: everything that can be found out without loading weights."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import torch
from transformers import PreTrainedModel, ProcessorMixin

from studio.config import RunConfig
from studio.config.availability import availability_problems
from studio.config.job_flavors import flavor_of, sent_elsewhere
from studio.config.run import speed_obstacle
from studio.config.setting_conflicts import cautions, ensure_consistent
from studio.core.errors import ConfigError
from studio.core.paths import Workspace
from studio.data.template_adaptation import ANY_MODEL
from studio.models.adapter_config import adapter_folder, inspect_adapter
from studio.models.chat_template import fit_of, template_cautions
from studio.models.devices import pick_device, resolve_dtype
from studio.models.load import skeleton_of
from studio.models.lora_targets import matched_modules, matched_per_tower, towers_of
from studio.models.model_source import has_processor, load_config, load_processor
from studio.models.prequantized import prequantized
from studio.models.towers import TOWERS, Tower, find_towers
from studio.models.weights_check import check_weights, refuse_short_vocabulary
from studio.runs.run_plan import Plan, TowerPlan
from studio.training.continued_adapter import settings_not_used
from studio.training.fast_path.applicability import FastPath
from studio.training.learned_answers import answers_scored, said_of_rows
from studio.training.model_setup import run_adapters, with_checkpoint_quantization
from studio.training.parameter_groups import high_rate
from studio.training.planning.device_memory import GIB, Target
from studio.training.planning.dry_step import calibrated
from studio.training.planning.dry_step_cache import recall
from studio.training.planning.largest_rows import RowSample, guess_tokens, sample_rows
from studio.training.planning.memory_estimate import Estimate, LargestBatch, adapted, estimate
from studio.training.planning.plan_cache import Start, planned_once
from studio.training.planning.smallest_plan import ensure_some_plan_fits
from studio.training.planning.suggestions import WhatIf, suggestions
from studio.training.row_length import Fitted, context_of, fitted, within_limit
from studio.training.run_rows import RunData, load_run_data, reasons

GUESSED = 24


@dataclass(frozen=True)
class Facts:
    """What does not change with the rows at once.

    Attributes:
        dtype: What `config.model.dtype` means on the target.
        sample: None when there is no processor to count tokens with.
        notes: What is to be known of the weights, as sentences.
        said: Sentences on what the model makes of the rows.
    """

    target: Target
    dtype: torch.dtype
    skeleton: PreTrainedModel
    towers: list[TowerPlan]
    processor: ProcessorMixin | None
    data: RunData
    sample: RowSample | None
    notes: list[str]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preflight:
    """A plan and what it was made of.

    Attributes:
        numbers: Rows of the largest batch.
        inputs: Bytes of that batch as the collator makes it.
    """

    plan: Plan
    data: RunData
    batch: LargestBatch
    numbers: list[int]
    inputs: int


def plan_run(
    config: RunConfig, workspace: Workspace, target: Target | None = None
) -> tuple[Plan, RunData]:
    """Return what `config` would do on this machine or on `target`, and the rows it would use.

    A plan worked out before is taken from the workspace's cache.

    Raises:
        InputError: It cannot be run; the error names the field and the remedy.
    """
    start = checked(config, workspace, target)
    return planned_once(start, lambda: _worked_out(start).plan), start.data


def preflight(config: RunConfig, workspace: Workspace, target: Target | None = None) -> Preflight:
    """Plan the run as `plan_run` does, and return the largest batch too.

    Raises:
        InputError: It cannot be run.
    """
    return _worked_out(checked(config, workspace, target))


def checked(config: RunConfig, workspace: Workspace, target: Target | None = None) -> Start:
    """Refuse what cannot be run, as far as that shows without the model's modules; read the rows.

    Raises:
        InputError: It cannot be run.
    """
    ensure_consistent(config)
    device = pick_device()
    here = target is None and not sent_elsewhere(config)
    for_here = target is None
    if for_here:
        _refuse_unavailable(config, device)
    adapters = tuple(found.folder for found in run_adapters(config, workspace) if found)
    if target is None and sent_elsewhere(config):
        target = Target.of_flavor(flavor_of(config.launch.engine))
    target = target or Target.here(device).shared(config.launch.processes)
    described = load_config(config.model)
    config = with_checkpoint_quantization(config)
    if for_here:
        _refuse_unavailable(config, device)  # what holds for the quantization of its files too
    processor = load_processor(config.model) if has_processor(config.model) else None
    rows = rows_of(config, workspace, processor, context_of(described))
    dtype = resolve_dtype(config.model.dtype, target.torch_device)
    said = (*_said_of_template(config, processor), *said_of_rows(config, rows.data), *rows.said)
    return Start(config, workspace, target, here, dtype, processor, rows.data, adapters, said)


def rows_of(
    config: RunConfig, workspace: Workspace, processor: ProcessorMixin | None, context: int | None
) -> Fitted:
    """Return the rows that a run trains on: what the data allows, without what the model does not
    take.

    Raises:
        DataError: No row can be used.
    """
    special = processor.tokenizer.all_special_tokens if processor else ()
    fit = fit_of(processor) if processor else ANY_MODEL
    data = load_run_data(config, workspace, special, fit)
    return fitted(config, data, processor, context, workspace)


def _said_of_template(config: RunConfig, processor: ProcessorMixin | None) -> list[str]:
    found = template_cautions(processor, config.model.id) if processor else []
    return [f"{sentence} {remedy}" for _, sentence, remedy in found]


def _refuse_unavailable(config: RunConfig, device: torch.device) -> None:
    found = availability_problems(config, device.type)
    if found:
        raise ConfigError(found)


def _worked_out(start: Start) -> Preflight:
    config, workspace = start.config, start.workspace
    facts = gathered(start)
    batch, numbers = largest_batch(config, facts, config.batch.per_device)
    made = estimate(config, workspace, facts.processor, batch, facts.dtype, facts.target)
    plan = _plan(config, facts, batch, made)
    known = recall(config, plan, workspace) if start.here else None
    plan = _with_room(calibrated(plan, known) if known else plan, facts.target)
    correction = plan.counted.total - made.memory.total
    what_if = WhatIf(
        config, workspace, facts.processor, batch, facts.dtype, facts.target, correction
    )
    offered = ensure_some_plan_fits(what_if, plan, suggestions(what_if, plan))
    plan = replace(plan, suggestions=offered)
    return Preflight(plan, facts.data, batch, numbers, made.inputs)


def gather(config: RunConfig, workspace: Workspace, target: Target | None = None) -> Facts:
    """Read and check everything a plan needs: the model's modules, the rows, their tokens.

    Raises:
        InputError: It cannot be run.
    """
    return gathered(checked(config, workspace, target))


def gathered(start: Start) -> Facts:
    """Do the work of `gather` for a run that is checked already.

    Raises:
        InputError: It cannot be run.
    """
    config, processor, data = start.config, start.processor, start.data
    skeleton = skeleton_of(config.model)
    notes = [
        *_weight_notes(config, skeleton, processor),
        *_adapter_notes(config, skeleton, start.workspace),
    ]
    towers = tower_plans(config, skeleton, start.workspace)
    sample = sample_rows(data, processor, config.method) if processor else None
    read = (processor, data, sample)
    return Facts(start.target, start.dtype, skeleton, towers, *read, notes, start.said)


def _weight_notes(
    config: RunConfig, skeleton: PreTrainedModel, processor: ProcessorMixin | None
) -> list[str]:
    """Check the model's weights by their headers; sentences on what remains to be known.

    A folder with nothing but a configuration can be planned, not trained: it has no weights.

    Raises:
        ModelError: They do not fit the model, or its vocabulary not the tokenizer's.
    """
    if processor is None:
        return []
    refuse_short_vocabulary(config.model, skeleton, processor)
    came = prequantized(skeleton.config)
    found = [came.sentence if came else "", check_weights(config.model)]
    return [sentence for sentence in found if sentence]


def _adapter_notes(config: RunConfig, skeleton: PreTrainedModel, workspace: Workspace) -> list[str]:
    """Sentences on settings that the adapter continued from overrules."""
    adapter = config.adapter
    if adapter is None or adapter.continue_from is None:
        return []
    folder = adapter_folder(adapter.continue_from, workspace)
    return settings_not_used(adapter, skeleton, inspect_adapter(folder).config)


def largest_batch(config: RunConfig, facts: Facts, size: int) -> tuple[LargestBatch, list[int]]:
    """Return the batch of `size` rows that takes most memory, and the numbers of its rows.

    The rows sampled come first, longest first; where they are too few, others fill it up.
    """
    dataset = facts.data.train.dataset
    size = min(size, facts.data.train.used)
    if facts.sample is None:
        rows = [dataset[n] for n in range(min(len(dataset), GUESSED))]
        tokens = guess_tokens(load_config(config.model), rows, config.method)
        return LargestBatch([], size, within_limit(config, tokens)), []
    known = facts.sample.tokens
    others = (n for n in range(len(dataset)) if n not in known)
    numbers = list(islice(chain(facts.sample.largest, others), size))
    longest = known[facts.sample.largest[0]]
    return LargestBatch([dataset[n] for n in numbers], size, within_limit(config, longest)), numbers


def _plan(config: RunConfig, facts: Facts, batch: LargestBatch, made: Estimate) -> Plan:
    data, towers, target = facts.data, facts.towers, facts.target
    spread = facts.sample.spread if facts.sample else [batch.tokens]
    spread = [within_limit(config, tokens) for tokens in spread]
    obstacle = speed_obstacle(config)
    plan = Plan(
        trainable_parameters=sum(tower.trainable for tower in towers),
        total_parameters=sum(tower.total for tower in towers),
        towers=towers,
        train_rows=data.train.used,
        evaluation_rows=data.evaluation_rows,
        steps=config.total_steps(data.train.used),
        effective_batch=config.batch.total,
        accumulation=config.accumulation,
        tokens_median=int(statistics.median(spread)),
        tokens_max=batch.tokens,
        device=target.kind,
        dtype=str(facts.dtype).removeprefix("torch."),
        quantization=config.model.quantization,
        skipped=reasons(data.train.skipped),
        scored=answers_scored(config, data),
        memory=made.memory,
        device_memory=target.memory,
        fast_path=str(FastPath.off(obstacle) if obstacle else made.path),
    )
    warnings = [*facts.notes, *_warnings(config, data, towers, target.kind), *facts.said]
    if not made.exact:
        warnings.append(
            "Activations are a rough estimate for this model; a dry step measures them."
        )
    return replace(plan, warnings=warnings)


def _with_room(plan: Plan, target: Target) -> Plan:
    if plan.fits:
        return plan
    sentence = (
        f"This run needs {plan.counted.total / GIB:.1f} GiB; {target.place} has "
        f"{plan.device_memory / GIB:.1f}."
    )
    return replace(plan, warnings=[sentence, *plan.warnings])


def tower_plans(
    config: RunConfig, skeleton: PreTrainedModel, workspace: Workspace
) -> list[TowerPlan]:
    """Return modules with an adapter, trainable and total parameters of every tower; exact."""
    towers = find_towers(skeleton)
    totals = _count(skeleton, towers.of)
    base, model = adapted(config, workspace, skeleton.dtype)
    if config.adapter is None:
        trained = _count(base, towers.of, trainable_only=True)
        return [TowerPlan(tower, 0, trained[tower], totals[tower]) for tower in TOWERS]
    new = config.adapter.continue_from is None
    matched = (
        matched_modules(skeleton, config.adapter) if new else list(model.targeted_module_names)
    )
    per_tower = matched_per_tower(skeleton, matched)
    trainable = _count(base, towers.of, trainable_only=True)
    return [TowerPlan(tower, per_tower[tower], trainable[tower], totals[tower]) for tower in TOWERS]


def _count(model: PreTrainedModel, tower_of: Any, trainable_only: bool = False) -> dict[Tower, int]:
    counts: dict[Tower, int] = dict.fromkeys(TOWERS, 0)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad or not trainable_only:
            counts[tower_of(name)] += parameter.numel()
    return counts


def _warnings(config: RunConfig, data: RunData, towers: list[TowerPlan], device: str) -> list[str]:
    found = cautions(config)
    if device == "cpu" and config.optimizer.name.startswith("paged"):
        found.append("Paged optimizers do not page on a CPU; the plain 8- or 32-bit one is used.")
    processes = config.launch.processes
    if device == "cpu" and processes > 1:
        found.append(f"{processes} processes share the main memory: this is the plan of each.")
    if data.train.used < config.batch.total:
        found.append(
            f"Only {data.train.used} row{'s' * (data.train.used != 1)}: less than one effective batch of {config.batch.total}."
        )
    vision = next(tower for tower in towers if tower.name == "vision")
    targets = config.adapter.targets if config.adapter else "all-linear"
    by_name = isinstance(targets, list) or not towers_of(targets)
    if vision.matched and by_name:
        found.append(
            f"The names also match {vision.matched} modules of the vision tower. "
            "Use language to leave it as it is."
        )
    return [*found, *high_rate(config, sum(tower.total for tower in towers))]
