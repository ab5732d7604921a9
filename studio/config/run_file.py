"""Run files: read, write, override; every mistake is named with its field and the nearest key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from studio.config import yaml_text
from studio.config.run import RunConfig
from studio.core.errors import ConfigError, FieldProblem, NotFoundError
from studio.core.paths import write_atomic
from studio.core.value_problems import phrase

LONGEST_SHOWN = 200
TYPE_TAGS = ("str", "list[str]", "int", "float")
"""What pydantic adds to the place of a problem in a field of several types."""


def parse(values: Mapping[str, Any]) -> RunConfig:
    """Make a `RunConfig` of plain values.

    Raises:
        ConfigError: With one problem per wrong key or value.
    """
    try:
        return RunConfig.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError([_problem(item) for item in error.errors()]) from None


def load(path: Path) -> RunConfig:
    """Read a run file.

    Raises:
        NotFoundError: There is no such file.
        ConfigError: It is not YAML, or holds wrong keys or values.
    """
    return parse(load_values(path))


def load_run(path: Path) -> RunConfig:
    """Read the run file of a run's folder; it names every setting that existed at its start.

    A run of an earlier version goes on as it began: it scores last answers, and cuts at its
    maximum length.

    Raises:
        NotFoundError: There is no such file.
        ConfigError: It is not YAML, or holds wrong keys or values.
    """
    values = load_values(path)
    data = values.get("data")
    if isinstance(data, dict) and "turns" not in data:
        cut = {"too_long": "cut_answer"} if data.get("max_length") else {}
        values["data"] = {"turns": "last", **cut, **data}
    return parse(values)


def load_values(path: Path) -> dict[str, Any]:
    """Read the mapping in a YAML file; its keys and values are not checked."""
    try:
        values = yaml_text.read(path)
    except FileNotFoundError:
        raise NotFoundError(f"There is no run file {path}.", remedy="Check the path.") from None
    except OSError as error:
        raise ConfigError(
            [FieldProblem(str(path), f"cannot be read: {error.strerror}.", "Check the path.")]
        ) from None
    except yaml_text.YamlError as error:
        raise ConfigError([FieldProblem(str(path), f"{error}.", "Correct it there.")]) from error
    if not isinstance(values, dict):
        remedy = "Begin with, for example, name: my-run."
        raise ConfigError([FieldProblem(str(path), "is not a mapping of settings.", remedy)])
    return values


def dump(config: RunConfig) -> str:
    """Write the run file of `config` as text: all settings, in the order they are declared."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def save(config: RunConfig, path: Path) -> None:
    """Write the run file atomically."""
    write_atomic(path, dump(config))


def override(values: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Apply `key.path=value` assignments (values in YAML) to plain values.

    Raises:
        ConfigError: An assignment has no `=`, its value is not YAML, or it goes through something
            that is no section.
    """
    for assignment in assignments:
        path, separator, text = assignment.partition("=")
        if not separator or not path:
            remedy = "Write, for example, batch.total=8."
            raise ConfigError([FieldProblem(assignment, "is not of the form key=value.", remedy)])
        try:
            value = yaml_text.parse(text)
        except yaml_text.YamlError as error:
            problem = FieldProblem(path.strip(), f"{_short(text)} {error}.")
            raise ConfigError([problem]) from error
        set_path(values, path.strip(), value)
    return values


def set_path(values: dict[str, Any], path: str, value: Any) -> None:
    """Set `values["a"]["b"]` for the path `a.b`, making sections on the way."""
    *sections, last = path.split(".")
    for section in sections:
        inner = values.get(section)
        if inner is None:
            inner = values[section] = {}
        if not isinstance(inner, dict):
            raise ConfigError([FieldProblem(path, f"{section} is a value, not a section.")])
        values = inner
    values[last] = value


def _problem(error: Any) -> FieldProblem:
    location = [part for part in error["loc"] if isinstance(part, str) and part not in TYPE_TAGS]
    field = ".".join(location) or "run file"
    if error["type"] == "extra_forbidden":
        return FieldProblem(field, "unknown setting.", _nearest(location))
    given = error.get("input")
    shown = f" (got {_short(given)})" if isinstance(given, (str, int, float, bool)) else ""
    return FieldProblem(field, f"{phrase(error)}{shown}.")


def _short(given: str | int | float | bool) -> str:
    shown = repr(given)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"


def _nearest(location: list[str]) -> str:
    model: type[BaseModel] = RunConfig
    for part in location[:-1]:
        model = section_type(model, part) or model
    if not location:  # a key that is no text
        return f"Known here: {', '.join(model.model_fields)}."
    near = difflib.get_close_matches(location[-1], list(model.model_fields), n=1, cutoff=0.4)
    if near:
        return f"Did you mean {'.'.join([*location[:-1], near[0]])}?"
    return f"Known here: {', '.join(model.model_fields)}."


def section_type(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Find the section class of field `name`, looking through `Section | None`."""
    field = model.model_fields.get(name)
    if field is None:
        return None
    for candidate in (field.annotation, *getattr(field.annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
