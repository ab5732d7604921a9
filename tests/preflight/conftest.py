"""A workspace, pictures that differ, and rows made by hand."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from studio.core.paths import Workspace
from studio.data.checked_rows import source_rows
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from studio.preflight.check import check_rows
from studio.preflight.checks.base import SeenRow
from studio.preflight.report import Finding, Report
from tests.places import SHARED

REAL_DATA = SHARED / "data"


def drawing(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture of rectangles, another one for each seed."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        left, top = chance.randrange(size[0] - 20), chance.randrange(size[1] - 20)
        colour = tuple(chance.randrange(256) for _ in range(3))
        draw.rectangle((left, top, left + chance.randrange(20, 80), top + 50), fill=colour)
    return image


def saved(image: Image.Image, image_format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def row(question: str = "How many?", images: int = 0, **answers: str) -> Row:
    """A row with the named answers: completion, chosen, rejected."""
    parts = (*(Part("image") for _ in range(images)), Part("text", question))
    return Row(
        external_id=question,
        images=("0" * 64,) * images,
        prompt=(Message("user", parts),),
        **{name: Answer(text) for name, text in answers.items()},
    )


def look(check, *rows: Row, splits: tuple[str, ...] = ()) -> dict[str, Finding]:
    """What a check finds in rows without images, by id."""
    for number, one in enumerate(rows, 1):
        check.add(SeenRow(number, splits[number - 1] if splits else "train", one))
    return {finding.id: finding for finding in check.findings()}


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def store(workspace) -> ImageStore:
    return ImageStore(workspace)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Writes nothing yet; images and rows go here."""
    place = tmp_path / "source"
    place.mkdir()
    return place


@pytest.fixture
def write(folder):
    """Writes records as JSON lines; returns the path."""

    def writer(*records: dict | str, name: str = "rows.jsonl") -> str:
        lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(folder / name)

    return writer


@pytest.fixture
def check(workspace):
    """Checks a source to the end; without a model unless one is given."""

    def checker(spec: str, model=None, **options) -> Report:
        max_length = options.pop("max_length", None)
        rows = source_rows(spec, workspace, **options)
        going = check_rows(rows, workspace, model, max_length=max_length)
        while True:
            try:
                next(going)
            except StopIteration as end:
                return end.value

    return checker


@pytest.fixture
def shared() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("the shared real data is not here")
    return REAL_DATA
