"""Data: bringing rows in, and looking through what is there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from studio.annotation import DatasetView
from studio.errors import NotFoundError
from studio.services.importer import Importer
from studio.services.library import list_datasets
from studio.ui import data_views as look
from studio.ui.context import StudioContext, go_to
from studio.ui.data_import import ImportForm, check_lead, outcome
from studio.ui.data_state import FILTERS, LibraryState, read_page
from studio.ui.views import count, empty, say

POLL_SECONDS = 1.0
SHOWN = 11  # components `DataTab.show` fills
PICK = (
    "const pick = event => {"
    " const found = event.target.closest('[data-item],[data-dataset]');"
    " if (found) trigger('click', {...found.dataset}); };"
    "element.addEventListener('click', pick);"
    "element.addEventListener('keydown', event => {"
    " if (event.key === 'Enter' && event.target.matches('tr')) pick(event); });"
)
EMPTY = empty(
    "No data yet",
    "The library holds images with questions and answers: to look through, to label, to train on.",
)


@dataclass
class DataTab:
    """Components of the tab and what happens in it; everything shown is read from the store."""

    context: StudioContext
    form: ImportForm
    state: gr.State = field(init=False)

    def layout(self) -> None:
        """Draw the sources at the left, the rows and the open row beside them."""
        self.state = gr.State(LibraryState())
        self.seen = gr.State(0)
        self.timer = gr.Timer(POLL_SECONDS)
        with gr.Row(elem_id="data", equal_height=False):
            with gr.Column(scale=1, min_width=230, elem_classes="surface"):
                self.datasets = gr.HTML(js_on_load=PICK, elem_id="dataset-list")
                self.open_import = gr.Button(
                    "Import data", size="sm", elem_id="data-open-import", min_width=0
                )
                self.label = gr.Button(
                    visible=False, variant="primary", size="sm", elem_id="data-label", min_width=0
                )
                self.going = gr.HTML(elem_id="data-going")
            with gr.Column(scale=4, min_width=420):
                with gr.Column(
                    visible=False, elem_classes="surface", elem_id="data-import"
                ) as self.import_panel:
                    self.form.layout()
                with gr.Column(
                    visible=False, elem_classes="surface", elem_id="data-empty"
                ) as self.nothing:
                    gr.HTML(EMPTY)
                    with gr.Row(elem_classes="actions"):
                        self.sample = gr.Button(
                            "Add the sample pairs", variant="primary", elem_id="data-sample"
                        )
                        self.import_instead = gr.Button("Import your own")
                with gr.Column(visible=False, elem_classes="surface") as self.library:
                    self._browser()
            with gr.Column(
                scale=2, min_width=300, visible=False, elem_classes="surface", elem_id="data-item"
            ) as self.drawer:
                self.close_item = gr.Button("Close", size="sm", min_width=0)
                self.item = gr.HTML()

    def _browser(self) -> None:
        with gr.Row():
            self.search = gr.Textbox(
                show_label=False,
                placeholder="Search questions and answers",
                scale=4,
                min_width=180,
                container=False,
                elem_id="data-search",
            )
            self.filter = gr.Dropdown(
                list(FILTERS),
                value="All",
                show_label=False,
                container=False,
                min_width=120,
                elem_id="data-filter",
            )
            self.view = gr.Dropdown(
                ["Table", "Gallery"],
                value="Table",
                show_label=False,
                container=False,
                min_width=110,
                elem_id="data-view",
            )
        self.items = gr.HTML(js_on_load=PICK, elem_id="data-items")
        with gr.Row():
            self.previous = gr.Button("‹ Previous", size="sm", min_width=0)
            self.page_line = gr.HTML(elem_id="data-page-line")
            self.next = gr.Button("Next ›", size="sm", min_width=0)

    def wire(self) -> None:
        """Connect events; the long work, importing, runs in the importer's own thread."""
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        shown = [
            self.state, self.datasets, self.nothing, self.library, self.items, self.page_line,
            self.previous, self.next, self.label, self.drawer, self.item,
        ]  # fmt: skip
        browse = {"outputs": shown, **quick}
        page, tab = self.context.shell.page, self.context.shell.tab
        page.load(self.already_seen, None, self.seen, **quick)
        page.load(self.show, [self.state, self.view], **browse)
        tab.select(self.show, [self.state, self.view], **browse)
        for place in (self.datasets, self.items):
            place.click(self.pick, [self.state, self.view], **browse)
        filters = [self.state, self.view, self.search, self.filter]
        for event in (self.search.submit, self.search.blur, self.filter.change):
            event(self.narrow, filters, **browse)
        self.view.change(self.show, [self.state, self.view], **browse)
        self.next.click(self.forward, [self.state, self.view], **browse)
        self.previous.click(self.back, [self.state, self.view], **browse)
        self.close_item.click(self.close, [self.state, self.view], **browse)
        self.label.click(_to_annotate, None, self.context.shell.tabs, **quick)
        self._wire_import(shown, quick)

    def _wire_import(self, shown: list[Any], quick: dict[str, Any]) -> None:
        for button in (self.open_import, self.import_instead):
            button.click(_show, None, self.import_panel, **quick)
        self.form.close.click(_hide, None, self.import_panel, **quick)
        self.form.wire(self.going, quick)
        self.sample.click(self.form.add_sample, None, [self.going, self.form.result], **quick)
        self.timer.tick(
            self.poll,
            [self.seen, self.state, self.view],
            [self.seen, self.going, self.form.result, *shown],
            **quick,
        )

    def show(
        self, state: LibraryState, view: str, request: gr.Request | None = None
    ) -> tuple[Any, ...]:
        """The library as it is now."""
        check_lead(self.context, request)
        datasets = list_datasets(self.context.store)
        if state.dataset and state.dataset not in {dataset.name for dataset in datasets}:
            state = state.of(None)
        page = read_page(self.context.store, state)
        draw = look.table if view == "Table" else look.gallery
        item = self._item(state)
        line = f"{page.first}–{page.last} of {page.total}" if page.items else "0 rows"
        return (
            state,
            look.dataset_list(datasets, state.dataset),
            gr.update(visible=not datasets),
            gr.update(visible=bool(datasets)),
            draw(page.items, state.item) if page.items else look.NOTHING_FOUND,
            line,
            gr.update(interactive=len(state.starts) > 1),
            gr.update(interactive=page.last < page.total),
            _label_button(datasets, state.dataset),
            gr.update(visible=item is not None),
            look.detail(item) if item else "",
        )

    def pick(
        self, state: LibraryState, view: str, event: gr.EventData, request: gr.Request
    ) -> tuple[Any, ...]:
        """The dataset or the row that was clicked."""
        picked = event._data
        if "dataset" in picked:
            return self.show(state.of(str(picked["dataset"])), view, request)
        number = str(picked.get("item", ""))
        chosen = int(number) if number.isdecimal() else None
        return self.show(replace(state, item=chosen), view, request)

    def narrow(
        self, state: LibraryState, view: str, search: str, labelled: str, request: gr.Request
    ) -> tuple[Any, ...]:
        """The rows that match; nothing when neither search nor filter changed."""
        wanted = FILTERS.get(labelled)
        if (search.strip(), wanted) == (state.search, state.labelled):
            return (gr.skip(),) * SHOWN
        return self.show(state.filtered(search, wanted), view, request)

    def forward(self, state: LibraryState, view: str, request: gr.Request) -> tuple[Any, ...]:
        """The next page."""
        return self.show(state.next(read_page(self.context.store, state)), view, request)

    def back(self, state: LibraryState, view: str, request: gr.Request) -> tuple[Any, ...]:
        """The page before."""
        return self.show(state.previous(), view, request)

    def close(self, state: LibraryState, view: str, request: gr.Request) -> tuple[Any, ...]:
        """The list without the open row."""
        return self.show(replace(state, item=None), view, request)

    def already_seen(self) -> int:
        """Number of the last import that had ended when the page was opened."""
        status = self.form.importer.status
        return status.number - (status.state == "reading")

    def poll(
        self, seen: int, state: LibraryState, view: str, request: gr.Request
    ) -> tuple[Any, ...]:
        """How the import goes; the library anew once it has ended."""
        status = self.form.importer.status
        nothing = (gr.skip(),) * SHOWN
        if status.state == "reading":
            return gr.skip(), look.progress(status), gr.skip(), *nothing
        if status.number == seen or status.state == "idle":
            return (gr.skip(),) * (3 + SHOWN)
        shown = state.of(status.report.dataset) if status.report else state
        going = look.summary(status.report) if status.report else outcome(status)
        return status.number, going, outcome(status), *self.show(shown, view, request)

    def _item(self, state: LibraryState) -> Any:
        if state.item is None:
            return None
        try:
            return self.context.store.item(state.item)
        except NotFoundError as error:
            say(error)
            return None


def _label_button(datasets: list[DatasetView], chosen: str | None) -> Any:
    """The next step, when pairs of the chosen datasets wait for a label."""
    waiting = sum(d.waiting for d in datasets if chosen in (None, d.name))
    words = "1 waiting pair" if waiting == 1 else f"{count(waiting)} waiting pairs"
    return gr.update(visible=waiting > 0, value=f"Label the {words}")


def _to_annotate() -> Any:
    return go_to("annotate")


def _show() -> Any:
    return gr.update(visible=True)


def _hide() -> Any:
    return gr.update(visible=False)


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    form = ImportForm(context, Importer(context.workspace, context.store))
    tab = DataTab(context, form)
    tab.layout()
    tab.wire()
