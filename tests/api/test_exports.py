"""Downloads of exports: for leads, and of nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.api.exports import past_exports, router, size
from studio.core.paths import Workspace


@dataclass
class Context:
    workspace: Workspace
    lead: bool = True
    accounts: None = None

    def user(self, request) -> str:
        return "ana"

    def is_lead(self, request) -> bool:
        return self.lead


@pytest.fixture
def context(tmp_path):
    workspace = Workspace.locate(tmp_path / "workspace")
    folder = workspace.exports / "charts-0123"
    folder.mkdir()
    (folder / "preferences.csv").write_text("id\n", encoding="utf-8")
    known = {"pairs": 1, "format": "csv<b>", "exported_at": 0}
    (folder / "manifest.json").write_text(json.dumps(known), encoding="utf-8")
    return Context(workspace)


@pytest.fixture
def client(context):
    app = FastAPI()
    app.include_router(router(context))
    return TestClient(app, base_url="http://127.0.0.1")


def test_a_lead_downloads_an_export(client):
    answer = client.get("/studio/exports/charts-0123.zip")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="charts-0123.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.read("charts-0123/preferences.csv") == b"id\n"


def test_an_annotator_gets_none(client, context):
    context.lead = False
    assert client.get("/studio/exports/charts-0123.zip").status_code == 403


@pytest.mark.parametrize("name", ["%2e%2e", "..%2Fruns", "none", "%2Fetc"])
def test_other_paths_are_not_found(client, name):
    assert client.get(f"/studio/exports/{name}.zip").status_code == 404


def test_past_exports_are_listed_and_escaped(context):
    shown = past_exports(context.workspace)
    assert 'href="studio/exports/charts-0123.zip"' in shown
    assert "1970-01-01" in shown and "csv&lt;b&gt;" in shown and "<b>" not in shown


def test_sizes_in_words():
    assert [size(n) for n in (12, 1_200, 3_400_000, 5_600_000_000)] == [
        "12 B", "1.2 KB", "3.4 MB", "5.6 GB",
    ]  # fmt: skip
