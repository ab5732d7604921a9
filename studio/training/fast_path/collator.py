"""From rows to a batch: TRL's own tensors, the layout to compute, and the images it needs.

The batch has everything TRL's loss reads, in TRL's own shape, but no pixels; `LAYOUT` holds what
is computed instead, `IMAGES` what the features are made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from transformers import PretrainedConfig, ProcessorMixin

from studio.models.image_features.families import FAMILIES, grid_merge
from studio.models.image_features.lazy_images import ImageRef, image_ref
from studio.models.image_features.position_ids import grid_positions
from studio.models.image_features.row_token_ids import (
    ImageExpansion,
    Preprocessed,
    RowIds,
    preprocess,
    sample_of,
    slots_of,
)
from studio.training.fast_path.reference_logps import row_keys
from studio.training.fast_path.shared_prompt_layout import Cost, Strand, make_layout

LAYOUT = "layout"
IMAGES = "images"
IGNORED = -100

Known = Callable[[str], ImageExpansion | None]


@dataclass(frozen=True)
class BatchImages:
    """The distinct images of a batch, in the order of their features.

    Attributes:
        refs: The images.
        made: Preprocessed images, by key; those whose features are known are absent.
        pairs: For DPO, the name of each pair in the reference cache.
    """

    refs: tuple[ImageRef, ...]
    made: dict[str, Preprocessed]
    pairs: tuple[str, ...] = ()

    def pin_memory(self) -> BatchImages:
        """With pixels in page-locked memory; called by the data loader of a run on a GPU."""
        return replace(self, made={key: one.pin_memory() for key, one in self.made.items()})


@dataclass
class Collator:
    """Makes batches for one method.

    Attributes:
        method: `sft` or `dpo`.
        image_token: Id of the token that stands for one image feature.
        known: For the key of an image whose features need not be computed, its expansion.
        cost: Of the language model; None when no rows are to be shared.
        merge: Patches along each side that make one token, where positions have three axes; else 0.
        prefix: Prompts are shared as a whole only.
        longest: Tokens from which on a sequence has a row of its own; None for any number.
        completion_only: Whether SFT scores the completion only.
    """

    processor: ProcessorMixin
    method: str
    image_token: int
    known: Known
    cost: Cost | None
    merge: int = 0
    prefix: bool = False
    longest: int | None = None
    completion_only: bool = True
    expansions: dict[str, ImageExpansion] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        processor: ProcessorMixin,
        config: PretrainedConfig,
        method: str,
        known: Known,
        *,
        share: bool,
    ) -> Collator:
        """Return the collator of a model by its configuration.

        Args:
            share: Whether sequences that begin alike share rows.
        """
        text, family = config.get_text_config(), FAMILIES[config.model_type]
        return cls(
            processor,
            method,
            config.image_token_id,
            known,
            cost=Cost.of(text) if share else None,
            merge=grid_merge(config),
            prefix=family.prefix,
            longest=getattr(text, "sliding_window", None) if family.prefix else None,
        )

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        rows = [
            {name: cell for name, cell in row.items() if name != "image"}
            | {"images": [image_ref(cell) for cell in _images(row)]}
            for row in rows
        ]
        images = self.images_of(ref for row in rows for ref in row["images"])
        samples = [sample_of(self.processor, row, self.method, self.expansions) for row in rows]
        strands = self._strands(samples, images)
        if self.method == "dpo":
            images = replace(images, pairs=row_keys(strands))
        batch = self._stock(strands)
        width = batch["input_ids"].shape[1]
        cost = None if self.longest and width > self.longest else self.cost
        layout = make_layout(strands, width, self._pad, cost, prefix=self.prefix)
        return batch | {LAYOUT: layout, IMAGES: images}

    @property
    def _pad(self) -> int:
        tokenizer = self.processor.tokenizer
        return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def images_of(self, refs: Iterable[ImageRef]) -> BatchImages:
        """Return each image once; those whose features are not known are decoded and preprocessed."""
        distinct = {ref.key: ref for ref in refs}
        made = {}
        for key, ref in distinct.items():
            expansion = self.known(key)
            if expansion is None:
                made[key] = preprocess(self.processor, ref)
                expansion = made[key].expansion
            self.expansions[key] = expansion
        return BatchImages(tuple(distinct.values()), made)

    def _strands(self, samples: Sequence[RowIds], images: BatchImages) -> list[Strand]:
        features, first = {}, 0
        for ref in images.refs:
            count = self.expansions[ref.key].tokens.count(self.image_token)
            features[ref.key] = (first, count)
            first += count
        return [
            self._strand(sample, answer, row, slots_of(sample, self.image_token, features))
            for answer in range(len(samples[0].answers))
            for row, sample in enumerate(samples)
        ]

    def _strand(self, sample: RowIds, answer: int, row: int, slots: np.ndarray) -> Strand:
        ending = sample.answers[answer]
        ids = np.asarray(sample.prompt + ending, dtype=np.int64)
        scored = np.ones(len(ids), dtype=bool)
        if self.completion_only:
            scored[: len(sample.prompt)] = False
            scored[list(sample.scored)] = True
        slots = np.concatenate([slots, np.full(len(ending), -1, dtype=np.int64)])
        positions = self._positions(sample, slots)
        keys, prompt = tuple(sample.keys), len(sample.prompt)
        return Strand(ids, slots, scored, row, keys, prompt, positions)

    def _positions(self, sample: RowIds, slots: np.ndarray) -> np.ndarray | None:
        if not self.merge:
            return None
        grids: list[Any] = [self.expansions[key].grid for key in sample.keys]
        return grid_positions(slots >= 0, grids, self.merge)

    def _stock(self, strands: Sequence[Strand]) -> dict[str, torch.Tensor]:
        shape = len(strands), max(len(strand.ids) for strand in strands)
        ids = np.full(shape, self._pad, dtype=np.int64)
        seen, scored = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for index, strand in enumerate(strands):
            ids[index, : len(strand.ids)] = strand.ids
            seen[index, : len(strand.ids)] = 1
            scored[index, : len(strand.ids)] = strand.scored
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(seen)}
        if self.method == "dpo":
            return batch | {"completion_mask": torch.from_numpy(scored)}
        labels = np.where(scored == 1, ids, IGNORED)
        return batch | {"labels": torch.from_numpy(labels)}


def _images(row: dict[str, Any]) -> list[Any]:
    return [row["image"]] if "image" in row else row["images"]


def unknown(key: str) -> ImageExpansion | None:
    """Return what is known of every image without a cache: nothing."""
    return None
