"""The scripts a run is taken elsewhere with: files with holes in `templates/`, filled here."""

from __future__ import annotations

import pprint
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def pretty(value: Any, width: int = 86) -> str:
    """Format a value as Python source, over several lines where one would be too long."""
    return pprint.pformat(value, width=width, sort_dicts=False)


def arguments(values: Mapping[str, Any]) -> str:
    """Format values as the keyword arguments of a call, one a line."""
    shown = ((key, pretty(value).replace("\n", "\n    ")) for key, value in values.items())
    return "\n".join(f"    {key}={value}," for key, value in shown)


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # shell and Python source, never a page
)
_TEMPLATES.filters |= {"repr": repr, "pretty": pretty, "arguments": arguments}
_TEMPLATES.filters["shell"] = lambda value: shlex.quote(str(value))


def fill(template: str, **values: Any) -> str:
    """Fill a template's holes; returns the script.

    Raises:
        jinja2.UndefinedError: A value that the template names is not given.
    """
    return _TEMPLATES.get_template(template).render(values)
