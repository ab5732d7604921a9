"""Fields of raw records by their paths: `question`, `data.image_url`, `completions[].response`."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

NULLS = frozenset({"nan", "NaN", "NULL", "None", "null", "<NA>"})
"""How other tools write that there is no value, where a file has only texts."""
ITEM = "[]"
DEEPEST = 30
BINARY = (bytes, bytearray, memoryview)
FEW = 64  # longer lists of numbers are taken to be numbers throughout

Record = Mapping[str, Any]


def is_missing(value: object, depth: int = 0) -> bool:
    """Return whether a value stands for none: null, NaN, blank text, or only such values.

    Raises:
        RecursionError: It is nested too deeply.
    """
    if value is None:
        return True
    if isinstance(value, str):
        return value in NULLS or not value or value.isspace()
    if isinstance(value, float):
        return math.isnan(value)
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, (list, tuple)):
        return all(is_missing(part, depth + 1) for part in value)
    if isinstance(value, dict):
        return all(is_missing(part, depth + 1) for part in value.values())
    return isinstance(value, BINARY) and not len(value)


def shape_of_record(record: Record) -> Hashable:
    """Return what `shape_of` returns for a record, with less work for plain values."""
    parts: list[tuple[str, Hashable]] = []
    for name, value in record.items():
        kind = type(value)
        if kind is str:
            if value and value not in NULLS and not value.isspace():
                parts.append((name, "text"))
        elif kind is int:
            parts.append((name, "number"))
        elif value is not None and not is_missing(value):
            parts.append((str(name), shape_of(value, 1)))
    return tuple(parts)


def shape_of(value: Any, depth: int = 0) -> Hashable:
    """Describe which fields of what kind a value has; values that are missing are not described.

    Records of one shape are read the same way.

    Raises:
        RecursionError: It is nested too deeply.
    """
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        return tuple(
            (str(name), shape_of(part, depth + 1))
            for name, part in value.items()
            if not is_missing(part)
        )
    if isinstance(value, (list, tuple)):
        if len(value) > FEW and isinstance(value[0], (int, float)):
            return frozenset({"number"})
        return frozenset(shape_of(part, depth + 1) for part in value if not is_missing(part))
    return "bytes" if isinstance(value, BINARY) else type(value).__name__


def is_shallow(record: Record) -> bool:
    """Return whether a record is not nested too deeply to be read."""
    try:
        shape_of(record)
    except RecursionError:
        return False
    return True


def leaf_paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of all values that hold no others, each once, in their order."""
    seen: dict[str, None] = {}
    _collect(value, path, seen)
    yield from seen


def _collect(value: Any, path: str, seen: dict[str, None]) -> None:
    if is_missing(value):
        return
    if isinstance(value, dict):
        for name, part in value.items():
            _collect(part, f"{path}.{name}" if path else str(name), seen)
    elif isinstance(value, (list, tuple)) and any(isinstance(p, (dict, list)) for p in value):
        for part in value:
            _collect(part, path + ITEM, seen)
    else:
        seen[path] = None


def has_path(record: Record, path: str) -> bool:
    """Return whether a record has a value at a path."""
    return not is_missing(get(record, path))


def get(value: Any, path: str) -> Any:
    """Return what stands at a path, None where nothing does; of lists (`[]`), a list.

    A field whose own name is the path comes first.
    """
    if isinstance(value, dict):
        if path in value:
            return value[path]
        for head, rest in _splits(path):
            if head in value:
                return get(value[head], rest)
            if head.endswith(ITEM) and head.removesuffix(ITEM) in value:
                return _each(value[head.removesuffix(ITEM)], rest)
    return None


def _each(value: Any, rest: str) -> Any:
    if not isinstance(value, (list, tuple)):
        return None
    return [get(part, rest) for part in value] if rest else list(value)


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """All ways to cut a path at a dot, the longest name first: names may have dots in them."""
    for place in range(len(path) - 1, 0, -1):
        if path[place] == ".":
            yield path[:place], path[place + 1 :]
    if path.endswith(ITEM):
        yield path, ""


def without(record: Record, path: str) -> dict[str, Any]:
    """Copy a record without what stands at a path; other parts are shared with the original."""
    if path in record:
        return {name: part for name, part in record.items() if name != path}
    for head, rest in _splits(path):
        name = head.removesuffix(ITEM)
        if name not in record:
            continue
        inside = record[name]
        if head.endswith(ITEM) and isinstance(inside, (list, tuple)):
            kept = [without(p, rest) if isinstance(p, dict) and rest else None for p in inside]
            return {**record, name: kept}
        if isinstance(inside, dict):
            return {**record, name: without(inside, rest)}
    return dict(record)


def parsed(text: str) -> Any:
    """Read a list or an object written as text: as JSON; None when it is neither."""
    body = text.strip()
    if body[:1] + body[-1:] not in ("[]", "{}"):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def plain(value: Any) -> Any:
    """Turn a value into plain JSON ones. Raises ValueError for what JSON has none for."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    raise ValueError("binary" if isinstance(value, BINARY) else f"a {type(value).__name__}")


def texts_of(value: Any) -> Iterator[str]:
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts_of(part)
    elif isinstance(value, Sequence) and not isinstance(value, BINARY):
        for part in value:
            yield from texts_of(part)


def names_in(value: Any) -> Iterator[str]:
    """Yield the name of every field in a value."""
    if isinstance(value, dict):
        yield from map(str, value)
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list, tuple)):
        for part in parts:
            yield from names_in(part)
