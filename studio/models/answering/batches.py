"""Which rows are computed together: those of one image, and those of one length beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from studio.models.answering.decoder import TokenRow
from studio.models.answering.row_prompts import RowPrompt

WINDOW = 4
"""Batches whose images' features are held at once."""


def windows(prompts: Sequence[RowPrompt], size: int) -> Iterator[list[RowPrompt]]:
    """Yield some `WINDOW * size` prompts at a time; those of one image are in one window.

    Prompts with as many images and texts of one length come near each other.
    """
    groups: dict[tuple[str, ...], list[RowPrompt]] = {}
    for prompt in prompts:
        groups.setdefault(prompt.keys, []).append(prompt)
    order = sorted(groups.values(), key=lambda g: (len(g[0].images), max(len(p.text) for p in g)))
    window: list[RowPrompt] = []
    for group in order:
        pieces = [group[i : i + WINDOW * size] for i in range(0, len(group), WINDOW * size)]
        for piece in pieces:
            if window and len(window) + len(piece) > WINDOW * size:
                yield window
                window = []
            window = window + piece
    if window:
        yield window


def batches(rows: Iterable[TokenRow], size: int) -> list[list[list[TokenRow]]]:
    """Return the rows in batches of groups: at most `size` rows, each group with the same images.

    The longest come first, so that memory that is too small is found out at the beginning.
    """
    groups: dict[tuple[str, ...], list[TokenRow]] = {}
    for row in rows:
        groups.setdefault(row.images, []).append(row)
    pieces = []
    for group in groups.values():
        ordered = sorted(group, key=lambda row: -len(row.ids))
        pieces += [ordered[start : start + size] for start in range(0, len(ordered), size)]
    pieces.sort(key=lambda piece: -len(piece[0].ids))
    found: list[list[list[TokenRow]]] = []
    room = 0
    for piece in pieces:
        if len(piece) > room:
            found.append([])
            room = size
        found[-1].append(piece)
        room -= len(piece)
    return found
