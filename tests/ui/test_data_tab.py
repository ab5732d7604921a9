"""The library's looks and handlers, with real stores and no browser."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import gradio as gr
import pytest
from PIL import Image

from studio.annotation import AnnotationStore
from studio.data.images import ImageStore
from studio.paths import Workspace
from studio.services.importer import Importer
from studio.ui import data_views as look
from studio.ui.data_import import ImportForm
from studio.ui.data_state import PAGE, LibraryState, read_page
from studio.ui.tabs.data import DataTab

HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{constructor}}"


@dataclass
class Context:
    """What the tab needs of the studio's context."""

    workspace: Workspace
    store: AnnotationStore
    images: ImageStore
    lead: bool = True

    def is_lead(self, request) -> bool:
        return self.lead


@pytest.fixture
def tab(tmp_path):
    workspace = Workspace.locate(tmp_path / "workspace")
    store = AnnotationStore(f"sqlite:///{workspace.database}")
    context = Context(workspace, store, ImageStore(workspace))
    yield DataTab(context, ImportForm(context, Importer(workspace, store)))
    store.close()


@pytest.fixture
def source(tmp_path):
    """Writes pairs about one image; returns the path."""

    def write(count: int, question: str = "How many?") -> str:
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
        (tmp_path / "a.png").write_bytes(buffer.getvalue())
        rows = [
            {"id": str(n), "image": "a.png", "ask": f"{question} {n}", "chosen": HOSTILE,
             "rejected": f"no {n}", "note": HOSTILE}
            for n in range(count)
        ]  # fmt: skip
        path = tmp_path / "pairs.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        return str(path)

    return write


REQUEST = object()
FIELDS = ("", "", "", "", "", "", "")


def imported(tab, path: str, *mapping: str):
    columns = mapping or ("", "ask", "", "", "", "", "")
    going, refused = tab.form.start(REQUEST, path, "", 0, "", {}, *columns)
    assert going and not refused
    assert tab.form.importer.wait(30).state == "done"


def test_an_empty_library_offers_the_sample(tab):
    _, listed, nothing, library, *_ = tab.show(LibraryState(), "Table", REQUEST)
    assert nothing["visible"] and not library["visible"]
    assert "No datasets yet" in listed
    going, refused = tab.form.add_sample(REQUEST)
    assert "Importing" in going and not refused
    done = tab.form.importer.wait(120)
    assert done.report.dataset == "sample pairs" and done.report.added > 0


def test_a_preview_fills_the_mapping_and_an_error_leaves_the_form(tab, source):
    path = source(3)
    html, recognised, *fields = tab.form.preview(REQUEST, path, "", 0, "", {}, *FIELDS)
    assert "Recognised as: Preferences" in html and "3 rows" in html
    assert recognised["image"] == "image" and fields[0]["value"] == "image"
    assert "ask" in fields[0]["choices"]
    html, *rest = tab.form.preview(REQUEST, path, "", 0, "", {}, "imge", *FIELDS[1:])
    assert "Column “Image”: There is no column" in html and 'role="alert"' in html
    assert all(value == gr.skip() for value in rest)


def test_only_columns_changed_by_hand_overrule(tab, source):
    path = source(2)
    stale = {"image": "gone"}
    html, *_ = tab.form.preview(REQUEST, path, "", 0, "", stale, "gone", "ask", *FIELDS[2:])
    assert "Recognised as" in html and "How many? 0" in html


def test_nothing_from_outside_is_markup_or_template(tab, source):
    imported(tab, source(2, HOSTILE))
    (first, _) = tab.context.store.browse()
    for html in (
        look.table([first], None),
        look.gallery([first], None),
        look.detail(first),
        look.preview(_preview(tab, source(2, HOSTILE))),
        look.dataset_list(tab.context.store.datasets(), None),
        tab.form.preview(REQUEST, HOSTILE, "", 0, "", {}, *FIELDS)[0],
    ):
        assert "<img src=x" not in html
        assert "${" not in html and "{{" not in html


def _preview(tab, path):
    from studio.services.library import preview_source

    return preview_source(path, tab.context.workspace, columns={"question": "ask"})


def test_pages_turn_and_filters_start_over(tab, source):
    imported(tab, source(PAGE + 5))
    store, state = tab.context.store, LibraryState()
    first = read_page(store, state)
    assert (first.first, first.last, first.total) == (1, PAGE, PAGE + 5)
    second_state = state.next(first)
    second = read_page(store, second_state)
    assert (second.first, second.last) == (PAGE + 1, PAGE + 5)
    assert second_state.next(second) == second_state
    assert second_state.previous() == state
    narrowed = second_state.filtered("many? 13", None)
    assert [item.question for item in read_page(store, narrowed).items] == ["How many? 13"]
    assert read_page(store, state.filtered("", True)).total == 0


def test_leaving_the_search_box_changes_nothing(tab, source):
    imported(tab, source(2))
    state = LibraryState(search="many", labelled=None)
    untouched = tab.narrow(state, "Table", " many ", "All", REQUEST)
    assert all(value == gr.skip() for value in untouched)
    assert len(untouched) == len(tab.show(state, "Table", REQUEST))
    narrowed = tab.narrow(state, "Table", "1", "Not labelled", REQUEST)
    assert (narrowed[0].search, narrowed[0].labelled) == ("1", False)


def test_a_row_opens_and_closes(tab, source):
    imported(tab, source(2))
    (item, _) = tab.context.store.browse()
    shown = tab.show(LibraryState(item=item.id), "Gallery", REQUEST)
    assert shown[-2]["visible"] and "How many? 0" in shown[-1]
    closed = tab.close(shown[0], "Gallery", REQUEST)
    assert not closed[-2]["visible"]


def test_the_end_of_an_import_shows_once(tab, source):
    seen = tab.already_seen()
    imported(tab, source(2))
    number, going, result, *shown = tab.poll(seen, LibraryState(), "Table", REQUEST)
    assert number == 1 and "2 added" in going and "Imported into pairs" in result
    assert shown[0].dataset == "pairs"
    assert "Label the 2 waiting pairs" in [part.get("value") for part in shown[6:9]]
    assert all(value == gr.skip() for value in tab.poll(1, LibraryState(), "Table", REQUEST))


def test_annotators_see_and_import_nothing(tab, source):
    from studio.errors import InputError

    tab.context.lead = False
    with pytest.raises(InputError):
        tab.show(LibraryState(), "Table", REQUEST)
    going, refused = tab.form.start(REQUEST, source(1), "", 0, "", {}, *FIELDS)
    assert not going and "Only leads" in refused
    assert tab.form.importer.status.state == "idle"
