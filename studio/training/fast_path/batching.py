"""Rows of one optimizer step, put beside rows of their size and image.

Only the order within a step changes, so every step learns from the same rows as before; batches
of alike rows have less padding, and rows about one image share its prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datasets import Dataset
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Sampler

from studio.data.trl_format import SCORED
from studio.models.image_features.lazy_images import ImageRef

Size = tuple

# Losses over a batch as a whole: which rows stand together matters to them.
WHOLE_BATCH = frozenset({"aot", "aot_unpaired", "bco_pair", "sft"})


class StepSampler(Sampler[int]):
    """The indices of `sampler`, sorted by size within each full step of `window` rows."""

    def __init__(self, sampler: Sampler[int], window: int, sizes: Sequence[Size]) -> None:
        self.sampler = sampler
        self.window = window
        self.sizes = sizes

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to the sampler within."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        step: list[int] = []
        for index in self.sampler:
            step.append(index)
            if len(step) == self.window:
                yield from sorted(step, key=self.sizes.__getitem__)
                step = []
        yield from step


def row_sizes(dataset: Dataset) -> list[Size]:
    """Return for each row of a dataset with references: image size, image, length of its text."""
    return [_size(row) for row in dataset]


def _size(row: dict) -> Size:
    images: Sequence[ImageRef] = row["images"]
    text = sum(
        len(part.get("text") or "")
        for name, messages in row.items()
        if name not in ("images", SCORED)
        for message in messages
        for part in message["content"]
    )
    return sum(map(_area, images)), tuple(image.key for image in images), text


def _area(image: ImageRef) -> int:
    if isinstance(image.source, str):
        try:
            with Image.open(image.source) as opened:
                width, height = opened.size
        except (OSError, UnidentifiedImageError):
            return 0
        return width * height
    return len(image.source) if isinstance(image.source, bytes) else image.source.width
