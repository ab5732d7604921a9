"""The Data tab with real stores and no browser."""

from __future__ import annotations

from functools import partial

import gradio as gr
import pytest

from studio.annotation import AnnotationStore
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.data.check_panel import CheckPanel
from tests.preflight.conftest import drawing, saved
from tests.ui.data.fake_checker import HOSTILE, FakeChecker, report_of
from tests.ui.library_tab import opened_tab, write_pairs
from tests.ui.tab_context import Context


@pytest.fixture
def library(tab):
    return tab.library


@pytest.fixture
def tab(tmp_path):
    with opened_tab(tmp_path) as opened:
        yield opened


@pytest.fixture
def source(tmp_path):
    """Writes pairs and bad rows; returns the path."""
    return partial(write_pairs, tmp_path)


@pytest.fixture
def panel(tmp_path):
    workspace = Workspace.locate(tmp_path / "workspace")
    images, store = ImageStore(workspace), AnnotationStore(workspace.database_url)
    shas = [images.add(saved(drawing(seed))) for seed in range(2)]
    prompt = (Message("user", (Part("image"), Part("text", HOSTILE))),)
    store.add_rows("mine", [Row(str(n), (shas[n % 2],), prompt, Answer(f"a{n}")) for n in range(4)])
    checker = FakeChecker(report_of(store.ids()))
    yield CheckPanel(Context(workspace, store, images), checker, gr.State(None))
    store.close()
