"""Turns examples into model inputs, the way training does: template, then processor."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import BatchFeature, PreTrainedModel, ProcessorMixin

from studio.models.prompts import EvalExample


def render_prompt(processor: ProcessorMixin, example: EvalExample) -> str:
    """Return the prompt as text, up to the point where the answer begins."""
    return processor.apply_chat_template(
        list(example.prompt), tokenize=False, add_generation_prompt=True
    )


def render_completion(processor: ProcessorMixin, example: EvalExample, completion: str) -> str:
    """Return the text that follows the rendered prompt when `completion` is the answer.

    It ends with the tokenizer's end-of-sequence token if the template writes one.
    """
    answer = {"role": "assistant", "content": [{"type": "text", "text": completion}]}
    full = processor.apply_chat_template([*example.prompt, answer], tokenize=False)
    rendered = full[len(common_prefix([render_prompt(processor, example), full])) :]
    head, end, _ = rendered.rpartition(processor.tokenizer.eos_token)
    return head + end if end else rendered


def encode(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    examples: Sequence[EvalExample],
    padding_side: str,
) -> BatchFeature:
    """Return encoded prompts on the model's device; `input_ids` has shape (examples, tokens)."""
    images = [list(example.images) for example in examples]
    inputs = processor(
        images=images if images[0] else None,
        text=[render_prompt(processor, example) for example in examples],
        padding=True,
        padding_side=padding_side,
        add_special_tokens=False,
        return_tensors="pt",
    )
    return inputs.to(model.device, dtype=model.dtype)


def common_prefix(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    first, last = min(texts), max(texts)  # in order, those that have least in common
    pairs = enumerate(zip(first, last, strict=False))
    return first[: next((place for place, (a, b) in pairs if a != b), len(first))]
