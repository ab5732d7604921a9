"""Private names of transformers that the studio uses, all of them here.

`tests/models/compat/test_transformers_internals.py` fails when one of them means something else.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from transformers import PretrainedConfig, ProcessorMixin, Trainer, masking_utils

from studio.core.temporary_attribute import swapped


def attention_of(config: PretrainedConfig) -> str:
    """Return the implementation of attention that a model was loaded with: `sdpa`, `eager`, …"""
    return config._attn_implementation


def image_tokens(processor: ProcessorMixin, height: int, width: int) -> tuple[int, int]:
    """Return the tokens and tiles of an image of this size, as the processor's own formula has them.

    Returns:
        Tokens in place of its placeholder, and tiles; 0 where the processor counts no tiles.

    Raises:
        AttributeError: The processor has no formula.
    """
    found = processor._get_num_multimodal_tokens(image_sizes=[(height, width)])
    tiles = found.num_image_patches
    return int(found.num_image_tokens[0]), int(tiles[0]) if tiles else 0


def save_checkpoint(trainer: Trainer) -> None:
    """Write a checkpoint of the step that was completed last, between two steps."""
    trainer._save_checkpoint(trainer.model, None)


def forget_evaluation_loaders(trainer: Trainer) -> None:
    """Drop loaders kept from earlier evaluations, which still have the earlier batch size."""
    trainer._eval_dataloaders = {}


def prepared(trainer: Trainer, batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch on the trainer's device, as its training step takes it."""
    return trainer._prepare_inputs(batch)


def masks_always_made() -> AbstractContextManager[None]:
    """While inside, attention masks are made even where none seems to be needed.

    Without values a mask looks like one that hides nothing, and transformers leaves such out.
    """
    return swapped(masking_utils, "_ignore_causal_mask_sdpa", lambda *_, **__: False)
