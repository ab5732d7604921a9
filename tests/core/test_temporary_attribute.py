"""Attributes that another value stands in for."""

from types import SimpleNamespace

import pytest

from studio.core.temporary_attribute import swapped


def test_what_stood_there_comes_back_whatever_happens():
    owner = SimpleNamespace(value=1)
    with pytest.raises(KeyError), swapped(owner, "value", 2):
        assert owner.value == 2
        raise KeyError
    assert owner.value == 1


def test_a_name_that_is_gone_is_not_made():
    owner = SimpleNamespace()
    with pytest.raises(AttributeError), swapped(owner, "value", 2):
        pass
    assert not hasattr(owner, "value")
