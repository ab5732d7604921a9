"""Positions with three axes (time, height, width), in which an image takes the shape of its grid.

Multimodal rotary positions of Qwen2-VL (Wang et al. 2024, section 2.1): text counts up on all
axes alike; an image's tokens keep the time at which it begins and spread over height and width;
what follows goes on after the longer side. A token's position depends on what precedes it only,
so sequences that begin alike have the same positions there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def grid_positions(
    pictured: np.ndarray, grids: Sequence[tuple[int, int, int]], merge: int
) -> np.ndarray:
    """Return the positions of one sequence: (3, tokens).

    Args:
        pictured: Boolean (tokens,): whether the token stands for an image feature.
        grids: Patches of each image in time, height and width, in order.
        merge: Patches along each side that make one token.
    """
    found, at, place = np.zeros((3, len(pictured)), dtype=np.int64), 0, 0
    for time, height, width in grids:
        start = place + int(np.argmax(pictured[place:]))
        found[:, place:start] = at + np.arange(start - place)
        at += start - place
        shape = time, height // merge, width // merge
        place = start + int(np.prod(shape))
        found[:, start:place] = at + np.indices(shape).reshape(3, -1)
        at += max(shape[1:])
    found[:, place:] = at + np.arange(len(pictured) - place)
    return found
