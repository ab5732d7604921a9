"""JSON Lines, and JSON files that are read as a whole; the content tells which, not the ending."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import source_error
from studio.data.schema import BadRow
from studio.data.sources.json_shapes import Rows
from studio.data.sources.reader import Reader, Record
from studio.data.sources.text_encoding import UTF8, encoding_of, is_wide

MAX_LINE = 32 * 1024 * 1024
MAX_JSON = 256 * 1024 * 1024
FIRST_LINES = 20
_BETWEEN = re.compile(r"[\s,\x1e]*")
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+")|,(?=\s*[\]}])')
_MARKS = "\ufeff \t\x1e"  # a separator of records may stand before each


@dataclass
class JsonLinesReader(Reader):
    """One object a line; a damaged line is named and the others are read."""

    path: Path = Path()

    def records(self) -> Iterator[Record | BadRow]:
        encoding = encoding_of(self.path)
        for line, raw in enumerate(_lines(self.path, encoding), 1):
            if len(raw) > MAX_LINE:
                yield BadRow(line, f"line over {MAX_LINE >> 20} MB")
            elif raw.strip():
                yield _parsed(raw, line, UTF8 if is_wide(encoding) else encoding)

    def count(self) -> int:
        encoding = encoding_of(self.path)
        if is_wide(encoding):
            return sum(1 for raw in _lines(self.path, encoding) if raw.strip())
        with self.path.open("rb") as handle:
            return sum(1 for raw in handle if raw.strip())


@dataclass
class JsonReader(Reader):
    """The rows of one split of a JSON file, which is in memory as a whole."""

    rows: Rows = field(default_factory=list, repr=False)

    def records(self) -> Iterator[Record | BadRow]:
        for line, values in enumerate(self.rows, 1):
            if isinstance(values, dict):
                yield Record(line, values)
            elif isinstance(values, BadRow):
                yield BadRow(line, values.reason, values.field)
            else:
                yield BadRow(line, "not an object with named fields")

    def count(self) -> int:
        return len(self.rows)


def holds_lines(path: Path) -> bool:
    """Return whether a file has one JSON value a line, whatever its ending."""
    encoding = encoding_of(path)
    lines = (raw for raw in _lines(path, encoding) if raw.strip(b" \t\r\n\xef\xbb\xbf"))
    first = next(lines, b"")
    more = [_parsed(raw, 1, UTF8 if is_wide(encoding) else encoding) for raw in _few(lines)]
    start = first.decode("utf-8", "replace").lstrip(_MARKS)[:1]
    if start == "[":
        # A row is an object: a line that is a list by itself is a damaged one among objects.
        return any(isinstance(one, Record) for one in more) and _is_whole(first)
    if path.suffix.lower() == ".json" and (start != "{" or not more):
        return False
    if not more:
        return not _is_whole(first)  # one object may be a row, or hold rows
    if start != "{" or _is_whole(first) or isinstance(more[0], Record):
        return True
    return not first.rstrip().endswith((b"{", b"[", b","))  # as pretty ones go on


def json_value(path: Path) -> Any:
    """Read what a JSON file holds; several values one after the other are a list.

    Raises:
        DataError: It is too large or no JSON.
    """
    if path.stat().st_size > MAX_JSON:
        raise source_error(
            f"{path.name} is over {MAX_JSON >> 20} MB; JSON is read as a whole.",
            "Save it as JSON Lines (.jsonl) or Parquet.",
        )
    encoding = encoding_of(path)
    try:
        text = path.read_bytes().decode(encoding).lstrip(_MARKS)
        try:
            return _values(text)
        except json.JSONDecodeError:
            bare = _LAST_COMMA.sub(lambda found: found[1] or "", text)
            if bare == text:
                raise
        return _values(bare)
    except UnicodeDecodeError as error:
        raise source_error(
            f"{path.name} is not {shown_encoding(encoding)} text (byte {error.start + 1}).",
            "Save it as UTF-8.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise source_error(
            f"{path.name} is not valid JSON: {error}.",
            "Save one object a line as .jsonl, so that single bad rows can be skipped.",
        ) from None  # the sentence says all that is known


def shown_encoding(encoding: str) -> str:
    """Name an encoding as people do."""
    return "UTF-8" if encoding == UTF8 else encoding.upper()


def _few(lines: Iterator[bytes]) -> Iterator[bytes]:
    for _, raw in zip(range(FIRST_LINES), lines, strict=False):
        yield raw


def _is_whole(raw: bytes) -> bool:
    try:
        json.loads(raw.decode(UTF8).strip().lstrip(_MARKS).rstrip(","))
    except (ValueError, RecursionError):
        return False
    return True


def _values(text: str) -> Any:
    decoder = json.JSONDecoder(**_STRICT)
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data" or not text.lstrip().startswith("{"):
            raise
    values, place = [], _after(text, 0)
    while place < len(text):
        value, place = decoder.raw_decode(text, place)
        values.append(value)
        place = _after(text, place)
    return values


def _after(text: str, place: int) -> int:
    found = _BETWEEN.match(text, place)
    return found.end() if found else place


def _lines(path: Path, encoding: str) -> Iterator[bytes]:
    """The lines of a file; UTF-16 as UTF-8, overlong ones one byte longer than allowed."""
    if not is_wide(encoding):
        with path.open("rb") as handle:
            while raw := handle.readline(MAX_LINE + 1):
                yield raw
                if len(raw) > MAX_LINE:
                    while raw and not raw.endswith(b"\n"):
                        raw = handle.readline(MAX_LINE)
        return
    try:
        with path.open(encoding=encoding, newline="\n") as text:
            while line := text.readline(MAX_LINE + 1):
                yield line.encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        raise source_error(
            f"{path.name} is damaged {shown_encoding(encoding)} text: {error}.", "Save it as UTF-8."
        ) from error


def _parsed(raw: bytes, line: int, encoding: str) -> Record | BadRow:
    try:
        text = raw.decode(encoding if line == 1 else encoding.removesuffix("-sig"))
        values = _object(text)
    except UnicodeDecodeError as error:
        return BadRow(line, f"not {shown_encoding(encoding)} text (byte {error.start + 1})")
    except json.JSONDecodeError as error:
        return BadRow(line, f"not valid JSON: {error.msg} at character {error.colno}")
    except (ValueError, RecursionError) as error:
        return BadRow(line, f"not valid JSON: {error}")
    if not isinstance(values, dict):
        return BadRow(line, "not an object with named fields")
    return Record(line, values)


def _object(text: str) -> object:
    """The value of a line, which may end in the comma of a list, or begin with a separator."""
    try:
        return json.loads(text, **_STRICT)
    except json.JSONDecodeError:
        bare = text.strip().lstrip(_MARKS).removesuffix(",")
        if bare == text:
            raise
        return json.loads(bare, **_STRICT)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} appears twice")
    return values


def _no_value(name: str) -> None:
    """What Python and pandas write for a number that is missing is no value here."""


_STRICT: dict[str, Any] = {"object_pairs_hook": _unique_keys, "parse_constant": _no_value}
