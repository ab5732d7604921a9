"""Traces made before: the same step of the same model takes the same bytes, so it is run once.

A run is planned in the form, from the command line and again when its worker starts; only the
first of them needs to trace it. What a trace depends on is its key: settings, shapes of all
weights, rows, processor, the libraries and the code that traces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.training.fast_path.applicability import FastPath
from studio.training.planning.activation_trace import Traceable, Traced
from studio.training.planning.result_cache import code_of, keep_note, key_of, libraries, read_note

SECTIONS = ("method", "model", "adapter", "batch", "dpo", "speed")
CODE = (Path(__file__).parent, Path(__file__).parent.parent / "fast_path")


@dataclass(frozen=True)
class TracedStep:
    """What is traced: one training step of `rows` on the meta device.

    Attributes:
        size, tokens: Rows at once, and tokens of the longest; what counts when `rows` is empty.
    """

    config: RunConfig
    traceable: Traceable
    rows: Iterable[dict[str, Any]]
    size: int
    tokens: int
    path: FastPath


def traced_once(step: TracedStep, workspace: Workspace, trace: Callable[[], Traced]) -> Traced:
    """Return what `trace` found for this step, now or earlier; kept in the cache, safe to delete."""
    file = workspace.traces / f"{_key(step)}.json"
    known = read_note(file, lambda values: Traced(**values))
    if known is not None:
        return known
    found = trace()
    keep_note(file, asdict(found))
    return found


def _key(step: TracedStep) -> str:
    settings = step.config.model_dump(mode="json")
    traceable = step.traceable
    parts = (
        {name: settings[name] for name in SECTIONS},
        (settings["data"]["max_length"], settings["data"]["too_long"]),
        (step.size, step.tokens, str(step.path)),
        (str(traceable.base.dtype), _plain(traceable)),
        traceable.base.config.to_dict(),
        libraries(),
        code_of(*CODE),
    )
    return key_of(parts, (*_weights(traceable), *_processor(traceable), *map(_row, step.rows)))


def _plain(traceable: Traceable) -> dict[str, Any]:
    """What is known of it besides its modules and its processor."""
    values = {item.name: getattr(traceable, item.name) for item in fields(traceable)}
    return {
        name: sorted(value) if isinstance(value, (set, frozenset)) else value
        for name, value in values.items()
        if name not in ("model", "base", "processor")
    }


def _weights(traceable: Traceable) -> Iterator[str]:
    for name, weight in traceable.model.named_parameters():
        yield f"{name}{tuple(weight.shape)}{weight.dtype}{weight.requires_grad}"


def _processor(traceable: Traceable) -> Iterator[str]:
    if traceable.processor is not None:
        yield json.dumps(traceable.processor.to_dict(), sort_keys=True, default=str)


def _row(row: dict[str, Any]) -> str:
    sizes = [getattr(image, "size", None) for image in row.get("images") or []]
    texts = {name: value for name, value in row.items() if name != "images"}
    return json.dumps([sizes, texts], sort_keys=True, default=str)
