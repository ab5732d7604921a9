"""Preferences as files for other tools: JSONL (lossless), CSV (for spreadsheets), Parquet."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from studio.data.schema import Answer, Message, Row

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
CSV_COLUMNS = (
    "id",
    "images",
    "question",
    "chosen",
    "rejected",
    "chosen_author",
    "rejected_author",
    "votes",
)


class Images(Protocol):
    """Where originals are found: `ImageStore`."""

    def path(self, sha: str) -> Path: ...


def write_jsonl(rows: Sequence[Row], images: Images, folder: Path) -> None:
    """`preferences.jsonl` with the images beside it; conversations as TRL takes them."""
    with (folder / "preferences.jsonl").open("w", encoding="utf-8", newline="\n") as handle:
        for row in rows:
            handle.write(json.dumps(_record(row, images), ensure_ascii=False) + "\n")
    _copy_images(rows, images, folder)


def write_csv(rows: Sequence[Row], images: Images, folder: Path) -> None:
    """`preferences.csv` in UTF-8 with a mark, so that spreadsheets read it; no cell is a formula."""
    with (folder / "preferences.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(CSV_COLUMNS)
        for row in rows:
            names = ";".join(_image_name(images, sha) for sha in row.images)
            cells = (row.external_id, names, row.question, row.chosen.text, row.rejected.text)
            authors = (row.chosen.author, row.rejected.author)
            cells = [neutral(cell) for cell in (*cells, *authors)]
            writer.writerow([*cells, row.meta.get("votes", 0)])
    _copy_images(rows, images, folder)


def write_parquet(rows: Sequence[Row], images: Images, folder: Path) -> None:
    """`preferences.parquet` with the images inside, as `datasets` reads them."""
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


WRITERS: dict[str, Callable[[Sequence[Row], Images, Path], None]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}


def neutral(cell: str) -> str:
    """`cell`, with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _record(row: Row, images: Images) -> dict:
    return {
        "id": row.external_id,
        "images": [_image_name(images, sha) for sha in row.images],
        "prompt": [_turn(message) for message in row.prompt],
        "chosen": [_answer(row.chosen)],
        "rejected": [_answer(row.rejected)],
        "chosen_author": row.chosen.author,
        "rejected_author": row.rejected.author,
        "votes": row.meta.get("votes", 0),
    }


def _turn(message: Message) -> dict:
    content = [
        {"type": "text", "text": part.text} if part.type == "text" else {"type": "image"}
        for part in message.parts
    ]
    return {"role": message.role, "content": content}


def _answer(answer: Answer) -> dict:
    return {"role": "assistant", "content": [{"type": "text", "text": answer.text}]}


def _image_name(images: Images, sha: str) -> str:
    return f"images/{images.path(sha).name}"


def _copy_images(rows: Sequence[Row], images: Images, folder: Path) -> None:
    target = folder / "images"
    target.mkdir()
    for sha in {sha for row in rows for sha in row.images}:
        source = images.path(sha)
        try:
            os.link(source, target / source.name)
        except OSError:
            shutil.copyfile(source, target / source.name)
