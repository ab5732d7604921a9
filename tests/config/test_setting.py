"""Settings are declared with all that a form and a page need, and share no default."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from studio.config import RunConfig
from studio.config.setting import Section, setting


class Inner(Section):
    names: list[str] = setting([], "Names", "Some names.")


class Outer(Section):
    size: int = setting(2, "Size", "How large.", effect="Time.", trl="n", level="basic", ge=1)
    inner: Inner = setting(Inner(), "Inner", "A section.")


def test_no_two_values_share_a_default():
    one, other = Outer(), Outer()
    one.inner.names.append("a")
    assert other.inner.names == [] and Outer().inner.names == []
    first = RunConfig()
    first.dpo.losses["ipo"] = 1.0
    assert "ipo" not in RunConfig().dpo.losses


def test_words_bounds_and_level_are_kept_together():
    field = Outer.model_fields["size"]
    assert (field.title, field.description) == ("Size", "How large.")
    assert field.json_schema_extra["level"] == "basic" and field.json_schema_extra["trl"] == "n"
    with pytest.raises(ValidationError):
        Outer(size=0)


def test_unknown_names_and_later_wrong_values_are_errors():
    with pytest.raises(ValidationError):
        Outer(sice=3)
    value = Outer()
    with pytest.raises(ValidationError):
        value.size = "large"
