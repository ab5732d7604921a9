"""The models that can be asked, by the names the form has for them."""

from __future__ import annotations

import pytest

from studio.core.errors import InputError
from studio.ui.chat.models import EMBEDDED_KEY, choices, columns, find
from tests.ui.chat.fake_inference import (
    ADAPTER,
    BASE,
)


def test_choices_and_what_they_stand_for() -> None:
    models = [BASE, ADAPTER]

    assert choices(models)[1] == ("Grounded · DPO (adapter)", "run:r1")
    assert find(models, EMBEDDED_KEY) == BASE
    assert find(models, "org/SomeVLM").model.id == "org/SomeVLM"
    assert columns(models, "run:r1", True) == [BASE, ADAPTER]
    assert columns(models, EMBEDDED_KEY, True) == [BASE]
    for gone in ("run:r9", "", None):
        with pytest.raises(InputError):
            find(models, gone)


@pytest.mark.parametrize("name", ["a" * 300, "\x00", "a\x00b"])
def test_a_name_that_no_model_can_have_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(InputError) as told:
        find([], name)
    assert told.value.field == "model" and "pydantic" not in str(told.value)
