"""Every declared format in every kind of file: nothing is lost without a word.

The oracle does not know how a format is read: it looks for every text of the source in what came of
it (questions, answers, authors, people, metadata), and where it is not there, in the account.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data.formats import FORMATS, Format
from studio.data.record_fields import get, leaf_paths, parsed, texts_of
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
from tests.data.conftest import png

WORSE = ("blue", "grey", "purple", "pink", "white", "teal", "cat", "bus", "dog", "Seven")
"""In every example the right answer speaks of red, and the wrong one has one of these words."""
EXTRA = "a remark that no reader of formats knows"
by_name = pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name.split("{")[0])


def as_jsonl(records: list[dict], path: Path) -> Path:
    file = path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return file


def as_json(records: list[dict], path: Path) -> Path:
    file = path / "rows.json"
    file.write_text(json.dumps(records), encoding="utf-8")
    return file


def as_csv(records: list[dict], path: Path) -> Path:
    columns = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for record in records:
        cells = [record.get(name) for name in columns]
        writer.writerow([json.dumps(c) if isinstance(c, (list, dict)) else c for c in cells])
    file = path / "rows.csv"
    file.write_text(text.getvalue(), encoding="utf-8")
    return file


def as_parquet(records: list[dict], path: Path) -> Path | None:
    columns = list(dict.fromkeys(name for record in records for name in record))
    try:
        table = pa.Table.from_pylist([{n: r.get(n) for n in columns} for r in records])
        pq.write_table(table, path / "rows.parquet")
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None  # it has no type for a column
    return path / "rows.parquet"


def as_zip(records: list[dict], path: Path) -> Path:
    file = path / "all.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.jsonl", "\n".join(map(json.dumps, records)))
        for image in ("a.png", "b.png"):
            archive.write(path / image, image)
    return file


def plain(known: Format) -> list[dict]:
    return [_own(known, number) for number in range(3)]


def text_only(known: Format) -> list[dict]:
    return [*plain(known)[:2], _without_image(_own(known, 2))]


def two_images(known: Format) -> list[dict]:
    last = _own(known, 2)
    if "images" in last:
        last["images"] = ["a.png", "b.png"]
    return [*plain(known)[:2], last]


def nulls(known: Format) -> list[dict]:
    names = list(known.example)
    return [*plain(known)[:2], {**_own(known, 2), names[-1]: None}]


def extra_column(known: Format) -> list[dict]:
    return [{**record, "remark": f"{EXTRA} {n}"} for n, record in enumerate(plain(known))]


def late_column(known: Format) -> list[dict]:
    records = [_own(known, number) for number in range(26)]
    records[-1]["remark"] = EXTRA
    return records


def nested_extra(known: Format) -> list[dict]:
    """A field inside the first object of each record that nobody knows."""
    records = plain(known)
    for number, record in enumerate(records):
        inside = next((o for value in record.values() for o in _objects(value)), None)
        if inside is None:
            return []
        inside["remark"] = f"{EXTRA} {number}"
    return records


def _objects(value: Any) -> Iterator[dict]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _objects(part)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part)


def _own(known: Format, number: int) -> dict:
    """The example with texts of its own, so that no row hides the loss of another's."""
    record = copy.deepcopy(dict(known.example))
    return {name: _numbered(value, number) for name, value in record.items()}


def _numbered(value: Any, number: int) -> Any:
    if isinstance(value, str):
        inside = parsed(value)
        if inside is not None:
            return json.dumps(_numbered(inside, number))
        return f"{value[:-1]} {number}{value[-1]}" if value.endswith((".", "?")) else value
    if isinstance(value, dict):
        return {name: _numbered(part, number) for name, part in value.items()}
    return [_numbered(part, number) for part in value] if isinstance(value, list) else value


def _without_image(record: dict) -> dict:
    return json.loads(
        json.dumps(record)
        .replace("<image>\\n", "")
        .replace("<image>", "")
        .replace('"a.png"', "null")
        .replace('{"type": "image_url", "image_url": {"url": null}}, ', "")
        .replace('{"fileData": {"mimeType": "image/png", "fileUri": null}}, ', "")
    )


def said(row: Row) -> str:
    """All texts that came of a row."""
    answers = [a for a in (row.completion, row.chosen, row.rejected, *row.candidates) if a]
    parts = [part.text for message in row.prompt for part in message.parts]
    parts += [message.role for message in row.prompt]
    parts += [text for answer in answers for text in (answer.text, answer.author)]
    parts += [text for label in row.labels for text in (label.annotator, label.comment)]
    return "\n".join([*parts, row.external_id, json.dumps(row.meta, ensure_ascii=False)])


STRUCTURE = {
    "user", "human", "assistant", "gpt", "model", "system", "llava", "text", "image", "image_url", "image/png",
    "<image>", "<bbox>", "a.png", "b.png", "a",
}  # fmt: skip
"""What formats write to say what is what; the images are looked at themselves."""


def lost(record: dict, rows: list[Row], unused: set[str]) -> list[str]:
    """Texts of a record that are neither in its rows nor named."""
    everything = "\n".join(map(said, rows))
    missing = []
    for path in leaf_paths(record):
        top = path.split("[]")[0].split(".")[0]
        if path in unused or top in unused:
            continue
        for text in texts_of(_at(record, path)):
            inner = parsed(text)
            for word in texts_of(inner) if inner is not None else [text]:
                bare = word.replace("<image>\n", "").replace("<image>", "").strip()
                escaped = json.dumps(bare, ensure_ascii=False)[1:-1]
                if bare not in STRUCTURE and bare not in everything and escaped not in everything:
                    missing.append(f"{path}: {word}")
    return [text for text in missing if "<ref-object>" not in text]


def _at(record: dict, path: str) -> Any:
    return get(record, path)


@pytest.fixture
def place(tmp_path) -> Path:
    for name, colour in (("a", "red"), ("b", "green")):
        (tmp_path / f"{name}.png").write_bytes(png(colour))
    return tmp_path


CHANGES = (plain, text_only, two_images, nulls, extra_column, late_column, nested_extra)


@by_name
@pytest.mark.parametrize("write", [as_jsonl, as_json, as_csv, as_parquet, as_zip])
def test_no_text_of_a_source_is_lost_without_a_word(place, workspace, known, write):
    told = 0
    for change in CHANGES:
        records = change(known)
        file = write(records, place) if records else None
        if file is None:
            continue
        try:
            source = open_source(str(file), workspace=workspace)
        except DataError as error:
            # A format without questions is refused where a text stays unread, which is named.
            assert change is extra_column and "'remark'" in str(error)
            continue
        rows = list(source.rows())
        bad = "\n".join(row.reason for row in rows if isinstance(row, BadRow))
        unused = {use.path for use in source.fields() if use.lost and use.why}
        good = [row for row in rows if isinstance(row, Row)]
        missing = [] if bad else [text for r in records for text in lost(r, good, unused)]
        assert (change.__name__, missing) == (change.__name__, [])
        assert good, f"{change.__name__}: {bad}"
        if change is plain:
            assert not bad
            assert all(row.images for row in good) or "a.png" not in json.dumps(records)
        told += 1
    assert told or write is as_parquet  # Parquet has no type for some formats


@by_name
@pytest.mark.parametrize("write", [as_jsonl, as_csv])
def test_a_preference_keeps_its_direction(place, workspace, known, write):
    source = open_source(str(write(plain(known), place)), workspace=workspace)
    rows = [row for row in source.rows() if isinstance(row, Row)]
    for row in rows:
        if row.rejected is not None:
            assert any(word in row.rejected.text for word in WORSE)
        good = row.chosen or row.completion
        assert good is None or not any(word in good.text for word in WORSE)
        for label in row.labels:
            assert label.winner is not None and "red" in label.winner.text
    judged = (
        "preference" in known.gives or "best against" in known.gives or "people said" in known.gives
    )
    assert not judged or all(row.rejected is not None for row in rows)


@by_name
def test_each_format_is_called_by_its_name(place, workspace, known):
    source = open_source(str(as_jsonl(plain(known), place)), workspace=workspace)
    assert source.recognised_as.startswith(known.name.split("{")[0])
