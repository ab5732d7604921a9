"""The weights of every family fit by transformers' own renaming, and a missing one is found."""

from dataclasses import replace

import pytest

from studio.config.model import ModelConfig
from studio.models.model_source import load_config
from studio.models.weight_files import read_header
from studio.models.weights_check import check_weights, differences
from tests.families.build import FAMILIES


@pytest.fixture(params=FAMILIES)
def model(request, bench):
    return ModelConfig(id=bench.model(request.param))


def test_saved_weights_fit(model):
    assert check_weights(model) == ""


def test_a_lost_weight_is_missed_and_a_foreign_one_not_known(model):
    config, header = load_config(model), read_header(model)
    lost = next(name for name in header.tensors if name.endswith("norm.weight"))
    left = {name: tensor for name, tensor in header.tensors.items() if name != lost}
    found = differences(
        config, replace(header, tensors=left | {"else.where": header.tensors[lost]})
    )
    assert len(found.missing) == 1 and not found.mismatched
    assert any(name.endswith("else.where") for name in found.unexpected)
