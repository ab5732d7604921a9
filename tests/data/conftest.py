"""A workspace of its own per test, drawn images, and the shared real data when it is there."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import pytest
from PIL import Image

from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, BadRow, Message, Part, Row
from studio.data.sources import open_source
from tests.places import SHARED

REAL_DATA = SHARED / "data"


def png(colour: str = "red", size: tuple[int, int] = (8, 6)) -> bytes:
    """A plain image of one colour."""
    return encoded(Image.new("RGB", size, colour), "PNG")


def encoded(image: Image.Image, image_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def slow_jpeg(scans: int, size: tuple[int, int] = (1000, 1000)) -> bytes:
    """A small file that is slow to decode: its last scan over the whole image, again and again."""
    content = encoded(Image.new("L", size, 90), "JPEG", progressive=True)
    start, end = content.rindex(b"\xff\xda"), len(content) - 2
    return content[:end] + content[start:end] * (scans - 1) + content[end:]


def leaping_bmp(width: int, height: int) -> bytes:
    """A BMP of run lengths that only leaps: four bytes stand for 255 rows of pixels."""
    leaps = b"\x00\x02\xff\xff" * 4 + b"\x00\x01"
    palette = bytes(1024)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(leaps), 0, 0, 256, 0)
    start = 14 + len(header) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(leaps), 0, 0, start) + header + palette + leaps


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def images(workspace) -> ImageStore:
    return ImageStore(workspace)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a.png, b.png and c.png."""
    place = tmp_path / "source"
    place.mkdir()
    for name, colour in (("a", "red"), ("b", "green"), ("c", "blue")):
        (place / f"{name}.png").write_bytes(png(colour))
    return place


@pytest.fixture
def jsonl(folder):
    """Writes records beside the images; returns the path."""

    def write(*records: dict | str | bytes, name: str = "rows.jsonl") -> str:
        lines = [
            record
            if isinstance(record, bytes)
            else (record if isinstance(record, str) else json.dumps(record)).encode()
            for record in records
        ]
        (folder / name).write_bytes(b"\n".join(lines) + b"\n")
        return str(folder / name)

    return write


@pytest.fixture
def shared() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("the shared real data is not here")
    return REAL_DATA


QA = {"image": "a.png", "question": "q", "answer": "a"}


def good(source) -> list[Row]:
    return [row for row in source.rows() if isinstance(row, Row)]


@pytest.fixture
def read(jsonl, workspace):
    def of(*records, **options) -> tuple[str, list[Row | BadRow]]:
        source = open_source(jsonl(*records), workspace=workspace, **options)
        return source.recognised_as, list(source.rows())

    return of


def parts(row: Row) -> list[str]:
    return ["<>" if part.type == "image" else part.text for part in row.prompt[-1].parts]


def text(value: str) -> list[dict]:
    return [{"type": "text", "text": value}]


@pytest.fixture
def row(images):
    """Makes a row about one image per colour."""

    def make(*colours: str, question: str = "Q", **answers) -> Row:
        shas = tuple(images.add(png(colour)) for colour in colours)
        parts = (Part("image"),) * len(shas) + (Part("text", question),)
        given = {name: Answer(text) for name, text in answers.items()}
        identity = f"{colours}{question}{answers}"
        return Row(identity, shas, (Message("user", parts),), **given)

    return make


def shas(rows) -> set[str]:
    return {sha for row in rows for sha in row.images}


def conversation(images, first: bool = True) -> Row:
    sha = images.add(png("red"))
    turns = (
        Message("user", (Part("image"), Part("text", "One?"))),
        Message("assistant", (Part("text", "First."),), first),
        Message("user", (Part("text", "Two?"),)),
    )
    return Row("talk", (sha,), turns, Answer("Second."))
