"""What is wrong with a value is said in the studio's words, whatever is wrong with it."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from studio.annotation.labeling.project_settings import ProjectSettings, checked
from studio.config.run import RunConfig
from studio.config.run_file import parse, section_type
from studio.core.errors import ConfigError, InputError
from studio.inference.sampling import Sampling

PYDANTIC = re.compile(
    r"Input should|after validation|valid (integer|number|string)|unable to|Tuple|\{"
)

WRONG = (-(10**9), 10**9, 0.5, "x", "x" * 70_000, [], ["x"] * 50, [["x"]], {}, {"x": 1}, None, True,
         float("nan"), "\ud800", "9" * 5000)  # fmt: skip


def leaves(model: type[BaseModel], before: tuple[str, ...] = ()):
    for name, field in model.model_fields.items():
        inner = section_type(model, name)
        if inner is not None:
            yield from leaves(inner, (*before, name))
        del field
        yield (*before, name)


def nested(path: tuple[str, ...], value: object) -> dict:
    for name in reversed(path):
        value = {name: value}
    return value  # type: ignore[return-value]


@pytest.mark.parametrize("path", leaves(RunConfig), ids=".".join)
def test_no_setting_of_a_run_is_refused_in_words_of_a_library(path):
    for value in WRONG:
        try:
            parse(nested(path, value))
        except ConfigError as error:
            assert not PYDANTIC.search(re.sub(r"\(got .*", "", str(error), flags=re.S)), str(error)


@pytest.mark.parametrize(
    ("model", "parsed"), [(ProjectSettings, checked), (Sampling, Sampling.parse)]
)
def test_no_other_form_is_either(model, parsed):
    refused = 0
    for name in model.model_fields:
        for value in WRONG:
            try:
                parsed({name: value})
            except InputError as error:
                refused += 1
                said = re.sub(r"\(got .*", "", str(error), flags=re.S)
                assert not PYDANTIC.search(said), said
    assert refused > len(model.model_fields)
