"""Preferences as files for other tools: JSONL (lossless), CSV (for spreadsheets), Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.annotation.export.export_contents import (
    Contents,
    ExportFormat,
    Images,
    source_meta,
)
from studio.annotation.export.export_shapes import rankings
from studio.annotation.export.format_losses import ALL_OF_ROWS
from studio.annotation.export.tagged_text import copy_images, image_name, write_lines
from studio.core.errors import NotFoundError
from studio.core.paths import link_or_copy
from studio.core.spreadsheet import neutral
from studio.data.schema import VERDICT, Answer, Message, Row
from studio.data.trl_format import answer_messages

ANSWERS = ("completion", "chosen", "rejected")


def write_jsonl(contents: Contents, images: Images, folder: Path) -> None:
    """Write `preferences.jsonl` with the images beside it; conversations as TRL takes them."""
    if contents.shape == "ranked":
        _write_ranked(contents.rows, images, folder)
    elif contents.shape == "answers":
        _write_answers(contents, images, folder)
    else:
        records = (_record(row, images, contents.shape) for row in contents.rows)
        write_lines(folder / "preferences.jsonl", records)
        copy_images(contents.rows, images, folder)


def write_csv(contents: Contents, images: Images, folder: Path) -> None:
    """Write `preferences.csv` for spreadsheets (UTF-8 with a mark); no cell is a formula."""
    rows = contents.rows
    with (folder / "preferences.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        answers = [name for name in ANSWERS if getattr(rows[0], name) is not None]
        authors = [f"{name}_author" for name in answers]
        writer.writerow(["id", "images", "question", *answers, *authors, "votes"])
        for row in rows:
            names = ";".join(image_name(images, sha) for sha in row.images)
            given = [getattr(row, name) for name in answers]
            cells = [row.external_id, names, row.question, *(answer.text for answer in given)]
            cells += [answer.author for answer in given]
            writer.writerow([*map(neutral, cells), row.meta.get("votes", 0)])
    copy_images(rows, images, folder)


def write_parquet(contents: Contents, images: Images, folder: Path) -> None:
    """Write `preferences.parquet` with the images inside, as `datasets` reads them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = [
        _record(row, images, contents.shape)
        | {
            "images": [
                {"bytes": images.path(sha).read_bytes(), "path": images.path(sha).name}
                for sha in row.images
            ]
        }
        for row in contents.rows
    ]
    names = dict.fromkeys(name for record in records for name in record)
    whole = [{name: record.get(name) for name in names} for record in records]
    pq.write_table(pa.Table.from_pylist(whole), folder / "preferences.parquet")


def _write_ranked(rows: Sequence[Row], images: Images, folder: Path) -> None:
    """Write `ranked.jsonl`: the answers of each item, best first, with comparisons won and lost."""
    records = (
        {
            "id": ranking.row.external_id,
            "images": [image_name(images, sha) for sha in ranking.row.images],
            "prompt": [_turn(message) for message in ranking.row.prompt],
            "answers": [
                {
                    "text": answer.text,
                    "author": answer.author,
                    **({"decoding": dict(answer.decoding)} if answer.decoding else {}),
                    "wins": won,
                    "losses": lost,
                }
                for answer, won, lost in zip(
                    ranking.answers, ranking.wins, ranking.losses, strict=True
                )
            ],
            **_columns(ranking.row),
        }
        for ranking in rankings(rows)
    )
    write_lines(folder / "ranked.jsonl", records)
    copy_images(rows, images, folder)


def _write_answers(contents: Contents, images: Images, folder: Path) -> None:
    """Write `answers.jsonl`: what each person said about each pair, with the images that exist."""
    (folder / "images").mkdir()
    names: dict[str, str] = {}
    for sha in {sha for record in contents.records for sha in record["images"]}:
        try:
            names[sha] = image_name(images, sha)
        except NotFoundError:
            continue
        link_or_copy(images.path(sha), folder / names[sha])
    rows = {row.meta["pair"]: row for row in contents.rows}

    def shown(record: dict[str, Any]) -> dict[str, Any]:
        row = rows[record["pair"]]
        prompt = [_turn(message) for message in row.prompt]
        beside = {"images": [names.get(sha, sha) for sha in record["images"]], "prompt": prompt}
        return record | beside | _columns(row)

    write_lines(folder / "answers.jsonl", map(shown, contents.records))


def _record(row: Row, images: Images, shape: str) -> dict[str, Any]:
    answers = {name: getattr(row, name) for name in ANSWERS}
    given = {name: answer for name, answer in answers.items() if answer is not None}
    return {
        "id": row.external_id,
        "images": [image_name(images, sha) for sha in row.images],
        "prompt": [_turn(message) for message in row.prompt],
        **{name: answer_messages(answer) for name, answer in given.items()},
        **{f"{name}_author": answer.author for name, answer in given.items()},
        **{f"{name}_decoding": how for name, one in given.items() if (how := _decoding(one))},
        **({"label": row.meta[VERDICT] == "good"} if shape == "verdicts" else {}),
        "votes": row.meta.get("votes", 0),
        **_columns(row),
    }


def _decoding(answer: Answer) -> str:
    """How a model wrote an answer, as JSON; empty where none did."""
    if not answer.decoding:
        return ""
    tokens = {} if answer.tokens is None else {"tokens": answer.tokens}
    return json.dumps({**answer.decoding, **tokens}, ensure_ascii=False)


def _columns(row: Row) -> dict[str, str]:
    columns = source_meta(row)
    return {"meta": json.dumps(columns, ensure_ascii=False)} if columns else {}


def _turn(message: Message) -> dict[str, Any]:
    content = [
        {"type": "text", "text": part.text} if part.type == "text" else {"type": "image"}
        for part in message.parts
    ]
    weight = {} if message.scored else {"weight": 0}
    return {"role": message.role, "content": content, **weight}


JSONL = ExportFormat(
    title="JSONL",
    line="JSON Lines with images, conversations as TRL takes them",
    write=write_jsonl,
    holds=ALL_OF_ROWS,
    shapes=("preferences", "completions", "ranked", "answers", "verdicts"),
)
CSV = ExportFormat(
    title="CSV",
    line="a table for spreadsheets, with images",
    write=write_csv,
    holds=frozenset(("ids", "authors", "votes")),
)
PARQUET = ExportFormat(
    title="Parquet",
    line="one file as datasets reads it, images inside",
    write=write_parquet,
    holds=ALL_OF_ROWS,
)
