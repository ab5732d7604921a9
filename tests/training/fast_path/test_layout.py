"""Tries of sequences: what stands where, and who sees whom."""

import numpy as np
import pytest
import torch

from studio.training.fast_path.attention_masks import attention_masks
from studio.training.fast_path.batching import StepSampler
from studio.training.fast_path.families import FULL, SLIDING
from studio.training.fast_path.layout import Cost, Strand, make_layout
from studio.training.fast_path.prefix_tree import lay_out

CHEAP_TOKENS = Cost(linear=1.0, attention=100.0)
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


def test_a_window_counts_back_along_a_tokens_own_path():
    strands = [strand(ids) for ids in sequences(3, 5)]
    layout = make_layout(strands, width=9, pad=0, cost=DEAR_TOKENS)
    masks = attention_masks(layout, windows={FULL: None, SLIDING: 2})
    for place, depth in enumerate(layout["position_ids"][0].tolist()):
        path = torch.nonzero(masks[FULL][0, 0, place]).flatten().tolist()
        near = torch.nonzero(masks[SLIDING][0, 0, place]).flatten().tolist()
        assert len(path) == depth + 1 and near == path[-2:]


@pytest.mark.parametrize("cost", [None, DEAR_TOKENS])
def test_scores_go_back_to_the_trainers_places(cost):
    strands = [strand(ids) for ids in sequences(1, 4)]
    layout = make_layout(strands, width=9, pad=0, cost=cost)
    expected = {
        (index, place - 1): int(one.ids[place])
        for index, one in enumerate(strands)
        for place in np.flatnonzero(one.scored)
        if place > 0
    }
    found = {
        divmod(int(target), 8): int(label)
        for target, label in zip(layout["targets"], layout["labels"], strict=True)
    }
    assert found == expected


def test_sharing_is_left_out_where_attention_would_cost_more():
    prompt = np.arange(3)
    answers = [np.concatenate([prompt, np.full(40, number)]) for number in (7, 8)]
    strands = [strand(ids) for ids in answers]
    assert "segments" not in make_layout(strands, width=43, pad=0, cost=CHEAP_TOKENS)
    assert "segments" in make_layout(strands, width=43, pad=0, cost=DEAR_TOKENS)


def test_different_images_are_never_merged():
    ids = np.arange(6)
    slots = [np.array([-1, 0, 1, -1, -1, -1]), np.array([-1, 2, 3, -1, -1, -1])]
    scored = np.ones(6, dtype=bool)
    strands = [Strand(ids, s, scored, 0, ("a",)) for s in slots]
    layout = make_layout(strands, width=6, pad=0, cost=DEAR_TOKENS)
    assert sorted(layout["slots"][layout["slots"] >= 0].tolist()) == [0, 1, 2, 3]


def test_padding_sees_only_itself():
    strands = [strand(np.arange(4), row=0, images=()), strand(np.arange(9), row=1, images=())]
    twin = [strand(np.arange(4) + 1, row=0, images=()), strand(np.arange(9), row=1, images=())]
    layout = make_layout(strands + twin, width=9, pad=0, cost=DEAR_TOKENS)
    mask = attention_masks(layout, windows=ALL, additive=torch.float32)[FULL]
    assert mask.shape[1] == 1 and (mask.max(dim=-1).values == 0).all()


def test_rows_move_within_their_step_only():
    sizes = [(9,), (1,), (5,), (3,), (8,), (2,), (7,)]
    order = list(StepSampler(range(7), 3, sizes))
    assert order == [1, 2, 0, 5, 3, 4, 6]
