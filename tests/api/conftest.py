"""The browser, and what is looked at after every test that is served."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from studio.annotation import AnnotationStore
from studio.api.annotate import router
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from tests.api.annotate_client import CHANGE, Context
from tests.ui.conftest import chromium, told_is_kept

__all__ = ["chromium", "told_is_kept"]


@pytest.fixture
def context(tmp_path: Path):
    workspace = Workspace.locate(tmp_path)
    store = AnnotationStore(f"sqlite:///{workspace.database}")
    yield Context(store, ImageStore(workspace))
    store.close()


@pytest.fixture
def client(context) -> TestClient:
    app = FastAPI()
    app.include_router(router(context))
    return TestClient(app, base_url="http://127.0.0.1:7860", headers=CHANGE)


@pytest.fixture
def sha(context) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "PNG")
    return context.images.add(buffer.getvalue())


@pytest.fixture
def pairs(context, sha) -> None:
    prompt = (Message("user", (Part("image"), Part("text", "<b>How many?</b>"))),)
    answers = (Answer("one", "secret-model-a"), Answer("two", "secret-model-b"))
    rows = [Row(f"r{n}", (sha,), prompt, candidates=answers) for n in range(4)]
    context.store.add_rows("charts", rows)
