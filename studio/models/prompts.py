"""What is evaluated: a prompt with its images, and pairs of answers to it. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

Message = dict[str, Any]


@dataclass(frozen=True)
class EvalExample:
    """A prompt and the images its bare `{"type": "image"}` placeholders stand for, in order."""

    images: Sequence[Image.Image]
    prompt: Sequence[Message]

    @classmethod
    def from_question(cls, images: Sequence[Image.Image], question: str) -> EvalExample:
        """Return one user turn: the images, then the question."""
        content = [*({"type": "image"} for _ in images), {"type": "text", "text": question}]
        return cls(images, [{"role": "user", "content": content}])


@dataclass(frozen=True)
class PreferencePair:
    """A preferred and a rejected answer to the same prompt."""

    example: EvalExample
    chosen: str
    rejected: str


def batches_by_image_count(examples: Sequence[EvalExample], size: int) -> list[list[int]]:
    """Return the indices of the examples in batches of at most `size` with equally many images each.

    Processors reject or pad batches that mix prompts with and without images.
    """
    order = sorted(range(len(examples)), key=lambda index: len(examples[index].images))
    batches: list[list[int]] = []
    for index in order:
        last = batches[-1] if batches else []
        same = last and len(examples[last[0]].images) == len(examples[index].images)
        if same and len(last) < size:
            last.append(index)
        else:
            batches.append([index])
    return batches
