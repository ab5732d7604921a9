"""The first rows computed both ways before training starts: the fast path must prove itself."""

from __future__ import annotations

from typing import Any

import torch

from studio.train.fast.tokens import ANSWERS
from studio.train.fast.trainers import FastTrainer

SEQUENCES = 2
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 3e-2}
NOT_INPUTS = ("completion_mask", "labels", "ref_chosen_logps", "ref_rejected_logps")
IGNORED = -100


def difference(trainer: FastTrainer) -> float:
    """Largest relative difference of a sequence's log-probability between the two ways.

    Args:
        trainer: On the fast path.
    """
    model = trainer.bare_model
    training = model.training
    rows = SEQUENCES // len(ANSWERS[trainer.saving.collator.method])
    model.eval()
    try:
        fast, stock = trainer.collated(min(rows, len(trainer.train_dataset)))
        with torch.no_grad(), trainer.accelerator.autocast():
            ours = _log_probs(trainer, fast)
            theirs = torch.cat([_log_probs(trainer, one) for one in _apart(stock)])
    finally:
        model.train(training)
    return float(((ours - theirs).abs() / theirs.abs().clamp(min=1e-3)).max())


def tolerance(dtype: torch.dtype) -> float:
    """The largest difference that is rounding, for a model in `dtype`."""
    return TOLERANCE.get(dtype, TOLERANCE[torch.bfloat16])


def _apart(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """The two answers to one prompt one after the other, where their inputs come apart.

    They have the same images, so inputs as long as there are sequences have one entry for each.
    """
    pair = "labels" not in batch and len(batch["input_ids"]) == SEQUENCES
    if not pair or any(len(value) != SEQUENCES for value in batch.values()):
        return [batch]
    return [{name: value[n : n + 1] for name, value in batch.items()} for n in range(SEQUENCES)]


def _log_probs(trainer: FastTrainer, batch: dict[str, Any]) -> torch.Tensor:
    labels = batch.get("labels")
    if labels is None:
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, IGNORED)
    inputs = {name: value for name, value in batch.items() if name not in NOT_INPUTS}
    output = trainer.bare_model(**inputs, labels=labels, use_cache=False, fused_lm_head=True)
    return output.log_probs.float().sum(dim=1)
