"""The settings as a flat list, for whoever draws a form or writes a reference."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from studio.config.run import RunConfig
from studio.config.run_file import section_type

Kind = Literal["text", "number", "integer", "boolean", "choice", "choices", "list", "mapping"]


@dataclass(frozen=True)
class FieldSpec:
    """One setting as a form needs it.

    Attributes:
        path: Dotted path in the run file.
        group: First part of the path, or "" for a top-level setting.
        minimum, maximum: Inclusive or exclusive bounds, None when there is none.
        effect: What it does to memory, time or quality.
        trl: Its name in TRL, transformers or PEFT; empty for what only the studio has.
        example: What an empty field shows.
    """

    path: str
    group: str
    label: str
    help: str
    kind: Kind
    default: Any
    choices: tuple[str, ...] = ()
    optional: bool = False
    minimum: float | None = None
    maximum: float | None = None
    level: str = "all"
    method: str | None = None
    effect: str = ""
    trl: str = ""
    example: str = ""


def field_specs(model: type[BaseModel] = RunConfig, prefix: str = "") -> Iterator[FieldSpec]:
    """Yield every setting, depth first, in the order of the run file."""
    for name, info in model.model_fields.items():
        path = f"{prefix}{name}"
        section = section_type(model, name)
        if section is not None:
            yield from field_specs(section, f"{path}.")
        else:
            yield _spec(path, info)


def _spec(path: str, info: FieldInfo) -> FieldSpec:
    kind, choices, optional = _kind(info.annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    low, high = _bounds(info)
    return FieldSpec(
        path=path,
        group=path.rpartition(".")[0].split(".")[0],
        label=info.title or path,
        help=info.description or "",
        kind=kind,
        default=info.get_default(call_default_factory=True),
        choices=choices,
        optional=optional,
        minimum=low,
        maximum=high,
        level=str(extra.get("level", "all")),
        method=str(extra["method"]) if extra.get("method") else None,
        effect=str(extra.get("effect", "")),
        trl=str(extra.get("trl", "")),
        example=str(extra.get("example", "")),
    )


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...], bool]:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        kind, choices, _ = _kind(inner[0])
        return kind, choices, len(inner) < len(get_args(annotation))
    if origin is Literal:
        return "choice", tuple(str(choice) for choice in get_args(annotation)), False
    if origin is list:
        inner_kind, choices, _ = _kind(get_args(annotation)[0])
        return ("choices" if inner_kind == "choice" else "list"), choices, False
    if origin is dict:
        return "mapping", (), False
    simple: dict[Any, Kind] = {bool: "boolean", int: "integer", float: "number"}
    return simple.get(annotation, "text"), (), False


def _bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    low = high = None
    for rule in info.metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", low))
        high = getattr(rule, "le", getattr(rule, "lt", high))
    return low, high
