"""Sequences that begin alike, laid out so that each shared beginning is computed once.

A row holds a trie of sequences: every branch is written once, after the branch it grows from. A
token sees itself and what precedes it on its own path, never a sibling branch, and its position
is its depth. A causal language model therefore computes for every token exactly what it computes
in the sequence alone. The last token of a sequence predicts nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class TreeRow:
    """One laid-out trie.

    Attributes:
        tokens: Token of each place, in the order of the row.
        positions: Depth of each place in its own sequence.
        segments: Number of the branch of each place.
        parents: For each branch the one it grows from; -1 for the first.
        places: For each sequence, the place of each of its tokens but the last.
    """

    tokens: list[np.ndarray] = field(default_factory=list)
    positions: list[np.ndarray] = field(default_factory=list)
    segments: list[np.ndarray] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    places: list[np.ndarray] = field(default_factory=list)
    length: int = 0

    def ancestors(self) -> np.ndarray:
        """Return a Boolean (branches, branches): [i, j] when branch i sees branch j."""
        seen = np.eye(len(self.parents), dtype=bool)
        for branch, parent in enumerate(self.parents):
            if parent >= 0:
                seen[branch] |= seen[parent]
        return seen


def lay_out(sequences: Sequence[np.ndarray]) -> TreeRow:
    """Return the row of `sequences`, each an integer array in which equal numbers mean equal
    content.
    """
    row = TreeRow(places=[np.empty(len(s) - 1, dtype=np.int64) for s in sequences])
    pending = [(list(range(len(sequences))), 0, -1)]
    while pending:
        members, start, parent = pending.pop()
        end = _common_end([sequences[m][:-1] for m in members], start)
        if end > start:
            parent = _write(row, sequences, members, start, end, parent)
        groups: dict[int, list[int]] = {}
        for member in members:
            if end < len(sequences[member]) - 1:
                groups.setdefault(int(sequences[member][end]), []).append(member)
        pending += [(group, end, parent) for group in reversed(groups.values())]
    return row


def _write(
    row: TreeRow,
    sequences: Sequence[np.ndarray],
    members: list[int],
    start: int,
    end: int,
    parent: int,
) -> int:
    branch = len(row.parents)
    row.parents.append(parent)
    row.tokens.append(sequences[members[0]][start:end])
    row.positions.append(np.arange(start, end))
    row.segments.append(np.full(end - start, branch))
    for member in members:
        row.places[member][start:end] = np.arange(row.length, row.length + end - start)
    row.length += end - start
    return branch


def _common_end(sequences: list[np.ndarray], start: int) -> int:
    first = sequences[0]
    end = len(first)
    for other in sequences[1:]:
        end = min(end, len(other))
        differs = np.flatnonzero(first[start:end] != other[start:end])
        if len(differs):
            end = start + int(differs[0])
    return end
