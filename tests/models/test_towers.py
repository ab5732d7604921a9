"""Which tower a module belongs to."""

import pytest

from studio.config.model import ModelConfig
from studio.models.load import skeleton_of
from studio.models.towers import find_towers


@pytest.fixture(scope="module")
def skeleton():
    return skeleton_of(ModelConfig())


def test_the_towers_of_the_embedded_model(skeleton):
    towers = find_towers(skeleton)
    assert towers.of(towers.vision) == "vision"
    assert towers.of(f"{towers.language}.layers.0") == "language"
    assert towers.of("model.connector.modality_projection.proj") == "projector"
    assert towers.of("lm_head") == "head"
