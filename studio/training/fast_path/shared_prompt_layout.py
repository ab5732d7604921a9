"""Which sequences of a batch share a row, and the tensors that say so.

Sharing is chosen by arithmetic: a long answer after a short prompt is cheaper in a row of its own,
because a shared row attends over both answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PretrainedConfig

from studio.training.fast_path.prefix_tree import TreeRow, lay_out

IMAGE_SHIFT = 32


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one decoder layer.

    Attributes:
        linear: Per token, in the projections.
        attention: Per pair of tokens, in the scores and the values.
    """

    linear: float
    attention: float

    @classmethod
    def of(cls, config: PretrainedConfig) -> Cost:
        """Of a decoder with gated feed-forward and grouped queries, from its text configuration.

        Where layers differ, of the first.
        """
        config = (getattr(config, "per_layer_config", None) or [config])[0]
        hidden, heads = config.hidden_size, config.num_attention_heads
        head = getattr(config, "head_dim", None) or hidden // heads
        groups = getattr(config, "num_key_value_heads", None) or heads
        linear = 2 * hidden * head * (heads + groups) + 3 * hidden * config.intermediate_size
        return cls(linear, 2 * heads * head)

    def rows(self, lengths: Sequence[int], *, masked: bool) -> float:
        """Of rows padded to the longest; a causal row without a mask attends to half."""
        if not lengths:
            return 0.0
        longest = max(lengths)
        pairs = longest * longest * (1.0 if masked else 0.5)
        return len(lengths) * (longest * self.linear + pairs * self.attention)


@dataclass(frozen=True)
class Strand:
    """One sequence to be computed.

    Attributes:
        ids: Token ids, (tokens,).
        slots: Number of the image feature of each token, -1 for text.
        scored: Boolean (tokens,): whether the token's log-probability is wanted.
        row: Number of the row of the dataset it comes from; its two answers share that.
        images: What its images are, in order; empty for text only.
        prompt: Number of its tokens that are the prompt.
        positions: (3, tokens), when positions have three axes.
    """

    ids: np.ndarray
    slots: np.ndarray
    scored: np.ndarray
    row: int
    images: tuple[str, ...]
    prompt: int = 0
    positions: np.ndarray | None = None

    @property
    def content(self) -> np.ndarray:
        """One number per token, equal exactly when token and image feature are."""
        return self.ids | ((self.slots + 1) << IMAGE_SHIFT)


Layout = dict[str, torch.Tensor]


def make_layout(
    strands: Sequence[Strand], width: int, pad: int, cost: Cost | None, *, prefix: bool = False
) -> Layout:
    """Return the rows the model computes for `strands`, and where its log-probabilities belong.

    Args:
        width: Padded length of the sequences in the trainer's own layout.
        pad: Token id of padding.
        cost: Of the language model; None to give every sequence a row of its own.
        prefix: Prompts are shared as a whole only, for each of their tokens sees all of it.

    Returns:
        `input_ids` and `slots` (rows, places); `wanted` (image places,): the slots of the places
        that have one; `attention_mask` (rows, places), or
        `position_ids`, `segments` (rows, places) and `ancestors` (rows, branches, branches) when
        sequences share rows; with `prefix`, also `prefix` (rows, places): whether a place belongs
        to a prompt; `position_ids` (3, rows, places) in any case when they have three
        axes; `keep`, `labels`, `targets` (scored tokens,): the place whose
        hidden state predicts a token, among all places; the token; and its place in the
        trainer's (sequences, width - 1) log-probabilities.
    """
    groups = [[index] for index in range(len(strands))]
    rows = [_alone(strand) for strand in strands]
    shared = False
    if cost is not None:
        best = cost.rows([row.length for row in rows], masked=False)
        groupings = [_grouped([strand.row for strand in strands])]
        if not prefix:
            groupings.append(_grouped([strand.images or strand.row for strand in strands]))
        for grouping in groupings:
            candidate = [lay_out([strands[index].content for index in g]) for g in grouping]
            price = cost.rows([row.length for row in candidate], masked=True)
            if price < best:
                best, groups, rows, shared = price, grouping, candidate, True
    layout = _tensors(rows, pad, shared=shared)
    if prefix:
        layout["prefix"] = _prefix(strands, groups, rows, layout["input_ids"].shape)
    if strands[0].positions is not None:
        layout["position_ids"] = _axes(strands, groups, rows, layout["input_ids"].shape)
    return layout | _scores(strands, groups, rows, layout["input_ids"].shape[1], width)


def _alone(strand: Strand) -> TreeRow:
    length = len(strand.ids) - 1
    places = np.arange(length)
    return TreeRow(
        [strand.content[:-1]], [places], [np.zeros_like(places)], [-1], [places], length=length
    )


def _grouped(keys: Sequence[object]) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _tensors(rows: Sequence[TreeRow], pad: int, *, shared: bool) -> Layout:
    length = max(row.length for row in rows)
    tokens = np.full((len(rows), length), pad, dtype=np.int64)
    positions = np.zeros((len(rows), length), dtype=np.int64)
    branches = 1 + max(len(row.parents) for row in rows)
    segments = np.full((len(rows), length), branches - 1, dtype=np.int64)
    ancestors = np.zeros((len(rows), branches, branches), dtype=bool)
    for index, row in enumerate(rows):
        tokens[index, : row.length] = np.concatenate(row.tokens)
        positions[index, : row.length] = np.concatenate(row.positions)
        segments[index, : row.length] = np.concatenate(row.segments)
        seen = row.ancestors()
        ancestors[index, : len(seen), : len(seen)] = seen
    slots = (tokens >> IMAGE_SHIFT) - 1
    layout = {
        "input_ids": torch.from_numpy(tokens & ((1 << IMAGE_SHIFT) - 1)),
        "slots": torch.from_numpy(slots),
        "wanted": torch.from_numpy(slots[slots >= 0]),
    }
    if not shared:
        return layout | {"attention_mask": torch.from_numpy((segments == 0).astype(np.int64))}
    return layout | {
        "position_ids": torch.from_numpy(positions),
        "segments": torch.from_numpy(segments),
        "ancestors": torch.from_numpy(ancestors),
    }


def _axes(
    strands: Sequence[Strand],
    groups: Sequence[Sequence[int]],
    rows: Sequence[TreeRow],
    shape: tuple[int, int],
) -> torch.Tensor:
    found = np.zeros((3, *shape), dtype=np.int64)
    for number, (group, row) in enumerate(zip(groups, rows, strict=True)):
        for index, places in zip(group, row.places, strict=True):
            axes = strands[index].positions
            if axes is not None:
                found[:, number, places] = axes[:, :-1]
    return torch.from_numpy(found)


def _prefix(
    strands: Sequence[Strand],
    groups: Sequence[Sequence[int]],
    rows: Sequence[TreeRow],
    shape: tuple[int, int],
) -> torch.Tensor:
    found = np.zeros(shape, dtype=bool)
    for number, (group, row) in enumerate(zip(groups, rows, strict=True)):
        for index, places in zip(group, row.places, strict=True):
            found[number, places[: strands[index].prompt]] = True
    return torch.from_numpy(found)


def _scores(
    strands: Sequence[Strand],
    groups: Sequence[Sequence[int]],
    rows: Sequence[TreeRow],
    length: int,
    width: int,
) -> Layout:
    keep, labels, targets = [], [], []
    for number, (group, row) in enumerate(zip(groups, rows, strict=True)):
        for index, places in zip(group, row.places, strict=True):
            scored = np.flatnonzero(strands[index].scored[1:])
            keep.append(number * length + places[scored])
            labels.append(strands[index].ids[scored + 1])
            targets.append(index * (width - 1) + scored)
    named = {"keep": keep, "labels": labels, "targets": targets}
    return {name: torch.from_numpy(np.concatenate(parts)) for name, parts in named.items()}
