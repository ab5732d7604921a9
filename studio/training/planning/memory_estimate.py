"""The memory plan of a run: formulas for what stays, a trace for what comes and goes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftConfig, get_peft_model
from transformers import PreTrainedModel, ProcessorMixin

from studio.config import RunConfig
from studio.config.adapter import AdapterConfig
from studio.config.run import with_possible_speed
from studio.core.paths import Workspace
from studio.models.adapter_config import WEIGHTS, adapter_folder, inspect_adapter, lora_config
from studio.models.adapter_weights import buildable
from studio.models.empty_weights import BUILDING
from studio.models.load import skeleton_of
from studio.runs.run_plan import MemoryPlan
from studio.training.fast_path.applicability import FastPath, all_off, choose
from studio.training.model_setup import copies_start, reference_folder
from studio.training.parameter_groups import freeze_towers
from studio.training.planning.activation_cache import TracedStep, traced_once
from studio.training.planning.activation_trace import (
    Traceable,
    Traced,
    guess_language,
    trace,
    trace_language,
)
from studio.training.planning.device_memory import SLACK, SLACK_APART, Target
from studio.training.planning.optimizer_memory import optimizer_bytes, projected_weights
from studio.training.planning.weight_memory import (
    largest_dequantized,
    quantized_modules,
    weight_bytes,
)

# What torch raises where code asks a tensor without storage for its values, or where the values
# assumed for it contradict each other. Anything else is a mistake in the trace.
UNTRACEABLE = RuntimeError
logger = logging.getLogger(__name__)
STOCK = FastPath.off("because it is switched off")


@dataclass(frozen=True)
class LargestBatch:
    """The largest batch of a run.

    Attributes:
        rows: In TRL's columns; empty when there is no processor to read them with.
        size: Rows at once.
        tokens: Of its longest row.
    """

    rows: Sequence[dict[str, Any]]
    size: int
    tokens: int


@dataclass(frozen=True)
class Estimate:
    """A memory plan.

    Attributes:
        exact: Whether all of it was counted rather than partly guessed.
        inputs: Bytes of one batch as the collator makes it.
    """

    memory: MemoryPlan
    exact: bool
    path: FastPath
    inputs: int


def adapted(
    config: RunConfig, workspace: Workspace, dtype: torch.dtype
) -> tuple[PreTrainedModel, Any]:
    """Return (base, model) on the meta device in `dtype`, adapted as the run will train it."""
    base = skeleton_of(config.model).to(dtype)
    if config.adapter is None:
        freeze_towers(base, config)
        return base, base
    lora = _lora(config.adapter, base, workspace)
    lora = buildable(lora)
    lora.inference_mode = False
    with BUILDING:
        model = get_peft_model(base, lora, low_cpu_mem_usage=True)
    if config.model.quantization != "none" and dtype != torch.float32:
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "lora_magnitude_vector" not in name:
                parameter.data = parameter.data.to(torch.bfloat16)
    return base, model


def estimate(
    config: RunConfig,
    workspace: Workspace,
    processor: ProcessorMixin | None,
    batch: LargestBatch,
    dtype: torch.dtype,
    target: Target,
) -> Estimate:
    """Return the bytes of every part of `config` on `target`.

    Args:
        dtype: What `config.model.dtype` means on the target.
    """
    config = with_possible_speed(config)
    skeleton = skeleton_of(config.model)
    weights = weight_bytes(config.model, skeleton, dtype)
    quantized = quantized_modules(config.model, skeleton, dtype)
    unpacked = largest_dequantized(quantized, dtype)
    base, model = adapted(config, workspace, dtype)
    path = STOCK if all_off(config.speed) else choose(config, base)
    trained = [p for p in model.parameters() if p.requires_grad]
    trainable = sum(p.numel() * p.element_size() for p in trained)
    optimizer = config.optimizer.name
    projected = projected_weights(optimizer, base, base.get_output_embeddings())
    state = optimizer_bytes(optimizer, trained, projected)
    traceable = Traceable(model, base, processor, frozenset(quantized), target.kind)
    step = TracedStep(config, traceable, batch.rows, batch.size, batch.tokens, path)
    traced = traced_once(step, workspace, lambda: _traced(config, traceable, batch, path))
    activations = traced.peak + traced.inputs * batches_held(config, target)
    reference = _reference(config, workspace, weights, trainable)
    beside = trainable if config.adapter else 0
    gradients = trainable + exchanged(config, trainable)
    used = weights + beside + gradients + state + reference + activations
    slack = (SLACK_APART if path.features.on else SLACK).get(target.kind, 0.06)
    process = target.process(weights) + unpacked + int(slack * used)
    memory = MemoryPlan(weights, beside, gradients, state, reference, activations, process)
    return Estimate(memory, traced.exact, path, traced.inputs)


def exchanged(config: RunConfig, gradients: int) -> int:
    """Return the bytes of the buckets in which processes exchange gradients: as much again.

    PyTorch, "DistributedDataParallel": `gradient_as_bucket_view` is off.
    """
    return gradients if config.launch.processes > 1 else 0


def batches_held(config: RunConfig, target: Target) -> int:
    """Return how many batches lie on the device at once.

    `Trainer.get_batch_samples` (transformers) collects all batches of an optimizer step before
    the first pass; accelerate's loader makes the one after them, which moves to a GPU later.
    """
    return config.accumulation + (target.kind != "cuda")


def _traced(config: RunConfig, traceable: Traceable, batch: LargestBatch, path: FastPath) -> Traced:
    traced: Traced | None = None
    if batch.rows and traceable.processor is not None:
        try:
            traced = trace(config, traceable, batch.rows, path)
        except UNTRACEABLE:
            logger.exception("A step of %s cannot be traced with images.", config.model.id)
    if traced is None:
        answers = 1 if config.method == "sft" or path.prompts.on else 2
        rows = answers * batch.size
        try:
            traced = trace_language(config, traceable, rows, batch.tokens)
        except UNTRACEABLE:
            logger.exception("A step of %s cannot be traced, so it is guessed.", config.model.id)
            traced = guess_language(config, traceable, rows, batch.tokens)
    return traced


def _reference(config: RunConfig, workspace: Workspace, weights: int, trainable: int) -> int:
    """A second model for DPO without an adapter; a second adapter when one is the reference."""
    if config.method != "dpo":
        return 0
    if config.adapter is None:
        return weights
    other = reference_folder(config, workspace)
    if other:
        return (other / WEIGHTS).stat().st_size
    return trainable if copies_start(config) else 0


def _lora(adapter: AdapterConfig, base: PreTrainedModel, workspace: Workspace) -> PeftConfig:
    if adapter.continue_from is None:
        return lora_config(adapter, base)
    return inspect_adapter(adapter_folder(adapter.continue_from, workspace)).config
