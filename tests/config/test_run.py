"""What can be read off a run file: the rate of its method, and its steps."""

import pytest

from studio.config import run_file
from studio.config.optimizer import DEFAULT_RATES, OptimizerConfig


@pytest.mark.parametrize(
    ("values", "rate"),
    [
        ({}, 2e-4),
        ({"method": "sft"}, 2e-4),
        ({"method": "dpo"}, 1e-5),
        ({"method": "dpo", "optimizer": {"schedule": "constant"}}, 1e-5),
        ({"method": "dpo", "optimizer": {"learning_rate": 2e-4}}, 2e-4),
        ({"method": "dpo", "optimizer": OptimizerConfig()}, 1e-5),
        ({"method": "dpo", "optimizer": OptimizerConfig(learning_rate=3e-4)}, 3e-4),
    ],
)
def test_the_default_learning_rate_is_that_of_the_method(values, rate):
    config = run_file.parse(values)
    assert config.optimizer.learning_rate == rate
    assert run_file.parse(config.model_dump()).optimizer.learning_rate == rate
    overridden = run_file.override({"optimizer": {}}, [f"method={config.method}"])
    assert run_file.parse(overridden).optimizer.learning_rate == DEFAULT_RATES[config.method]


def test_accumulation_is_derived_and_steps_are_counted():
    config = run_file.parse({"batch": {"per_device": 4, "total": 16}, "schedule": {"epochs": 3}})
    assert config.accumulation == 4
    assert config.total_steps(33) == 9
    limited = config.model_copy(
        update={"schedule": config.schedule.model_copy(update={"max_steps": 5})}
    )
    assert limited.total_steps(33) == 5
    assert limited.total_steps(4) == 5, "whatever the epochs, as transformers has it"
    assert (config.epochs_over(40), limited.epochs_over(40)) == (3, 2)
