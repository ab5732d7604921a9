import pytest

from studio.core.errors import ConfigError
from studio.inference.sampling import Sampling


def test_defaults_are_greedy() -> None:
    assert Sampling().generate_arguments() == {
        "max_new_tokens": 256,
        "repetition_penalty": 1.0,
        "do_sample": False,
    }


def test_temperature_turns_sampling_on() -> None:
    arguments = Sampling(temperature=0.7, top_p=0.9, top_k=50).generate_arguments()

    assert (arguments["do_sample"], arguments["top_p"], arguments["top_k"]) == (True, 0.9, 50)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_new_tokens", 0),
        ("max_new_tokens", None),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("top_p", 0.0),
        ("top_k", -1),
        ("repetition_penalty", 0.1),
        ("seed", -1),
        ("beam", 4),
    ],
)
def test_values_out_of_bounds_are_named(name: str, value: object) -> None:
    with pytest.raises(ConfigError) as refused:
        Sampling.parse({name: value})

    assert refused.value.field == f"sampling.{name}"
