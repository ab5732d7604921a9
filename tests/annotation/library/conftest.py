"""A workspace with its store, and files to import."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from studio.annotation import AnnotationStore
from studio.annotation.library.source_import import import_source
from studio.core.paths import Workspace
from studio.data.schema import Answer, Message, Part, Row
from tests.annotation.library.format_records import TRL_IMAGE


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def library(workspace) -> Iterator[AnnotationStore]:
    """The store of the workspace."""
    opened = AnnotationStore(workspace.database_url)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "given"
    place.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        buffer = io.BytesIO()
        Image.new("RGB", (6, 4), colour).save(buffer, "PNG")
        (place / f"{name}.png").write_bytes(buffer.getvalue())
    return place


def other_workspace(tmp_path, folder) -> Workspace:
    other = Workspace.locate(tmp_path / "other? 100%20 #1")
    theirs = AnnotationStore(other.database_url)
    (folder / "pairs.jsonl").write_text(
        "\n".join(json.dumps({**TRL_IMAGE, "prompt": f"Which {n}?"}) for n in range(3))
    )
    import_source(str(folder / "pairs.jsonl"), other, theirs)
    asked = Row("c", (), (Message("user", (Part("text", "Hm?"),)),),
                candidates=(Answer("p"), Answer("q"), Answer("r")))  # fmt: skip
    theirs.add_rows("my texts", [asked])
    theirs.delete(theirs.ids()[:1])
    theirs.close()
    return other


@pytest.fixture
def pairs(tmp_path):
    """Writes `count` pairs and two bad rows; returns the path."""

    def write(count: int) -> str:
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
        (tmp_path / "a.png").write_bytes(buffer.getvalue())
        rows = [
            {"id": str(n), "image": "a.png", "question": f"q{n}", "chosen": "a", "rejected": "b"}
            for n in range(count)
        ]
        lines = [json.dumps(row) for row in [*rows, {**rows[0], "image": "../x.png"}]]
        (tmp_path / "pairs.jsonl").write_text("\n".join([*lines, "broken"]))
        return str(tmp_path / "pairs.jsonl")

    return write
