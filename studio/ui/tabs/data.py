"""Data: bringing rows in, and looking through what is there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from studio.annotation import DatasetView
from studio.data.sources.files import ENDINGS
from studio.errors import InputError, NotFoundError, StudioError
from studio.services.importer import Importer, ImportStatus
from studio.services.library import list_datasets, preview_source
from studio.ui import data_views as look
from studio.ui.context import StudioContext, go_to
from studio.ui.data_state import FILTERS, LibraryState, read_page
from studio.ui.views import count, empty, say

POLL_SECONDS = 1.0
SHOWN = 11  # components `DataTab.show` fills
SAMPLE = "embedded:preferences"
ROLES = {
    "image": "Image",
    "question": "Question",
    "answer": "Answer",
    "chosen": "Chosen",
    "rejected": "Rejected",
    "candidates": "Candidates",
    "conversation": "Conversation",
}
FIELDS = {"data.source": "Source", "data.train": "Split", "dataset": "Name"}
FIELDS |= {f"data.columns.{role}": f"Column “{title}”" for role, title in ROLES.items()}
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
    importer: Importer
    state: gr.State = field(init=False)
    mapping: dict[str, gr.Dropdown] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw the sources at the left, the rows and the open row beside them."""
        self.state = gr.State(LibraryState())
        self.seen = gr.State(0)
        self.recognised = gr.State({})
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
                    self._import_form()
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

    def _import_form(self) -> None:
        with gr.Row():
            self.source = gr.Textbox(
                label="Source",
                placeholder="/path/to/pairs.jsonl, owner/name, exports/… or embedded:…",
                info="A file or folder on this machine, a hub dataset, an export or a sample set.",
                scale=3,
                elem_id="data-source",
            )
            self.upload = gr.UploadButton(
                "Upload a file",
                file_types=list(ENDINGS),
                size="sm",
                scale=1,
                min_width=120,
            )
        with gr.Row():
            self.split = gr.Textbox(
                label="Split", placeholder="train", info='Slices work: "train[:10%]".'
            )
            self.limit = gr.Number(
                label="At most", value=None, precision=0, minimum=0, info="Rows; empty or 0: all."
            )
            self.name = gr.Textbox(label="Name", info="Of the dataset here; empty: the source's.")
        with gr.Accordion("Columns", open=False), gr.Row():
            for role, title in ROLES.items():
                self.mapping[role] = gr.Dropdown(
                    [], label=title, allow_custom_value=True, value="", min_width=120
                )
        with gr.Row(elem_classes="actions"):
            self.preview_button = gr.Button("Preview", size="sm", elem_id="data-preview")
            self.import_button = gr.Button(
                "Import", size="sm", variant="primary", elem_id="data-do-import"
            )
            self.close_import = gr.Button("Close", size="sm")
        self.result = gr.HTML(elem_id="data-result")

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
        form = [self.source, self.split, self.limit, self.name, self.recognised]
        form += self.mapping.values()
        for button in (self.open_import, self.import_instead):
            button.click(_show, None, self.import_panel, **quick)
        self.close_import.click(_hide, None, self.import_panel, **quick)
        self.upload.upload(str, self.upload, self.source, **quick)
        fields = [self.result, self.recognised, *self.mapping.values()]
        for event in (self.preview_button.click, self.source.submit):
            event(self.preview, form, fields, show_progress="minimal", concurrency_limit=4)
        self.import_button.click(self.start, form, [self.going, self.result], **quick)
        self.sample.click(self.add_sample, None, [self.going, self.result], **quick)
        self.timer.tick(
            self.poll,
            [self.seen, self.state, self.view],
            [self.seen, self.going, self.result, *shown],
            **quick,
        )

    def show(
        self, state: LibraryState, view: str, request: gr.Request | None = None
    ) -> tuple[Any, ...]:
        """The library as it is now."""
        self._check(request)
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

    def preview(
        self,
        request: gr.Request,
        source: str,
        split: str,
        limit: float | None,
        name: str,
        recognised: dict[str, str],
        *mapping: str,
    ) -> tuple[Any, ...]:
        """What the source holds; on an error the form stays as it is."""
        unchanged = (gr.skip(),) * (1 + len(mapping))
        try:
            self._check(request)
            found = preview_source(
                source,
                self.context.workspace,
                split=split.strip() or None,
                columns=_changed(recognised, mapping),
                limit=6,
            )
        except StudioError as error:
            return refusal(error), *unchanged
        fields = [
            gr.update(choices=["", *found.columns], value=found.mapping.get(role, ""))
            for role in ROLES
        ]
        return look.preview(found), found.mapping, *fields

    def start(
        self,
        request: gr.Request,
        source: str,
        split: str,
        limit: float | None,
        name: str,
        recognised: dict[str, str],
        *mapping: str,
    ) -> tuple[str, str]:
        """Begin the import; the timer shows how it goes."""
        return self._begin(
            request,
            source,
            split=split.strip() or None,
            columns=_changed(recognised, mapping),
            limit=int(limit) if limit else None,
            name=name.strip() or None,
        )

    def add_sample(self, request: gr.Request) -> tuple[str, str]:
        """Import the sample pairs."""
        going, refused = self._begin(request, SAMPLE, name="sample pairs")
        return going or refused, refused

    def _begin(self, request: gr.Request, source: str, **options: Any) -> tuple[str, str]:
        try:
            self._check(request)
            return look.progress(self.importer.start(source, **options)), ""
        except StudioError as error:
            return "", refusal(error)

    def already_seen(self) -> int:
        """Number of the last import that had ended when the page was opened."""
        status = self.importer.status
        return status.number - (status.state == "reading")

    def poll(
        self, seen: int, state: LibraryState, view: str, request: gr.Request
    ) -> tuple[Any, ...]:
        """How the import goes; the library anew once it has ended."""
        status = self.importer.status
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

    def _check(self, request: gr.Request | None) -> None:
        if request is not None and not self.context.is_lead(request):
            raise InputError("Only leads see the data.", remedy="Open Annotate.")


def outcome(status: ImportStatus) -> str:
    """How an import ended."""
    if status.report:
        return look.report(status.report)
    return look.said("Nothing was imported", status.error)


def refusal(error: StudioError) -> str:
    """What is wrong with what was typed."""
    place = FIELDS.get(error.field, "")
    return look.said(f"{place}: {error.message}" if place else error.message, error.remedy)


def _changed(recognised: dict[str, str], mapping: tuple[str, ...]) -> dict[str, str]:
    """The columns set by hand: those that differ from what was recognised."""
    given = dict(zip(ROLES, mapping, strict=True))
    return {role: name for role, name in given.items() if name and name != recognised.get(role)}


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
    tab = DataTab(context, Importer(context.workspace, context.store))
    tab.layout()
    tab.wire()
