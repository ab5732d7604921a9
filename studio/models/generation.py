"""Greedy answers to many prompts at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    ProcessorMixin,
    StoppingCriteria,
    StoppingCriteriaList,
)

from studio.models.prompt_inputs import encode
from studio.models.prompts import EvalExample, batches_by_image_count


@dataclass(frozen=True)
class Generated:
    """One answer.

    Attributes:
        text: What can be read of it: special tokens left out, no blanks at its ends.
        tokens: Tokens the model wrote, without the one that ended it.
    """

    text: str
    tokens: int


def generate_answers(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    examples: Sequence[EvalExample],
    *,
    batch_size: int = 16,
    max_new_tokens: int = 64,
) -> list[str]:
    """Return the texts of `generate`."""
    found = generate(
        model, processor, examples, batch_size=batch_size, max_new_tokens=max_new_tokens
    )
    return [answer.text for answer in found]


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    examples: Sequence[EvalExample],
    *,
    batch_size: int = 16,
    max_new_tokens: int = 64,
    stopping: StoppingCriteria | None = None,
    ends: Collection[int] | None = None,
    choosing: LogitsProcessor | None = None,
) -> list[Generated]:
    """Return the model's greedy answer to each example, in order, without special tokens.

    Works with any image-text-to-text model and any number of images per example. The model is put
    into evaluation mode for the duration.

    Args:
        stopping: Asked after every token whether an answer ends there.
        ends: Tokens that end an answer; None for those of the model's own settings.
        choosing: Chooses each token instead: it leaves one that is possible.
    """
    was_training = model.training
    model.eval()
    answers = [Generated("", 0)] * len(examples)
    own = model.generation_config.eos_token_id
    ends = set(ends or (own if isinstance(own, list) else [own]))
    criteria = StoppingCriteriaList([stopping] if stopping else [])
    chosen = LogitsProcessorList([choosing] if choosing else [])
    for batch in batches_by_image_count(examples, batch_size):
        inputs = encode(model, processor, [examples[index] for index in batch], "left")
        tokens = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=sorted(ends - {None}) or None,
            pad_token_id=processor.tokenizer.pad_token_id,
            stopping_criteria=criteria,
            logits_processor=chosen,
        )
        fresh = tokens[:, inputs["input_ids"].shape[1] :]
        texts = processor.tokenizer.batch_decode(fresh, skip_special_tokens=True)
        for index, text, ids in zip(batch, texts, fresh.tolist(), strict=True):
            answers[index] = Generated(text.strip(), _length(ids, ends))
    model.train(was_training)
    return answers


def _length(ids: list[int], ends: set[int]) -> int:
    return next((place for place, token in enumerate(ids) if token in ends), len(ids))
