"""Labelled pairs to be exported."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from studio.annotation.export.preference_export import export_preferences
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Message, Part
from studio.data.sources import open_source
from tests.annotation.conftest import answer, by_first, make_row
from tests.annotation.export.judged_rows import fill


@pytest.fixture
def voted(store):
    """Three people over six pairs; they agree on the first three only."""
    for number in range(6):
        prompt = (Message("user", (Part("text", f"Which is {number}?"),)),)
        store.add_rows("charts", [make_row(number, images=(), prompt=prompt)])
    values = {"overlap": 3, "repeat_share": 0}
    store.team.change_settings("lea", "charts", values)
    for name in ("ana", "ben", "cho"):
        while card := store.claim(name):
            first = by_first(card)
            other = "right" if first == "left" else "left"
            store.save(answer(card, name, other if name == "cho" and card.pair_id > 3 else first))
    return store


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


def export(store, workspace, **changes):
    settings = {"dataset": "charts", "name": "mine"} | changes
    return export_preferences(store, ImageStore(workspace), workspace, **settings)


@pytest.fixture
def images(workspace) -> ImageStore:
    return ImageStore(workspace)


@pytest.fixture
def labelled(store, images):
    """Six pairs: three chosen (left), a tie, a skip, one unlabelled."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "PNG")
    sha = images.add(buffer.getvalue())
    store.add_rows("charts", [make_row(n, images=(sha,)) for n in range(6)])
    for kind in ("choose", "choose", "choose", "tie", "skip"):
        store.save(answer(store.claim("ana"), "ana", kind=kind))
    return store


def read_back(made, format: str, workspace: Workspace) -> list:
    spec = made.source if format == "trl" else str(made.path / f"preferences.{format}")
    splits = open_source(spec, workspace=workspace).splits
    return [
        row
        for split in splits
        for row in open_source(spec, split=split, workspace=workspace).rows()
    ]


def pair(row) -> tuple[str, str, str]:
    return row.question, row.chosen.text, row.rejected.text


@pytest.fixture
def shas(store, images) -> tuple[str, str]:
    """The pictures of `told`."""
    return fill(store, images)


@pytest.fixture
def told(store, shas):
    """A dataset with everything that a format can have no place for; see `fill`."""
    return store
