"""Train and evaluation rows that share no image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from studio.data.schema import Row


def split_by_image(rows: Sequence[Row], share: float) -> tuple[list[Row], list[Row]]:
    """Split rows into (train, evaluation); rows linked by any image stay on one side.

    The side depends on the images alone, so a dataset that grows keeps its split; rows without
    an image go by their question. With two groups or more neither side is empty.

    Args:
        share: Share of the groups to hold out, 0 to 1 (0 holds out nothing).
    """
    groups = _groups(rows)
    # A number from 0 to 1 that depends on nothing but the name.
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in set(groups)}
    ranks = {name: int(digest[:13], 16) / 16**13 for name, digest in digests.items()}
    held_out = {name for name, rank in ranks.items() if rank < share}
    if share > 0 and len(ranks) > 1:
        ordered = sorted(ranks, key=ranks.__getitem__)
        held_out |= {ordered[0]}
        held_out -= {ordered[-1]}
    elif len(ranks) == 1:
        held_out = set()
    train = [row for row, name in zip(rows, groups, strict=True) if name not in held_out]
    evaluation = [row for row, name in zip(rows, groups, strict=True) if name in held_out]
    return train, evaluation


def _groups(rows: Sequence[Row]) -> list[str]:
    """For each row the smallest key of all rows it is linked to by shared images."""
    parents: dict[str, str] = {}

    def root(key: str) -> str:
        while parents.setdefault(key, key) != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    keys = [row.images or (f"text:{row.question}",) for row in rows]
    for first, *others in keys:
        for other in others:
            low, high = sorted((root(first), root(other)))
            parents[high] = low
    return [root(key[0]) for key in keys]
