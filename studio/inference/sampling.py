"""How the next token is chosen: the settings, their bounds and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from studio.config.setting import Section, setting
from studio.core.errors import ConfigError, FieldProblem
from studio.core.value_problems import sentence


class Sampling(Section):
    """Decoding settings; the defaults are greedy."""

    max_new_tokens: int = setting(
        256,
        "Longest answer (tokens)",
        "The answer is cut after this many tokens.",
        level="basic",
        ge=1,
        le=4096,
    )
    temperature: float = setting(
        0.0,
        "Temperature",
        "0 always takes the likeliest token (the same answer each time); 0.7 varies, 1 varies more.",
        level="basic",
        ge=0.0,
        le=2.0,
    )
    top_p: float = setting(
        1.0,
        "Top p",
        "Choose among the likeliest tokens that make up this share of the probability.",
        gt=0.0,
        le=1.0,
    )
    top_k: int = setting(
        0, "Top k", "Choose among this many likeliest tokens; 0 is all.", ge=0, le=1000
    )
    repetition_penalty: float = setting(
        1.0,
        "Repetition penalty",
        "Above 1, tokens already seen get less likely (Keskar et al. 2019).",
        ge=0.5,
        le=2.0,
    )
    seed: int = setting(
        0, "Seed", "Same seed and settings, same answer on the same device.", ge=0, le=2**32 - 1
    )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Sampling:
        """Return settings from plain values.

        Raises:
            ConfigError: With one problem per value out of bounds.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError([_problem(item) for item in error.errors()]) from None

    def generate_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of `generate` for these settings."""
        arguments: dict[str, Any] = {
            "max_new_tokens": self.max_new_tokens,
            "repetition_penalty": self.repetition_penalty,
            "do_sample": self.temperature > 0,
        }
        if self.temperature > 0:
            arguments |= {
                "temperature": self.temperature,
                "top_p": self.top_p,
                "top_k": self.top_k,
            }
        return arguments


def _problem(error: Any) -> FieldProblem:
    name = str(error["loc"][0])
    known = Sampling.model_fields.get(name)
    label = (known.title if known is not None else None) or name
    return FieldProblem(f"sampling.{name}", sentence(label, error))
