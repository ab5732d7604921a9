"""A row as token ids, exactly as TRL's collators make them, without touching known images.

TRL lets the processor expand every image placeholder of a prompt into the tokens of that image.
Where an image's tokens begin and end with special tokens, the text around them is tokenized
independently of them, so a prompt is the tokenized text with each placeholder replaced by what
its image is known to expand to. Elsewhere the tokens are spelled out in the text, as processors
do it; and where their spelling is not theirs alone, the processor itself makes the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from transformers import Idefics2Processor, PaliGemmaProcessor, ProcessorMixin
from trl.data_utils import apply_chat_template, is_conversational, prepare_multimodal_messages

from studio.data.trl_format import SCORED
from studio.models.answer_spans import scored_tokens
from studio.models.image_features.lazy_images import ImageRef

ANSWERS = {"sft": ("completion",), "dpo": ("chosen", "rejected")}
GRID = "image_grid_thw"
STAND_IN = (Idefics2Processor, PaliGemmaProcessor)
"""Processors whose images are as many tokens whatever they show, but change the text around."""
TEXT_KEYS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")


class ImageExpansion(NamedTuple):
    """What stands for an image in a prompt.

    Attributes:
        tokens: Token ids.
        grid: Patches in time, height and width, for families whose positions follow them.
    """

    tokens: tuple[int, ...]
    grid: tuple[int, ...] = ()


@dataclass(frozen=True)
class Preprocessed:
    """One image as the processor makes it: model inputs, and what stands for it in a prompt."""

    inputs: dict[str, torch.Tensor]
    expansion: ImageExpansion

    def pin_memory(self) -> Preprocessed:
        """In page-locked memory, from which a GPU copies while it computes."""
        inputs = {name: value.pin_memory() for name, value in self.inputs.items()}
        return replace(self, inputs=inputs)


@dataclass(frozen=True)
class RowIds:
    """One row.

    Attributes:
        prompt: Token ids of the prompt, images expanded.
        answers: Token ids of its answers: the completion, or chosen and rejected.
        images: Its images, in the order of the prompt.
        scored: Places in the prompt of the tokens of earlier answers that are scored.
    """

    prompt: list[int]
    answers: tuple[list[int], ...]
    images: tuple[ImageRef, ...]
    scored: tuple[int, ...] = ()

    @property
    def keys(self) -> list[str]:
        """Keys of its images."""
        return [image.key for image in self.images]


def preprocess(processor: ProcessorMixin, image: ImageRef) -> Preprocessed:
    """Run the processor on one image alone; tensors have a leading dimension of 1."""
    made = processor(
        text=[processor.image_token],
        images=[[image.pixels()]],
        return_tensors="pt",
        add_special_tokens=False,
    )
    inputs = {name: value for name, value in made.items() if name not in TEXT_KEYS}
    grid = tuple(inputs[GRID][0].tolist()) if GRID in inputs else ()
    return Preprocessed(inputs, ImageExpansion(tuple(made["input_ids"][0].tolist()), grid))


def blank() -> Image.Image:
    """Return a small image in the place of one that need not be read."""
    return Image.new("RGB", (32, 32))


def bounded(processor: ProcessorMixin, tokens: Sequence[int]) -> bool:
    """Return whether an image's tokens are cut off from the text on both sides by special tokens."""
    special = set(processor.tokenizer.all_special_ids) | {
        number
        for number, token in processor.tokenizer.added_tokens_decoder.items()
        if not (token.lstrip or token.rstrip)
    }
    return bool(tokens) and tokens[0] in special and tokens[-1] in special


def render(processor: ProcessorMixin, row: dict[str, Any], method: str) -> tuple[str, list[str]]:
    """Return the prompt and the answers as text, by TRL's own use of the chat template."""
    names = ANSWERS[method]
    if is_conversational(row):
        images = list(row["images"])
        example = {"prompt": prepare_multimodal_messages(row["prompt"], images=images)}
        for name in names:
            example[name] = prepare_multimodal_messages(row[name])
        row = apply_chat_template(example, processor)
    return row["prompt"], [row[name] for name in names]


def sample_of(
    processor: ProcessorMixin,
    row: dict[str, Any],
    method: str,
    expansions: Mapping[str, ImageExpansion],
) -> RowIds:
    """Tokenize `row`.

    Args:
        expansions: For each of its images, by key, what stands for it.
    """
    text, answers = render(processor, row, method)
    images = tuple(row["images"])
    ids = processor.tokenizer(answers, add_special_tokens=False)["input_ids"]
    prompt = prompt_ids(processor, text, images, expansions)
    scored: Sequence[int] = ()
    if row.get(SCORED):
        scored = scored_tokens(processor, row["prompt"], row["completion"], row[SCORED], prompt)
    return RowIds(prompt, tuple(list(answer) for answer in ids), images, tuple(scored))


def prompt_ids(
    processor: ProcessorMixin,
    text: str,
    images: tuple[ImageRef, ...],
    expansions: Mapping[str, ImageExpansion],
) -> list[int]:
    """Return a prompt that the chat template has written as token ids, its images expanded."""
    if isinstance(processor, STAND_IN):
        pixels = {"images": [[blank()] * len(images)]} if images else {}
        return list(processor(text=[text], add_special_tokens=False, **pixels)["input_ids"][0])
    stand = [expansions[image.key].tokens for image in images]
    if not all(bounded(processor, tokens) for tokens in stand):
        return _spelled_prompt(processor, text, images, stand)
    plain = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    placeholder = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    found: list[int] = []
    waiting = iter(stand)
    for token in plain:
        if token == placeholder:
            found.extend(next(waiting))
        else:
            found.append(token)
    return found


def _spelled_prompt(
    processor: ProcessorMixin,
    text: str,
    images: tuple[ImageRef, ...],
    stand: Sequence[Sequence[int]],
) -> list[int]:
    """Where an image's tokens may melt into the text around them, the text is put together."""
    tokenizer = processor.tokenizer
    spelled = [tokenizer.decode(tokens, skip_special_tokens=False) for tokens in stand]
    again = tokenizer(spelled, add_special_tokens=False)["input_ids"]
    parts = text.split(processor.image_token)
    if len(parts) == len(images) + 1 and [list(tokens) for tokens in stand] == again:
        text = parts[0] + "".join(s + part for s, part in zip(spelled, parts[1:], strict=True))
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    pixels = [[image.pixels() for image in images]]
    made = processor(text=[text], images=pixels, add_special_tokens=False)
    return list(made["input_ids"][0])


def slots_of(
    sample: RowIds, image_token: int, features: Mapping[str, tuple[int, int]]
) -> np.ndarray:
    """Return where the tokens of a prompt find their image features.

    Args:
        image_token: Id of the token that stands for one image feature.
        features: For each image, by key, the number of its first feature in the batch, and how
            many it has.

    Returns:
        An integer for each prompt token: the number of its feature, or -1 for text.
    """
    prompt = np.asarray(sample.prompt, dtype=np.int64)
    slots = np.full(len(prompt), -1, dtype=np.int64)
    if sample.images:
        ranges = [
            np.arange(first, first + n) for first, n in (features[key] for key in sample.keys)
        ]
        slots[prompt == image_token] = np.concatenate(ranges)
    return slots
