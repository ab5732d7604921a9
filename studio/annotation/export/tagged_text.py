"""Conversations as plain text with `<image>` where a picture stands, and pictures beside a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from studio.annotation.export.export_contents import Images
from studio.core.paths import link_or_copy
from studio.data.conversation import IMAGE_TAG
from studio.data.image_tags import tagged
from studio.data.schema import Message, Row

FOLDER = "images"


def has_tag(row: Row) -> bool:
    """Return whether a text spells `<image>` itself: a reader would count one picture too many."""
    texts = [message.text for message in row.prompt]
    texts += [answer.text for answer in (row.completion, row.chosen, row.rejected) if answer]
    return any(IMAGE_TAG in text for text in texts)


def refuse_tags(row: Row, images: Images) -> str:
    """Refuse rows whose texts spell the tag that stands for a picture."""
    return "image_tag" if has_tag(row) else ""


def is_in_front(prompt: Sequence[Message]) -> bool:
    """Return whether all pictures stand in front of the first question: where readers put them."""
    total = sum(part.type == "image" for message in prompt for part in message.parts)
    first = next((message for message in prompt if message.role == "user"), None)
    parts = first.parts if first else ()
    return total == sum(1 for _ in takewhile(lambda part: part.type == "image", parts))


def turns_of(row: Row) -> list[dict[str, str]]:
    """Write the turns of a row; `<image>` says where a picture stands only if it is not in front."""
    plain = is_in_front(row.prompt)
    return [
        {"role": turn.role, "content": turn.text if plain else tagged(turn)} for turn in row.prompt
    ]


def image_name(images: Images, sha: str) -> str:
    """Name a picture as it lies beside the file: `images/<sha256>.png`."""
    return f"{FOLDER}/{images.path(sha).name}"


def image_columns(rows: Iterable[Row]) -> list[str]:
    """Name the columns of tools that hold one picture each: `image`, or `image_1`, `image_2` …."""
    most = max((len(row.images) for row in rows), default=0)
    return ["image"] if most == 1 else [f"image_{number}" for number in range(1, most + 1)]


def copy_images(rows: Iterable[Row], images: Images, folder: Path) -> None:
    """Link or copy the pictures of rows into `images/`."""
    target = folder / FOLDER
    target.mkdir()
    for sha in {sha for row in rows for sha in row.images}:
        link_or_copy(images.path(sha), target / images.path(sha).name)


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write JSON Lines."""
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for record in records:
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")


def write_list(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write one JSON list with a record on each line."""
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        handle.write("[")
        for number, record in enumerate(records):
            handle.write((",\n" if number else "\n") + json.dumps(record, ensure_ascii=False))
        handle.write("\n]\n")
