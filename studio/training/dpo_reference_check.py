"""DPO's reference proved on the run's first rows, before the first step.

Where training starts at the reference, both score every answer alike, whatever the loss: plain
DPO's is then ln 2 (Rafailov et al. 2023, equation 7, with both ratios 1). A reference that is not
the one that was meant shows here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from torch.nn.functional import softplus
from transformers import Trainer
from trl.models.utils import disable_gradient_checkpointing
from trl.trainer.utils import use_adapter

from studio.config import RunConfig
from studio.core.errors import ModelError
from studio.core.paths import RunPaths
from studio.models.compat.transformers_internals import prepared
from studio.models.image_features.cache_key import REF
from studio.runs.event_log import EventLog
from studio.training.distributed import SHARDED
from studio.training.fast_path.collator import IMAGES
from studio.training.fast_path.fast_trainers import FastDPOTrainer, FastTrainer
from studio.training.fast_path.self_check import TOLERANCE

ROWS = 1
LN2 = math.log(2)
LIMIT = 1e-4
"""How far the loss of plain DPO may be from ln 2.

Both passes run the same kernels on the same batch with equal weights, quantized or not, so that
they differ by nothing at all; the limit is that of a loss printed with four digits.
"""
REMEMBERED = ("ref_chosen_logps", "ref_rejected_logps")
NOT_INPUTS = ("completion_mask", *REMEMBERED)
IGNORED = -100

Batch = Mapping[str, Any]


@dataclass(frozen=True)
class Figures:
    """The first rows, scored by the model that is trained and by the reference.

    Attributes:
        loss: Of plain DPO.
        off: The largest distance of one row's loss from ln 2.
        difference: Of an answer's two log-probabilities, at most; in nats.
        cached: Of a remembered score of the reference from the one computed now, at most and in
            nats per token or as a share of the score; None where nothing is remembered.
    """

    rows: int
    loss: float
    off: float
    difference: float
    cached: float | None = None

    def agree(self, beta: float) -> bool:
        """Return whether model and reference are the same, as far as a loss can tell.

        A row's loss moves by at most half of β times what its two answers differ by.
        """
        return self.off <= LIMIT and beta * self.difference / 2 <= LIMIT


def check_reference(trainer: Trainer, config: RunConfig, paths: RunPaths) -> None:
    """Compare a DPO trainer's model with its reference, and write down what was found.

    Where the weights are spread over processes no pass can be made before training begins; there
    the first batch is looked at.

    Raises:
        ModelError: Training starts at the reference, but they differ.
    """
    if trainer.accelerator.distributed_type not in SHARDED:
        _judge(trainer, config, paths, measured(trainer, _first_batch(trainer), config.dpo.beta))
        return
    if trainer.args.resume_from_checkpoint is None:
        _check_at_first_batch(trainer, config, paths)


def starts_at_reference(config: RunConfig) -> bool:
    """Return whether the model that is trained is its own reference before the first step."""
    reference, adapter = config.dpo.reference, config.adapter
    if adapter is None:
        return True
    if adapter.continue_from is None:
        return reference in ("auto", "base")
    return reference in ("auto", "adapter") or reference == adapter.continue_from


def measured(
    trainer: Trainer, batch: Batch, beta: float, policy_model: nn.Module | None = None
) -> Figures:
    """Score a batch with the model and with the reference, in training mode as the run will.

    Args:
        policy_model: The model as the trainer passes it to its loss, where it is wrapped.
    """
    model = trainer.accelerator.unwrap_model(trainer.model)
    training = model.training
    model.train()
    try:
        with (
            torch.no_grad(),
            disable_gradient_checkpointing(model, trainer.args.gradient_checkpointing_kwargs),
            trainer.accelerator.autocast(),
        ):
            policy, _ = _scores(policy_model or trainer.model, batch)
            with _as_reference(trainer, model):
                reference, tokens = _scores(trainer.ref_model or trainer.model, batch)
    finally:
        model.train(training)
    chosen, rejected = (policy - reference).chunk(2)
    losses = softplus(-beta * (chosen - rejected))
    return Figures(
        rows=len(losses),
        loss=float(losses.mean()),
        off=float((losses - LN2).abs().max()),
        difference=float((policy - reference).abs().max()),
        cached=_from_cache(trainer, batch, reference, tokens),
    )


def _as_reference(trainer: Trainer, model: nn.Module):
    """TRL's own rule: the adapter `ref` when there is one, else no adapter."""
    if trainer.ref_model is not None or not isinstance(model, PeftModel):
        return nullcontext()
    return use_adapter(model, adapter_name=REF if REF in model.peft_config else None)


def _scores(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability and tokens of every answer: all chosen, then all rejected."""
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, IGNORED)
    inputs = {name: value for name, value in batch.items() if name not in NOT_INPUTS}
    output = model(**inputs, labels=labels, use_cache=False, fused_lm_head=True)
    return output.log_probs.double().sum(dim=1), output.label_mask.double().sum(dim=1)


def _from_cache(
    trainer: Trainer, batch: Batch, reference: torch.Tensor, tokens: torch.Tensor
) -> float | None:
    known = [batch.get(name) for name in REMEMBERED]
    if trainer.ld_alpha is not None or None in known:
        return None
    apart = (torch.cat(known).to(reference) - reference).abs()
    return float((apart / torch.maximum(reference.abs(), tokens.clamp(min=1))).max())


def _first_batch(trainer: Trainer) -> Batch:
    """The rows that the fast path was checked with, with what is remembered of the reference.

    Nothing is added to the caches and no use of them is counted.
    """
    saving = trainer.saving if isinstance(trainer, FastDPOTrainer) else None
    if saving is None:
        rows = range(min(ROWS, len(trainer.train_dataset)))
        batch = trainer.data_collator([trainer.train_dataset[number] for number in rows])
        return prepared(trainer, batch)
    rows = trainer.first_rows(ROWS)
    batch = saving.collator([trainer.train_dataset[number] for number in rows])
    batch = prepared(trainer, batch)
    keys, cache = batch[IMAGES].pairs, saving.cache
    hits = replace(cache.hits) if cache else None
    batch = FastTrainer.computable(trainer, batch)
    if cache and hits:
        cache.hits = hits
    known = [saving.reference.known.get(key) for key in keys] if saving.reference else [None]
    if None in known:
        return batch
    chosen, rejected = torch.tensor(known, dtype=torch.float64).T
    return batch | dict(zip(REMEMBERED, (chosen, rejected), strict=True))


def _check_at_first_batch(trainer: Trainer, config: RunConfig, paths: RunPaths) -> None:
    usual = trainer.compute_loss

    @wraps(usual)
    def compute_loss(model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any):
        trainer.compute_loss = usual
        if trainer.state.global_step == 0:
            _judge(trainer, config, paths, measured(trainer, inputs, config.dpo.beta, model))
        return usual(model, inputs, *args, **kwargs)

    trainer.compute_loss = compute_loss


def _judge(trainer: Trainer, config: RunConfig, paths: RunPaths, found: Figures) -> None:
    events, same = EventLog(paths.events), starts_at_reference(config)
    agree = found.agree(config.dpo.beta)
    events.append(
        "reference_check",
        message=_sentence(config, found, same, agree),
        ok=agree or not same,
        starts_at_reference=same,
        loss=found.loss,
        difference=found.difference,
        rows=found.rows,
    )
    if same and not agree:
        raise ModelError(
            f"DPO would start away from its reference: on the first rows the loss is "
            f"{found.loss:.4f} instead of {LN2:.4f} (ln 2), and answers differ by up to "
            f"{found.difference:.2g} nats.",
            remedy="Nothing was trained. Set dpo.reference: base to compare with the base model, "
            "or continue from plain LoRA; model.dtype: float32 tells whether it is rounding.",
            field="dpo.reference",
        )
    if found.cached is not None and found.cached > _rounding(trainer):
        trainer.saving.reference = None
        trainer.precompute_ref_logps = False
        events.append(
            "warning",
            message="The remembered scores of the reference differ from those computed now by "
            f"{found.cached:.1e}, so they are not used.",
            remedy="The run is only slower; the folder cache/reference may be deleted.",
        )


def _rounding(trainer: Trainer) -> float:
    """What a score depends on its batch by, in the format that the model computes in."""
    dtype = trainer.accelerator.unwrap_model(trainer.model).dtype
    mixed = {"bf16": torch.bfloat16, "fp16": torch.float16}
    dtype = mixed.get(str(trainer.accelerator.mixed_precision), dtype)
    return TOLERANCE.get(dtype, TOLERANCE[torch.bfloat16])


def _sentence(config: RunConfig, found: Figures, same: bool, agree: bool) -> str:
    named = {"base": "the base model", "adapter": "the adapter as it was"}
    auto = "adapter" if config.adapter and config.adapter.continue_from else "base"
    reference = config.dpo.reference if config.dpo.reference != "auto" else auto
    what = named.get(reference, f"the adapter of {reference}")
    if config.adapter is None:
        what = "a copy of the model"
    if not same:
        return (
            f"Reference: {what}. Training starts elsewhere, at a loss of {found.loss:.4f}; "
            f"answers differ by up to {found.difference:.2g} nats."
        )
    sign = "Checked" if agree else "Not the one that is trained"
    return f"Reference: {what}. {sign}: the loss starts at {found.loss:.4f} (ln 2 is {LN2:.4f})."
