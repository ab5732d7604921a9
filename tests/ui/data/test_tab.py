"""The library's looks and handlers, with real stores and no browser."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr
import pytest
from fastapi.testclient import TestClient

from studio.annotation.library.import_job import Importer
from studio.api.context import close_context, open_context
from studio.core.errors import InputError
from studio.ui.data.import_form import ImportForm
from studio.ui.data.state import LibraryState
from studio.ui.data.tab import DataTab
from studio.ui.shell.app import build_app
from studio.ui.shell.navigation import Shell
from tests.ui.library_tab import FIELDS, REQUEST, typed


def test_no_two_parts_of_the_tab_have_the_same_id(tmp_path):
    opened = open_context(str(tmp_path / "studio"))
    with TestClient(build_app(opened), base_url="http://127.0.0.1:7860") as client:
        parts = client.get("/config").json()["components"]
    close_context(opened)
    names = [str(part["props"].get("elem_id")) for part in parts]
    mine = [name for name in names if name.startswith(("data-", "check-"))]
    assert len(mine) > 30 and sorted(mine) == sorted(set(mine))


def test_annotators_see_and_import_nothing(tab, library, source):
    tab.context.lead = False
    with pytest.raises(InputError):
        library.open(LibraryState(), REQUEST)
    with pytest.raises(InputError):
        library.act("delete", LibraryState(), REQUEST)
    going, refused, _ = tab.form.start(REQUEST, *typed(source(1), *FIELDS))
    assert not going and "Only leads" in refused
    assert tab.form.importer.status.state == "idle"


def test_what_an_import_changes_is_called_by_names_of_its_own(tmp_path):
    opened = open_context(str(tmp_path / "studio"))
    with gr.Blocks() as page, gr.Tabs() as tabs, gr.Tab("Data") as place:
        links = [gr.State(None) for _ in range(4)]
        context = replace(opened, shell=Shell(page, tabs, place, *links))
        tab = DataTab(context, ImportForm(context, Importer(opened.workspace, opened.store)))
        tab.layout()
    close_context(opened)
    assert len(tab.of_import) > 10 and not set(tab.parts) & set(tab.of_import)
