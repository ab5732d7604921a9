"""All values of a form in one component."""

from __future__ import annotations

import inspect

from studio.ui.train.form_values import of_form


def test_a_form_read_as_one_list_is_the_same_to_its_handlers():
    def told(before, *shown):
        return before, shown

    def telling(before, *shown):
        yield before, shown

    assert of_form(told)(1, [2, None, "x"]) == (1, (2, None, "x"))
    assert list(of_form(telling)(1, [2])) == [(1, (2,))]
    assert inspect.isgeneratorfunction(of_form(telling))
    assert not inspect.isgeneratorfunction(of_form(told))
