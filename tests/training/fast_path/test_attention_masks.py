"""Who sees whom, with windows, and padding."""

import numpy as np
import torch

from studio.models.image_features.families import FULL, SLIDING
from studio.training.fast_path.attention_masks import attention_masks
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


def test_a_window_counts_back_along_a_tokens_own_path():
    strands = [strand(ids) for ids in sequences(3, 5)]
    layout = make_layout(strands, width=9, pad=0, cost=DEAR_TOKENS)
    masks = attention_masks(layout, windows={FULL: None, SLIDING: 2})
    for place, depth in enumerate(layout["position_ids"][0].tolist()):
        path = torch.nonzero(masks[FULL][0, 0, place]).flatten().tolist()
        near = torch.nonzero(masks[SLIDING][0, 0, place]).flatten().tolist()
        assert len(path) == depth + 1 and near == path[-2:]


def test_padding_sees_only_itself():
    strands = [strand(np.arange(4), row=0, images=()), strand(np.arange(9), row=1, images=())]
    twin = [strand(np.arange(4) + 1, row=0, images=()), strand(np.arange(9), row=1, images=())]
    layout = make_layout(strands + twin, width=9, pad=0, cost=DEAR_TOKENS)
    mask = attention_masks(layout, windows=ALL, additive=torch.float32)[FULL]
    assert mask.shape[1] == 1 and (mask.max(dim=-1).values == 0).all()
