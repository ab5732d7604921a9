"""The first rows computed both ways before training starts: the fast path must prove itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from studio.models.image_features.row_token_ids import ANSWERS
from studio.training.fast_path.fast_trainers import FastTrainer

SEQUENCES = 2
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 3e-2}
GPU_FLOAT32 = 1e-3
"""Convolutions of float32 are computed in TF32 there, with 10 bits of mantissa."""
OWN = 2.0
"""How many times the stock path's own rounding the fast path may differ by in 16 bits."""
NOT_INPUTS = ("completion_mask", "labels", "ref_chosen_logps", "ref_rejected_logps")
IGNORED = -100

Batch = Mapping[str, Any]
Scores = tuple[torch.Tensor, torch.Tensor]
"""Sum of the log-probabilities of each sequence, and their number."""


def difference(trainer: FastTrainer) -> float:
    """Return the largest difference of a sequence's log-probability between the two ways.

    Relative to its size, or to one nat per token where that is more: what a token that is as good
    as certain loses to rounding says nothing.

    Args:
        trainer: On the fast path.
    """
    fast, stock = trainer.collated(_rows(trainer))
    return _apart(_scores(trainer, [fast]), _scores(trainer, _split(stock)))


def allowed(trainer: FastTrainer, found: float, dtype: torch.dtype) -> float:
    """Return the largest difference that is rounding, for a model that computes in `dtype`.

    In 16 bits a sequence's score depends on what else is in its batch, on the stock path too; how
    much is measured when `found` is more than usual.
    """
    usual = TOLERANCE.get(dtype, TOLERANCE[torch.bfloat16])
    if dtype == torch.float32:
        return usual if trainer.accelerator.device.type == "cpu" else GPU_FLOAT32
    return usual if found <= usual else max(usual, OWN * rounding(trainer))


def rounding(trainer: FastTrainer) -> float:
    """Return the `difference` of the stock path from itself, when sequences have other company."""
    rows = _rows(trainer)
    _, stock = trainer.collated(rows)
    pair = len(_split(stock)) > 1
    others = [stock] if pair else [trainer.collated(1, skip=row)[1] for row in range(rows)]
    return _apart(_scores(trainer, others), _scores(trainer, _split(stock)))


def _rows(trainer: FastTrainer) -> int:
    answers = len(ANSWERS[trainer.on.collator.method])
    return min(SEQUENCES // answers, len(trainer.train_dataset))


def _split(batch: Batch) -> list[Batch]:
    """The two answers to one prompt one after the other, where their inputs come apart.

    They have the same images, so inputs as long as there are sequences have one entry for each.
    """
    pair = "labels" not in batch and len(batch["input_ids"]) == SEQUENCES
    if not pair or any(len(value) != SEQUENCES for value in batch.values()):
        return [batch]
    return [{name: value[n : n + 1] for name, value in batch.items()} for n in range(SEQUENCES)]


def _apart(ours: Scores, theirs: Scores) -> float:
    (one, tokens), (other, _) = ours, theirs
    return float(((one - other).abs() / torch.maximum(other.abs(), tokens.clamp(min=1))).max())


def _scores(trainer: FastTrainer, batches: Iterable[Batch]) -> Scores:
    model = trainer.bare_model
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), trainer.accelerator.autocast():
            found = [_of_batch(trainer, batch) for batch in batches]
    finally:
        model.train(training)
    return torch.cat([score for score, _ in found]), torch.cat([count for _, count in found])


def _of_batch(trainer: FastTrainer, batch: Batch) -> Scores:
    labels = batch.get("labels")
    if labels is None:
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, IGNORED)
    inputs = {name: value for name, value in batch.items() if name not in NOT_INPUTS}
    output = trainer.bare_model(**inputs, labels=labels, use_cache=False, fused_lm_head=True)
    return output.log_probs.float().sum(dim=1), output.label_mask.float().sum(dim=1)
