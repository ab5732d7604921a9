"""A workspace of an earlier version opens with all that people made in it.

The archive holds what version 0.1.0 left before its modules were moved into rooms: six pairs that
were imported, labelled by two people and exported, and a DPO run of two steps on that export.
"""

from __future__ import annotations

import zipfile

import pytest
from fastapi.testclient import TestClient

from studio.annotation import ItemFilter, LabelEvent
from studio.api.context import close_context, open_context
from studio.config import run_file
from studio.core.paths import Workspace
from studio.data.sources import open_source
from studio.inference.engine import Engine
from studio.launch.run_preparation import prepare
from studio.runs.curves import Diary
from studio.ui.shell.app import build_app
from tests.places import ROOT

ARCHIVE = ROOT / "tests" / "fixtures" / "workspace-before-rooms.zip"
RUN = "20261130-173002-old-run-c401"
EXPORT = "exports/first-fbca698764"


@pytest.fixture
def folder(tmp_path):
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.fixture
def context(folder):
    opened = open_context(str(folder))
    yield opened
    close_context(opened)


def test_every_answer_mark_and_picture_is_there(context):
    store = context.store
    given = {(one["annotator"], one["kind"], one["comment"]) for one in store.answers("pairs")}
    ana = {("ana", "tie" if n == 2 else "choose", f"ana says {n}") for n in range(4)}
    assert given == ana | {("bob", "choose", "bob says 0")}  # his other pair is left out
    assert store.count() == 6
    assert store.count(ItemFilter(tag="hard")) == 2
    assert store.count(ItemFilter(excluded=True)) == 1
    for item in store.ids():
        (image,) = store.item(item).images
        assert context.images.path(image).is_file()


def test_labelling_goes_on(context):
    version = context.store.card(1, "ana").version
    event = LabelEvent("ana-thinks-again", 1, "ana", "tie", comment="now", expected_version=version)
    context.store.save(event)
    assert [one["comment"] for one in context.store.answers("pairs") if one["kind"] == "tie"] == [
        "now",
        "ana says 2",
    ]


def test_the_page_is_served(context):
    with TestClient(build_app(context), base_url="http://127.0.0.1") as client:
        assert client.get("/").status_code == 200


def test_the_run_is_shown_and_can_be_trained_again(context):
    (run,) = context.runs.list()
    assert run.run_id == RUN
    assert (run.status.state, run.status.step, run.has_adapter) == ("finished", 2, True)
    assert len(Diary(run.paths.events).refresh().series["loss"]) == 2
    again = prepare(run_file.load(run.paths.root / "run.yaml"), context.workspace)
    assert again.data.source == EXPORT


def test_the_frozen_export_gives_the_same_rows(folder, monkeypatch):
    monkeypatch.chdir(folder)
    rows = [
        row
        for split in ("train", "evaluation")
        for row in open_source(EXPORT, workspace=Workspace(folder), split=split).rows()
    ]
    assert {row.meta["pair"] for row in rows} == {1, 2, 4, 5}
    assert all(row.images for row in rows)


def test_the_adapter_fits_the_model(folder):
    model = run_file.load(folder / "runs" / RUN / "run.yaml").model
    adapter = folder / "runs" / RUN / "adapter"
    engine = Engine()
    engine.load(model, adapter)
    assert engine.adapters == [adapter]
