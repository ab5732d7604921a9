"""Questions, answers and captions that name images by number, as COCO and VQA publish them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.core.errors import DataError, source_error
from studio.data.schema import BadRow
from studio.data.sources.json_files import MAX_JSON, json_value
from studio.data.sources.json_shapes import Rows

MOST_PARTNERS = 50
_HEAD = 1024 * 1024
_SUBSET = re.compile(r"(train|val|test|dev|minival)[-_]?(?:dev|std)?(?:20\d\d)?(?![a-z])")
QUESTIONS, ANSWERS = "questions", "annotations"
_WORDS = ("question", "annotation", "caption", "instances")


def holds(value: object) -> str:
    """Tell which of these a JSON value is: `questions`, `annotations`, `captions`, or none."""
    if not isinstance(value, dict):
        return ""
    if _has(value.get("questions"), "question_id", "question"):
        return QUESTIONS
    if _has(value.get("annotations"), "question_id", "image_id"):
        return ANSWERS
    if _has(value.get("images"), "id") and _has(value.get("annotations"), "image_id"):
        return "captions"
    return ""


def subset_of(path: Path) -> str:
    """Read the split from a name such as `captions_val2017.json`; empty when it has none."""
    name = path.stem.lower()
    found = _SUBSET.search(name) if any(word in name for word in _WORDS) else None
    word = found[1] if found else ""
    return "val" if word == "minival" else word


def rows_of(path: Path, value: Mapping[str, Any]) -> tuple[Rows, str, tuple[Path, ...]]:
    """Join the records of a file with those of its partner beside it.

    Returns:
        The rows, what they are in words, and the files that they come from.

    Raises:
        DataError: It holds answers, and no file beside it has their questions.
    """
    kind = holds(value)
    if kind == "captions":
        return caption_rows(value), f"captions {path.name}", (path,)
    if kind == QUESTIONS and _has(value.get(ANSWERS), "question_id"):
        return answered_rows(value, value), f"questions and annotations {path.name}", (path,)
    other = partner(path, value)
    if other is None and kind == ANSWERS:
        raise source_error(
            f"{path.name} holds annotations of questions, and no file beside it has the questions.",
            "Put the questions file (…_questions.json) beside it.",
        )
    if other is None:
        return answered_rows(value, {}), f"questions {path.name}, without annotations", (path,)
    asked, answered = (value, other[1]) if kind == QUESTIONS else (other[1], value)
    names = (path, other[0]) if kind == QUESTIONS else (other[0], path)
    label = f"questions {names[0].name} with annotations {names[1].name}"
    return answered_rows(asked, answered), label, names


def partner(path: Path, value: Mapping[str, Any]) -> tuple[Path, dict[str, Any]] | None:
    """Find the annotations that belong to questions, or the questions to annotations."""
    kind = holds(value)
    wanted = ANSWERS if kind == QUESTIONS else QUESTIONS
    ids = _question_ids(value[kind])
    best, shared = None, 0
    for other in _neighbours(path, wanted):
        try:
            there = json_value(other)
        except DataError:
            continue
        if holds(there) == wanted and (both := len(ids & _question_ids(there[wanted]))) > shared:
            best, shared = (other, there), both
    return best


def _neighbours(path: Path, wanted: str) -> list[Path]:
    """JSON files beside `path` that may hold the wanted list, those named alike first."""
    found = [
        other
        for other in sorted(path.parent.glob("*.json"))
        if other != path and other.is_file() and other.stat().st_size <= MAX_JSON
    ]
    likely = [other for other in found if _mentions(other, wanted)]
    return sorted(likely, key=lambda other: subset_of(other) != subset_of(path))[:MOST_PARTNERS]


def _mentions(path: Path, wanted: str) -> bool:
    if wanted.removesuffix("s") in path.name.lower():
        return True
    with path.open("rb") as handle:
        return f'"{wanted}"'.encode() in handle.read(_HEAD)


def _question_ids(records: Rows) -> set[str]:
    return {str(record.get("question_id")) for record in records if isinstance(record, dict)}


def answered_rows(asked: Mapping[str, Any], answered: Mapping[str, Any]) -> Rows:
    """Join questions with their annotations; annotations without a question are named."""
    known = {
        str(record.get("question_id")): record
        for record in answered.get(ANSWERS, [])
        if isinstance(record, dict)
    }
    subset = str(asked.get("data_subtype") or answered.get("data_subtype") or "")
    rows: Rows = []
    for record in asked[QUESTIONS]:
        if not isinstance(record, dict):
            rows.append(record)
            continue
        answer = known.pop(str(record.get("question_id")), {})
        rows.append({"image": _image_name(record, subset), **answer, **record})
    rows += [BadRow(0, f"no question has the id {name}") for name in known]
    return rows


def caption_rows(value: Mapping[str, Any]) -> Rows:
    """Put the captions of each image into one row."""
    said: dict[str, list[dict[str, Any]]] = {}
    for note in value["annotations"]:
        if isinstance(note, dict):
            said.setdefault(str(note.get("image_id")), []).append(note)
    rows: Rows = []
    for image in value["images"]:
        if not isinstance(image, dict):
            rows.append(image)
            continue
        notes = said.pop(str(image.get("id")), [])
        fields = {key: part for key, part in image.items() if key not in ("id", "file_name")}
        name = image.get("file_name") or image.get("filename") or image.get("id")
        row = {"image": str(name), "image_id": image.get("id"), **fields}
        if captions := [note["caption"] for note in notes if note.get("caption")]:
            row["captions"] = captions
        if others := [more for note in notes if (more := _beyond_caption(note))]:
            row["annotations"] = others
        rows.append(row)
    rows += [BadRow(0, f"no image has the id {name}") for name in said]
    return rows


def _beyond_caption(note: dict[str, Any]) -> dict[str, Any]:
    """What an annotation says besides a caption and where it belongs."""
    told = {key: part for key, part in note.items() if key not in ("image_id", "caption", "id")}
    return note if told and "caption" not in note else told


def _image_name(record: Mapping[str, Any], subset: str) -> str:
    """How COCO names the file of an image: by its subset and its number."""
    name = record.get("image") or record.get("file_name") or record.get("image_name")
    if isinstance(name, str) and name:
        return name
    number = str(record.get("image_id"))
    if subset and number.isdecimal():
        return f"COCO_{subset.split('-')[0]}_{int(number):012d}.jpg"
    return number


def _has(records: object, *names: str) -> bool:
    """Returns: whether it is a list whose first object has all these fields."""
    if not isinstance(records, list):
        return False
    first = next((record for record in records if isinstance(record, dict)), {})
    return all(name in first for name in names)
