"""JSON Lines, and JSON files that hold a list of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import source_error
from studio.data.schema import BadRow
from studio.data.sources.reader import Reader, Record

MAX_LINE = 32 * 1024 * 1024
MAX_JSON = 256 * 1024 * 1024


@dataclass
class JsonLinesReader(Reader):
    """One object a line; a damaged line is named and the others are read."""

    path: Path = Path()

    def records(self) -> Iterator[Record | BadRow]:
        with self.path.open("rb") as handle:
            line = 0
            while raw := handle.readline(MAX_LINE + 1):
                line += 1
                if len(raw) > MAX_LINE:
                    while raw and not raw.endswith(b"\n"):
                        raw = handle.readline(MAX_LINE)
                    yield BadRow(line, f"line over {MAX_LINE >> 20} MB")
                elif raw.strip():
                    yield _parsed(raw, line)

    def count(self) -> int:
        with self.path.open("rb") as handle:
            return sum(1 for raw in handle if raw.strip())


@dataclass
class JsonReader(Reader):
    """A list of objects, or an object with one list of objects in it."""

    path: Path = Path()

    def records(self) -> Iterator[Record | BadRow]:
        if self.path.stat().st_size > MAX_JSON:
            raise source_error(
                f"{self.path.name} is over {MAX_JSON >> 20} MB; JSON is read as a whole.",
                "Save it as JSON Lines (.jsonl) or Parquet.",
            )
        for line, values in enumerate(self._objects(), 1):
            if isinstance(values, dict):
                yield Record(line, values)
            else:
                yield BadRow(line, "not an object with named fields")

    def _objects(self) -> list[object]:
        try:
            value = json.loads(self.path.read_text(encoding="utf-8-sig"), **_STRICT)
        except (ValueError, RecursionError) as error:
            raise source_error(
                f"{self.path.name} is not valid JSON: {error}.",
                "Save one object a line as .jsonl, so that single bad rows can be skipped.",
            ) from error
        if isinstance(value, dict):
            lists = [part for part in value.values() if isinstance(part, list)]
            value = lists[0] if len(lists) == 1 else None
        if not isinstance(value, list):
            raise source_error(
                f"{self.path.name} holds no list of rows.",
                "Save a list of objects, or one object a line as .jsonl.",
            )
        return value


def _parsed(raw: bytes, line: int) -> Record | BadRow:
    try:
        values = json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"), **_STRICT)
    except UnicodeDecodeError as error:
        return BadRow(line, f"not UTF-8 text (byte {error.start + 1})")
    except json.JSONDecodeError as error:
        return BadRow(line, f"not valid JSON: {error.msg} at character {error.colno}")
    except (ValueError, RecursionError) as error:
        return BadRow(line, f"not valid JSON: {error}")
    if not isinstance(values, dict):
        return BadRow(line, "not an object with named fields")
    return Record(line, values)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} appears twice")
    return values


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


_STRICT: dict[str, Any] = {"object_pairs_hook": _unique_keys, "parse_constant": _no_constant}
