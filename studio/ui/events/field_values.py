"""Which values a field of a page can hold, looked at before Gradio does.

Gradio answers a value that is none of a field's with a traceback which repeats that value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from pydantic import ValidationError

from studio.ui.compat.gradio_parts import has_only_own_files
from studio.ui.events.event_data import LARGEST

RELOAD, CHANGE = "Reload the page.", "Change it, then try again."
_EXPECTED = "studio_expects"
# By the component a value is of: which kinds its preprocessing takes; others take all.
KINDS: tuple[tuple[type, tuple[type, ...]], ...] = (
    (gr.Number, (int, float)),
    (gr.Slider, (int, float)),
    (gr.Checkbox, (bool,)),
    (gr.CheckboxGroup, (list,)),
    (gr.Textbox, (str, int, float)),
    (gr.Code, (str,)),
    (gr.Button, (str,)),  # what stands on it
    (gr.Dropdown, (str, int, float, list)),
    (gr.Radio, (str, int, float)),
)
NEVER_EMPTY = (gr.Slider, gr.CheckboxGroup)


@dataclass(frozen=True)
class Wrong:
    """What is wrong with an event, and what to do about it."""

    message: str
    remedy: str = RELOAD


@dataclass(frozen=True)
class _Expected:
    kinds: tuple[type, ...] = ()
    parts: tuple[Any, ...] = ()


def remembers(component: Any, kind: type) -> Any:
    """Note that a browser's memory holds values of one kind; others count as none. Returns it."""
    setattr(component, _EXPECTED, _Expected(kinds=(kind,)))
    return component


def gathers(component: Any, parts: Sequence[Any]) -> Any:
    """Note that a component holds the values of `parts`, in their order. Returns it."""
    setattr(component, _EXPECTED, _Expected(parts=tuple(parts)))
    return component


def usual(component: Any, value: Any) -> Any:
    """`value` as handlers expect it: no text is an empty one, a foreign memory is none."""
    if value is None:
        return _nothing(component)
    expected = _expected(component)
    if expected.parts and isinstance(value, list) and len(value) == len(expected.parts):
        return [usual(part, item) for part, item in zip(expected.parts, value, strict=True)]
    return None if expected.kinds and not isinstance(value, expected.kinds) else value


def _nothing(component: Any) -> Any:
    """Return what handlers get of a field in which nothing is."""
    if isinstance(component, gr.Textbox | gr.Code):
        return ""
    return [] if isinstance(component, gr.Dropdown) and component.multiselect else None


def wrong_value(component: Any, shown: Any, value: Any) -> Wrong | None:
    """Return what is wrong with a value of a field; None when nothing is.

    Args:
        component: The field as the page was made with it.
        shown: The field as this session sees it: its choices and ends may be others.
    """
    name = f"“{shown.label}”" if getattr(shown, "label", None) else "A field"
    if not _has_shape(component, value):
        return Wrong(f"{name} does not hold such a value.")
    if value is None:
        return None
    return _out_of_range(shown, name, value) or _not_offered(shown, name, value)


def _has_shape(component: Any, value: Any) -> bool:
    """Whether a value is of a kind that its field holds, and names no file but a page's own."""
    expected = _expected(component)
    if expected.parts:
        return (
            isinstance(value, list)
            and len(value) == len(expected.parts)
            and all(map(_has_shape, expected.parts, value))
        )
    if value is None:
        return not isinstance(component, NEVER_EMPTY)
    kinds = next((kinds for kind, kinds in KINDS if isinstance(component, kind)), None)
    if kinds is not None and not _is_of(value, kinds):
        return False
    return (
        _is_typed(component, value)
        and _has_items(component, value)
        and has_only_own_files(value)
        and _is_model(component, value)
    )


def _is_of(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # which counts as a number too
        return bool in kinds
    if isinstance(value, int | float) and not abs(value) <= LARGEST:  # also of one that is too long
        return False
    return isinstance(value, kinds)


def _is_typed(component: Any, value: Any) -> bool:
    """Whether a list in which anything can be typed holds a text, or a value of its choices' kind."""
    if not (isinstance(component, gr.Dropdown) and component.allow_custom_value):
        return True
    kinds: tuple[type, ...] = (str, *(type(choice) for _, choice in component.choices or ()))
    return all(_is_of(one, kinds) for one in (value if isinstance(value, list) else [value]))


def _has_items(component: Any, value: Any) -> bool:
    """Return whether a choice is one, and several are a list of such."""
    if isinstance(component, gr.Dropdown) and isinstance(value, list) != bool(
        component.multiselect
    ):
        return False
    if isinstance(component, gr.Dropdown | gr.CheckboxGroup) and isinstance(value, list):
        return all(_is_of(item, (str, int, float)) for item in value)
    return True


def _is_model(component: Any, value: Any) -> bool:
    """Return whether Gradio can read the value of a field for files or images."""
    model = getattr(component, "data_model", None)
    if model is None:
        return True
    try:
        model.model_validate(value, context={"validate_meta": True})
    except ValidationError:
        return False
    return True


def _out_of_range(shown: Any, name: str, value: Any) -> Wrong | None:
    if not isinstance(shown, gr.Number | gr.Slider):
        return None
    low, high = shown.minimum, shown.maximum
    if low is not None and value < low:
        return Wrong(f"{name} is {value:,}; the least is {low:,}.", CHANGE)
    if high is not None and value > high:
        return Wrong(f"{name} is {value:,}; the most is {high:,}.", CHANGE)
    return None


def _not_offered(shown: Any, name: str, value: Any) -> Wrong | None:
    if not isinstance(shown, gr.Dropdown | gr.Radio | gr.CheckboxGroup):
        return None
    if isinstance(shown, gr.Dropdown) and shown.allow_custom_value:
        return None
    offered = [choice for _, choice in shown.choices]
    if all(item in offered for item in (value if isinstance(value, list) else [value])):
        return None
    return Wrong(f"{name} does not offer this choice.")


def _expected(component: Any) -> _Expected:
    return getattr(component, _EXPECTED, _Expected())
