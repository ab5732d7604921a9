"""Tokens of images by the processor's formula, and by measuring where that cannot be trusted."""

from __future__ import annotations

from collections import Counter

import pytest

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models import image_tokens
from studio.models.image_tokens import Expansions
from studio.models.model_source import load_processor

SPLIT = {"longest_edge": 384, "split": True}


@pytest.fixture(scope="module")
def plain():
    return load_processor(ModelConfig())


@pytest.fixture(scope="module")
def tiled():
    return load_processor(ModelConfig(image=SPLIT))


def test_sizes_beyond_the_measured_ones_follow_the_formula_when_it_agrees(plain):
    uses = Counter({(1, (50 + n, 40)): 30 - n for n in range(25)})
    expansions = Expansions(plain)
    found = dict(expansions.of(uses))
    assert set(found) == set(uses) and expansions.measured == image_tokens.MEASURED
    assert {one.tokens for one in found.values()} == {39}
    assert {one.tiles for one in found.values()} == {1}


def test_an_enormous_image_is_put_through_only_when_there_is_no_formula(plain, monkeypatch):
    monkeypatch.setattr(image_tokens, "MOST_PIXELS", 10_000)
    uses = Counter({(1, (60, 40)): 1, (3, (90, 50)): 1, (1, (90, 50)): 1})
    expansions = Expansions(plain)
    assert {one.tokens for _, one in expansions.of(uses)} == {39} and expansions.measured == 2
    monkeypatch.setattr(Expansions, "_formula", lambda self, measured: None)
    expansions = Expansions(plain)
    assert set(dict(expansions.of(uses))) == set(uses) and expansions.measured == 3


def test_a_formula_that_is_wrong_once_is_not_trusted(plain, monkeypatch):
    honest = type(plain)._get_num_multimodal_tokens

    def wrong(self, image_sizes=None, **kwargs):
        found = honest(self, image_sizes=image_sizes, **kwargs)
        if image_sizes[0][1] > 70:
            found.num_image_tokens[0] += 1
        return found

    monkeypatch.setattr(type(plain), "_get_num_multimodal_tokens", wrong)
    uses = Counter({(1, (50 + n, 40)): 1 for n in range(25)})
    expansions = Expansions(plain)
    assert {one.tokens for _, one in expansions.of(uses)} == {39}
    assert expansions.measured == 25


def test_tiles_and_pixels_are_those_of_the_processor(tiled):
    found = Expansions(tiled).measure((1, (300, 100)))
    assert found.tiles == 4 * 2 + 1 and found.seen == (4 * 96, 2 * 96)


def test_a_processor_that_refuses_a_size_is_an_error_with_the_size(plain, monkeypatch):
    def refuse(*args, **kwargs):
        raise ValueError("height must be larger than factor")

    monkeypatch.setattr(type(plain), "__call__", refuse)
    with pytest.raises(ModelError, match="1 × 3 pixels: height must be larger"):
        Expansions(plain).measure((1, (1, 3)))
