"""Preferences as files for other tools: JSONL (lossless), CSV (for spreadsheets), Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from studio.annotation.export.export_shapes import rankings
from studio.core.errors import NotFoundError
from studio.core.paths import link_or_copy
from studio.core.spreadsheet import neutral
from studio.data.schema import Message, Row
from studio.data.trl_format import answer_messages

ANSWERS = ("completion", "chosen", "rejected")


class Images(Protocol):
    """Where originals are found: `ImageStore`."""

    def path(self, sha: str) -> Path: ...


def write_jsonl(rows: Sequence[Row], images: Images, folder: Path) -> None:
    """Write `preferences.jsonl` with the images beside it; conversations as TRL takes them."""
    with (folder / "preferences.jsonl").open("w", encoding="utf-8", newline="\n") as handle:
        for row in rows:
            handle.write(json.dumps(_record(row, images), ensure_ascii=False) + "\n")
    _copy_images(rows, images, folder)


def write_csv(rows: Sequence[Row], images: Images, folder: Path) -> None:
    """Write `preferences.csv` for spreadsheets (UTF-8 with a mark); no cell is a formula."""
    with (folder / "preferences.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        answers = [name for name in ANSWERS if getattr(rows[0], name) is not None]
        authors = [f"{name}_author" for name in answers]
        writer.writerow(["id", "images", "question", *answers, *authors, "votes"])
        for row in rows:
            names = ";".join(_image_name(images, sha) for sha in row.images)
            given = [getattr(row, name) for name in answers]
            cells = [row.external_id, names, row.question, *(answer.text for answer in given)]
            cells += [answer.author for answer in given]
            writer.writerow([*map(neutral, cells), row.meta.get("votes", 0)])
    _copy_images(rows, images, folder)


def write_parquet(rows: Sequence[Row], images: Images, folder: Path) -> None:
    """Write `preferences.parquet` with the images inside, as `datasets` reads them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = [
        _record(row, images)
        | {
            "images": [
                {"bytes": images.path(sha).read_bytes(), "path": images.path(sha).name}
                for sha in row.images
            ]
        }
        for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(records), folder / "preferences.parquet")


def write_ranked(rows: Sequence[Row], images: Images, folder: Path) -> None:
    """Write `ranked.jsonl`: the answers of each item, best first, with comparisons won and lost."""
    with (folder / "ranked.jsonl").open("w", encoding="utf-8", newline="\n") as handle:
        for ranking in rankings(rows):
            record = {
                "id": ranking.row.external_id,
                "images": [_image_name(images, sha) for sha in ranking.row.images],
                "prompt": [_turn(message) for message in ranking.row.prompt],
                "answers": [
                    {"text": answer.text, "author": answer.author, "wins": won, "losses": lost}
                    for answer, won, lost in zip(
                        ranking.answers, ranking.wins, ranking.losses, strict=True
                    )
                ],
            }
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")
    _copy_images(rows, images, folder)


def write_answers(records: Sequence[dict], images: Images, folder: Path) -> None:
    """Write `answers.jsonl`: what each person said about each pair, with the images that exist."""
    (folder / "images").mkdir()
    names: dict[str, str] = {}
    for sha in {sha for record in records for sha in record["images"]}:
        try:
            names[sha] = _image_name(images, sha)
        except NotFoundError:
            continue
        link_or_copy(images.path(sha), folder / names[sha])
    with (folder / "answers.jsonl").open("w", encoding="utf-8", newline="\n") as handle:
        for record in records:
            shown = record | {"images": [names.get(sha, sha) for sha in record["images"]]}
            handle.write(json.dumps(shown, ensure_ascii=False) + "\n")


WRITERS: dict[str, Callable[[Sequence[Row], Images, Path], None]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}


def _record(row: Row, images: Images) -> dict:
    answers = {name: getattr(row, name) for name in ANSWERS}
    given = {name: answer for name, answer in answers.items() if answer is not None}
    return {
        "id": row.external_id,
        "images": [_image_name(images, sha) for sha in row.images],
        "prompt": [_turn(message) for message in row.prompt],
        **{name: answer_messages(answer) for name, answer in given.items()},
        **{f"{name}_author": answer.author for name, answer in given.items()},
        "votes": row.meta.get("votes", 0),
    }


def _turn(message: Message) -> dict:
    content = [
        {"type": "text", "text": part.text} if part.type == "text" else {"type": "image"}
        for part in message.parts
    ]
    weight = {} if message.scored else {"weight": 0}
    return {"role": message.role, "content": content, **weight}


def _image_name(images: Images, sha: str) -> str:
    return f"images/{images.path(sha).name}"


def _copy_images(rows: Sequence[Row], images: Images, folder: Path) -> None:
    target = folder / "images"
    target.mkdir()
    for sha in {sha for row in rows for sha in row.images}:
        link_or_copy(images.path(sha), target / images.path(sha).name)
