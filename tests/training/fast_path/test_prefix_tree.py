"""Sequences that begin alike stand once."""

import numpy as np
import pytest
import torch

from studio.models.image_features.families import FULL
from studio.training.fast_path.attention_masks import attention_masks
from studio.training.fast_path.prefix_tree import lay_out
from studio.training.fast_path.shared_prompt_layout import Cost, Strand, make_layout

DEAR_TOKENS = Cost(linear=100.0, attention=0.01)


ALL = {FULL: None}


def sequences(seed: int, count: int) -> list[np.ndarray]:
    """Sequences of a small alphabet, so that many begin alike."""
    random = np.random.default_rng(seed)
    return [random.integers(0, 2, random.integers(2, 9)) for _ in range(count)]


def strand(ids: np.ndarray, row: int = 0, images: tuple[str, ...] = ("a",)) -> Strand:
    scored = np.zeros(len(ids), dtype=bool)
    scored[-2:] = True
    return Strand(ids.astype(np.int64), np.full(len(ids), -1), scored, row, images)


@pytest.mark.parametrize("seed", range(20))
def test_every_token_sees_exactly_what_precedes_it(seed):
    given = sequences(seed, 5)
    strands = [strand(ids) for ids in given]
    layout = make_layout(strands, width=9, pad=0, cost=DEAR_TOKENS)
    assert "segments" in layout and layout["input_ids"].shape[0] == 1
    seen = attention_masks(layout, windows=ALL)[FULL][0, 0]
    row = lay_out(given)
    assert row.length < sum(len(ids) - 1 for ids in given)
    for ids, places in zip(given, row.places, strict=True):
        assert layout["input_ids"][0, places].tolist() == ids[:-1].tolist()
        assert layout["position_ids"][0, places].tolist() == list(range(len(ids) - 1))
        for depth, place in enumerate(places):
            assert torch.nonzero(seen[place]).flatten().tolist() == sorted(places[: depth + 1])
