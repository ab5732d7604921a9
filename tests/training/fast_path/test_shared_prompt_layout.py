"""Tries of sequences: what stands where, and who sees whom."""

import numpy as np
import pytest

from studio.training.fast_path.shared_prompt_layout import Cost, Strand, make_layout

CHEAP_TOKENS = Cost(linear=1.0, attention=100.0)


DEAR_TOKENS = Cost(linear=100.0, attention=0.01)


def sequences(seed: int, count: int) -> list[np.ndarray]:
    """Sequences of a small alphabet, so that many begin alike."""
    random = np.random.default_rng(seed)
    return [random.integers(0, 2, random.integers(2, 9)) for _ in range(count)]


def strand(ids: np.ndarray, row: int = 0, images: tuple[str, ...] = ("a",)) -> Strand:
    scored = np.zeros(len(ids), dtype=bool)
    scored[-2:] = True
    return Strand(ids.astype(np.int64), np.full(len(ids), -1), scored, row, images)


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
