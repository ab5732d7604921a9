"""The rows in a JSON value: lists, wrapped lists, splits, tables by column, single objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from studio.core.errors import source_error
from studio.data.formats import is_row
from studio.data.schema import BadRow
from studio.data.split_slices import EVALUATION_NAMES

Rows = list[Any]
_MANY = 10  # objects under names of their own are rows, though some have other fields
SPLIT_NAMES = ("train", "training", *EVALUATION_NAMES)
UNNAMED = ""
# What one row is called by; an object with such fields is a row and wraps none.
_ROW_FIELDS = frozenset([
    "image", "images", "image_path", "img", "question", "prompt", "query", "instruction",
    "messages", "conversations", "conversation", "answer", "answers", "response", "caption",
    "chosen", "rejected", "completion", "candidates", "图片", "问题", "答案",
])  # fmt: skip
_TURN_FIELDS = frozenset([
    "role", "from", "speaker", "content", "value", "answer", "text", "path", "bytes", "url",
])  # fmt: skip


def rows_by_split(value: object, name: str) -> dict[str, Rows]:
    """Find the rows in what a JSON file holds, by split; `UNNAMED` where it names none.

    Args:
        name: The file's, for reasons.

    Raises:
        DataError: There are no rows, or more than one list could be them.
    """
    if isinstance(value, list):
        return {UNNAMED: [_unwrapped(row) for row in value]}
    if not isinstance(value, dict) or not value:
        raise source_error(
            f"{name} holds no rows.", "Save a list of objects, or one object a line as .jsonl."
        )
    return _splits(value) or {UNNAMED: _in_object(value, name)}


def _splits(value: Mapping[str, Any]) -> dict[str, Rows]:
    lists = {key: part for key, part in value.items() if _is_rows(part)}
    if lists and all(key.lower() in SPLIT_NAMES for key in lists) and not _is_row(value):
        return {
            "train" if key.lower() == "training" else key.lower(): [_unwrapped(row) for row in part]
            for key, part in lists.items()
        }
    return {}


def _in_object(value: Mapping[str, Any], name: str) -> Rows:
    for reading in (_served, _split_table, _table_of_lists, _table_of_objects):
        if (rows := reading(value)) is not None:
            return rows
    if _is_row(value):
        return [value]
    lists = {key: part for key, part in value.items() if _is_rows(part)}
    if len(lists) > 1:
        first, second = list(lists)[:2]
        raise source_error(
            f"{name} holds more than one list of rows: {first!r} ({len(lists[first]):,}) and "
            f"{second!r} ({len(lists[second]):,}).",
            "Save the one that is meant as a file of its own.",
        )
    if lists:
        return [_unwrapped(row) for row in next(iter(lists.values()))]
    inner = [part for part in value.values() if isinstance(part, dict)]
    if len(inner) == 1 and any(_is_rows(part) for part in inner[0].values()):
        return _in_object(inner[0], name)
    return [value]


def _is_rows(part: object) -> TypeGuard[list[Any]]:
    return isinstance(part, list) and any(isinstance(row, dict) for row in part)


def _is_row(value: Mapping[str, Any]) -> bool:
    """Returns: whether the object itself is a row."""
    if is_row(value):
        return True
    return any(_says_something(value[key]) for key in value if key.lower() in _ROW_FIELDS)


def _says_something(part: object) -> bool:
    """Returns: whether it is what a row has in such a field, not a list of rows called so."""
    if not _is_rows(part):
        return part not in (None, "", [], {})
    return all(isinstance(one, dict) and len(one) < 4 and _TURN_FIELDS & one.keys() for one in part)


def _served(value: Mapping[str, Any]) -> Rows | None:
    """`{"features": …, "rows": [{"row_idx": 0, "row": {…}}]}`, as the hub's viewer sends it."""
    rows = value.get("rows")
    if _is_rows(rows) and ("features" in value or all(_is_served(row) for row in rows)):
        return [_unwrapped(row) for row in rows]
    return None


def _is_served(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("row"), dict) and "row_idx" in row


def _unwrapped(row: object) -> object:
    """A row of the hub's viewer without what it is wrapped in; any other one as it is."""
    if not isinstance(row, dict) or not _is_served(row):
        return row
    if cut := row.get("truncated_cells"):
        return BadRow(0, f"the hub's viewer cut its cells: {', '.join(map(str, cut))[:200]}")
    return row["row"]


def _split_table(value: Mapping[str, Any]) -> Rows | None:
    """`{"columns": […], "data": [[…], …]}`, as pandas writes it with `orient="split"`."""
    names, data = value.get("columns"), value.get("data")
    if not isinstance(names, list) or not isinstance(data, list):
        return None
    if not all(isinstance(row, list) and len(row) == len(names) for row in data):
        return None
    return [dict(zip(map(str, names), row, strict=True)) for row in data]


def _table_of_lists(value: Mapping[str, Any]) -> Rows | None:
    """`{"question": [first, second], "answer": [first, second]}`."""
    columns = list(value.values())
    if len(columns) < 2 or not all(isinstance(column, list) for column in columns):
        return None
    lengths = {len(column) for column in columns}
    if len(lengths) > 1 or 0 in lengths or all(_is_rows(column) for column in columns):
        return None
    if any(_is_rows(column) and _says_something(column) for column in columns):
        return None  # the turns of one row
    if any(isinstance(name, str) for name in value.get("images", ())):
        return None  # the images of one row
    return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _table_of_objects(value: Mapping[str, Any]) -> Rows | None:
    """`{"question": {"0": …}}` by column, or `{"some id": {"question": …}}` by row."""
    parts = list(value.values())
    if not all(isinstance(part, dict) and part for part in parts):
        return None
    first = parts[0].keys()
    if all(key.isdecimal() for part in parts for key in part):
        numbers = list(dict.fromkeys(key for part in parts for key in part))
        return [{key: part.get(number) for key, part in value.items()} for number in numbers]
    alike = sum(len(first & part.keys()) * 2 >= len(first | part.keys()) for part in parts)
    few = len(parts) < _MANY and alike < len(parts)
    if (
        few
        or alike * 2 < len(parts)
        or _is_row(value)
        or (len(parts) == 1 and not next(iter(value)).isdecimal())
    ):
        return None
    return [_of_key(key, part) for key, part in value.items()]


def _of_key(key: str, part: dict[str, Any]) -> dict[str, Any]:
    """A row with the key that it stood under; ScienceQA's images lie in folders called so."""
    row = {"key" if "id" in part else "id": key, **part}
    if part.get("image") == "image.png" and isinstance(part.get("split"), str):
        row["image"] = f"{part['split']}/{key}/image.png"
    return row
