"""When a learning rate is called high for DPO: by what models of the run's size bear."""

import pytest

from studio.config import run_file
from studio.training.parameter_groups import high_rate, highest_dpo_rate

TINY, SMALL, LARGE = 1_920_000, 256_000_000, 8_000_000_000


def dpo(rate, **values):
    return run_file.parse({"method": "dpo", "optimizer": {"learning_rate": rate}, **values})


@pytest.mark.parametrize(
    ("rate", "parameters", "high"),
    [
        (5e-5, LARGE, False),
        (6e-5, LARGE, True),
        (6e-5, SMALL, False),
        (2e-4, SMALL, True),
        (1e-3, TINY, False),
        (2e-3, TINY, True),
    ],
)
def test_a_rate_is_high_by_the_size_of_the_model(rate, parameters, high):
    found = high_rate(dpo(rate), parameters)
    assert bool(found) == high
    assert not high or f"{rate:g} is high for DPO with LoRA" in found[0]


def test_it_is_said_of_dpo_with_an_adapter_only():
    assert high_rate(dpo(1e-2, adapter=None), LARGE) == []
    assert high_rate(dpo(1e-2).model_copy(update={"method": "sft"}), LARGE) == []


def test_smaller_models_bear_no_less():
    rates = [highest_dpo_rate(parameters) for parameters in (TINY, SMALL, LARGE, 100 * LARGE)]
    assert rates == sorted(rates, reverse=True) and rates[-1] == rates[-2] == 5e-5
