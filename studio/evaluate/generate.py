"""Greedy answers to many prompts at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, ProcessorMixin, StoppingCriteria, StoppingCriteriaList

from studio.evaluate.example import EvalExample, batches_by_image_count
from studio.evaluate.prepare import encode


@torch.inference_mode()
def generate_answers(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    examples: Sequence[EvalExample],
    *,
    batch_size: int = 16,
    max_new_tokens: int = 64,
    stopping: StoppingCriteria | None = None,
) -> list[str]:
    """The model's greedy answer to each example, in order, without special tokens.

    Works with any image-text-to-text model and any number of images per example. The model is put
    into evaluation mode for the duration.

    Args:
        stopping: Asked after every token whether an answer ends there.
    """
    was_training = model.training
    model.eval()
    answers = [""] * len(examples)
    criteria = StoppingCriteriaList([stopping] if stopping else [])
    for batch in batches_by_image_count(examples, batch_size):
        inputs = encode(model, processor, [examples[index] for index in batch], "left")
        tokens = model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            pad_token_id=processor.tokenizer.pad_token_id,
            stopping_criteria=criteria,
        )
        fresh = tokens[:, inputs["input_ids"].shape[1] :]
        texts = processor.tokenizer.batch_decode(fresh, skip_special_tokens=True)
        for index, text in zip(batch, texts, strict=True):
            answers[index] = text.strip()
    model.train(was_training)
    return answers
