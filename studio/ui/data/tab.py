"""Data: bringing rows in, and looking through what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from typing import Any

import gradio as gr

from studio.annotation.library.import_job import Importer
from studio.api.context import StudioContext
from studio.ui.data import candidates_panel
from studio.ui.data import views as look
from studio.ui.data.add_row import BLANK, AddForm, done
from studio.ui.data.check_panel import build_check_panel
from studio.ui.data.import_form import ImportForm, check_lead, outcome
from studio.ui.data.import_report import STEPS, ImportReportPanel
from studio.ui.data.library import ACTIONS, ANY, Changes, Library
from studio.ui.data.state import AGREEMENTS, LABELS, MARKS, ORDERS, LibraryState, PageLook
from studio.ui.shared.html import empty
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.shell.navigation import go_to

BULK = {
    "flag": "Flag",
    "unflag": "Unflag",
    "exclude": "Exclude",
    "include": "Include again",
    "delete": "Delete",
    "restore": "Restore",
}
EMPTY = empty(
    "No data yet",
    "The library holds images with questions and answers: to look through, to label, to train on.",
)


@dataclass
class DataTab:
    """Components of the tab; `library` says what changes, `parts` are what can change.

    Attributes:
        rows_of: Links from the check, see `Library.rows_of`.
    """

    context: StudioContext
    form: ImportForm
    parts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.library = Library(self.context)
        self.add = AddForm(self.context)
        self.done = ImportReportPanel(self.form)

    def layout(self) -> None:
        """Draw the sources at the left, the rows and the open row beside them."""
        parts = self.parts
        parts["state"] = gr.State(PageLook())
        parts["seen"] = gr.State(None)
        self.rows_of = gr.State(None)
        with gr.Row(elem_id="data", equal_height=False):
            with gr.Column(scale=1, min_width=200, elem_classes="surface", elem_id="data-side"):
                self._side()
            with gr.Column(scale=5, min_width=600):
                self._panels()
                with gr.Column(visible=False, elem_classes="surface") as parts["library"]:
                    self._browser()
            with gr.Column(
                scale=2, min_width=320, visible=False, elem_classes="surface", elem_id="data-item"
            ) as parts["drawer"]:
                self.close_item = gr.Button("Close", size="sm", min_width=0)
                parts["problem"] = gr.HTML(elem_id="data-problem")
                parts["item"] = gr.HTML(js_on_load=on_load("open-row"), elem_id="data-open-item")

    def _side(self) -> None:
        parts = self.parts
        parts["datasets"] = gr.HTML(js_on_load=on_load("row-list"), elem_id="dataset-list")
        self.open_import = gr.Button(
            "Import data", size="sm", elem_id="data-open-import", min_width=0
        )
        self.open_add = gr.Button("Add a row", size="sm", elem_id="data-open-add", min_width=0)
        parts["label"] = gr.Button(
            visible=False, variant="primary", size="sm", elem_id="data-label", min_width=0
        )
        parts["going"] = gr.HTML(js_on_load=on_load("import-end"), elem_id="data-going")
        parts["stop"] = gr.Button(
            "Stop importing", visible=False, size="sm", elem_id="data-stop", min_width=0
        )
        self.ticker = gr.HTML(
            "<span></span>", js_on_load=on_load("import-ticker"), elem_id="data-ticker"
        )

    def _panels(self) -> None:
        parts = self.parts
        with gr.Column(
            visible=False, elem_classes="surface", elem_id="data-import"
        ) as self.import_panel:
            self.form.layout()
        with gr.Column(visible=False, elem_classes="surface", elem_id="data-add") as self.add_panel:
            self.add.layout()
        self.done.layout()
        with gr.Column(visible=False, elem_classes="surface", elem_id="data-empty") as parts[
            "nothing"
        ]:
            gr.HTML(EMPTY)
            with gr.Row(elem_classes="actions"):
                self.sample = gr.Button(
                    "Add the sample pairs", variant="primary", elem_id="data-sample"
                )
                self.import_instead = gr.Button("Import your own")
        parts["result"], parts["add_result"] = self.form.result, self.add.result
        parts |= self.add.fields

    def _browser(self) -> None:
        parts = self.parts
        with gr.Row(elem_classes="data-filters"):
            parts["search"] = gr.Textbox(
                "",
                show_label=False,
                placeholder="Search",
                scale=4,
                min_width=100,
                container=False,
                elem_id="data-search",
            )
            parts["labels"] = _choice(list(LABELS), "data-labels", 132)
            parts["marks"] = _choice(list(MARKS), "data-marks", 126)
            parts["order"] = _choice(list(ORDERS), "data-order", 136)
            parts["view"] = _choice(["Table", "Gallery"], "data-view", 92)
        with gr.Accordion("More filters", open=False, elem_id="data-more"):
            with gr.Row(elem_classes="data-filters"):
                for name, words in ANY.items():
                    parts[name] = _choice([(words, "")], f"data-any-{name}", 120)
                parts["agreement"] = _choice(list(AGREEMENTS), "data-agreement", 120)
            with gr.Row(elem_classes="data-filters"):
                parts["shortest"] = _edge("Longest answer from", "data-shortest")
                parts["longest"] = _edge("to characters", "data-longest")
        parts["checked"] = build_check_panel(self.context, self.rows_of).dataset
        self.writing = candidates_panel.build(self.context, self.rows_of)
        parts["written"] = self.writing.dataset
        with gr.Row(visible=False, elem_id="data-narrowed", elem_classes="actions") as parts[
            "narrowed"
        ]:
            parts["asked"] = gr.HTML(elem_id="data-asked")
            self.clear = gr.Button("Show all rows", size="sm", min_width=0, elem_id="data-clear")
        self._bulk()
        with gr.Row(visible=False, elem_id="data-binned", elem_classes="actions") as parts[
            "binned"
        ]:
            parts["binned_line"] = gr.HTML(elem_id="data-binned-line")
            self.undo_delete = gr.Button("Undo", size="sm", min_width=0, elem_id="data-undo-delete")
        parts["trouble"] = gr.HTML(elem_id="data-trouble")
        parts["items"] = gr.HTML(js_on_load=on_load("row-list"), elem_id="data-items")
        with gr.Row():
            parts["previous"] = gr.Button("‹ Previous", size="sm", min_width=0)
            parts["page_line"] = gr.HTML(elem_id="data-page-line")
            parts["next"] = gr.Button("Next ›", size="sm", min_width=0, elem_id="data-next")

    def _bulk(self) -> None:
        parts = self.parts
        with gr.Row(visible=False, elem_id="data-bulk", elem_classes="actions") as parts["bulk"]:
            parts["bulk_line"] = gr.HTML(elem_id="data-bulk-line")
            parts["everything"] = gr.Button("Select all", size="sm", min_width=0)
            self.nothing_selected = gr.Button("Clear selection", size="sm", min_width=0)
            for name, words in BULK.items():
                parts[name] = gr.Button(words, size="sm", min_width=0, elem_id=f"data-{name}")
            parts["tag_text"] = gr.Textbox(
                "",
                show_label=False, placeholder="Tag", container=False, min_width=90, max_lines=1,
                elem_id="data-tag-text",
            )  # fmt: skip
            self.add_tag = gr.Button("Tag", size="sm", min_width=0, elem_id="data-add-tag")
            self.remove_tag = gr.Button("Untag", size="sm", min_width=0)

    def wire(self) -> None:
        """Connect events; the long work, importing, runs in the importer's own thread."""
        parts, library, state = self.parts, self.library, self.parts["state"]
        page, tab = self.context.shell.page, self.context.shell.tab
        self._on(page.load, self.already_seen, None, ("seen",))
        self._on(page.load, library.visit, [state])
        self._on(tab.select, library.come_back, [state])
        for place in (parts["datasets"], parts["items"]):
            self._on(place.click, library.pick, [state])
        names = ("search", "labels", "marks", "order", "view", *ANY, "agreement")
        fields = [parts[name] for name in (*names, "shortest", "longest")]
        typed = [parts[name] for name in ("search", "shortest", "longest")]
        events = [event for part in typed for event in (part.submit, part.blur)]
        for event in (*events, *(part.input for part in fields[1:-2])):
            self._on(event, library.narrow, [state, *fields])
        self._on(self.clear.click, library.clear, [state])
        self._on(self.rows_of.change, library.rows_of, [state, self.rows_of])
        of_report = [self.done.shown, self.done.dataset]
        self._on(self.rows_of.change, self.done.counted_anew, of_report, STEPS)
        self._on(parts["next"].click, library.forward, [state])
        self._on(parts["previous"].click, library.back, [state])
        self._on(self.close_item.click, library.close, [state])
        self._on(parts["item"].submit, library.edit, [state])
        self._on(parts["item"].click, library.act_on_open, [state])
        # What lies in a folded panel takes no news: it is told when it is opened.
        self._on(self.writing.accordion.expand, self.write_to, [state])
        self._wire_bulk()
        self._wire_forms()

    def write_to(self, state: LibraryState, request: gr.Request) -> Changes:
        """Offer the datasets that a model can write to, the one looked at first."""
        check_lead(self.context, request)
        names = [one.name for one in self.context.store.datasets()]
        chosen = state.where.dataset or (names[-1] if names else None)
        return {"written": gr.update(choices=names, value=chosen)}

    def _wire_bulk(self) -> None:
        parts, library, state = self.parts, self.library, self.parts["state"]
        self._on(parts["everything"].click, library.select_everything, [state])
        self._on(self.nothing_selected.click, library.select_nothing, [state])
        self._on(self.undo_delete.click, library.undo_delete, [state])
        for name in ACTIONS:
            self._on(parts[name].click, _acting(library, name), [state])
        for button, on in ((self.add_tag, True), (self.remove_tag, False)):
            self._on(button.click, _tagging(library, on), [state, parts["tag_text"]])
        self._on(parts["tag_text"].submit, _tagging(library, True), [state, parts["tag_text"]])

    def _wire_forms(self) -> None:
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        importing, adding = self.import_panel, self.add_panel
        for button, panels in (
            (self.open_import, [importing, adding]),
            (self.import_instead, [importing, adding]),
            (self.open_add, [adding, importing]),
        ):
            button.click(_first_of_two, None, panels, **quick)
        for form, panel in ((self.form, self.import_panel), (self.add, self.add_panel)):
            form.close.click(partial(gr.update, visible=False), None, panel, **quick)
        labelling = {"js": hook("label-dataset"), **quick}
        annotate = partial(go_to, "annotate")
        self.parts["label"].click(annotate, None, self.context.shell.tabs, **labelling)
        self.form.wire(self.parts["going"], self.done.begun, quick)
        self.done.wire(self.context.shell, self.parts["going"], self.import_panel, quick)
        showing = {"js": hook("show-write-form"), **quick}
        self.done.parts["write_these"].click(None, None, None, **showing)
        going = [self.parts["going"], self.form.result, self.done.begun]
        self.sample.click(self.form.add_sample, None, going, **quick)
        self._on(self.ticker.tick, self.poll, [self.parts["seen"]], ("seen", "going", "stop"))
        self._on(self.parts["stop"].click, self.stop, None, ("going", "stop"))
        arrival = [self.parts["state"], self.done.begun]
        names = (*self.parts, *self.of_import)
        self._on(self.parts["going"].submit, self.arrived, arrival, names)
        fields = [self.parts["state"], *self.add.fields.values()]
        self._on(self.add.add.click, self.add_row, fields)

    def add_row(
        self,
        state: LibraryState,
        images: list[str] | None,
        question: str,
        name: str,
        chosen: str,
        rejected: str,
        request: gr.Request,
    ) -> Changes:
        """Add the row typed in and open it; on an error everything typed stays."""
        made = self.add.save(images, question, name, chosen, rejected, request)
        if isinstance(made, str):
            return {"add_result": made}
        shown = replace(state.of(self.context.store.item(made).dataset), item=made)
        return {**BLANK, "add_result": done(made), **self.library.open(shown, request)}

    def already_seen(self) -> Changes:
        """Number of the last import that had ended when the page was opened."""
        status = self.form.importer.status
        return {"seen": status.number - (status.state == "reading")}

    def poll(self, seen: int | None) -> Changes:
        """Show how the import goes, or went; nothing until `already_seen` has told what is old."""
        status = self.form.importer.status
        if seen is None:
            return {}
        if status.state == "reading":
            stop = gr.update(visible=not status.stopping)
            return {"going": look.progress(status), "stop": stop}
        if status.number == seen or status.state == "idle":
            return {}
        ended = look.summary(status.report) if status.report else outcome(status)
        ended = look.arrived(status.number) + ended
        return {"seen": status.number, "going": ended, "stop": gr.update(visible=False)}

    def stop(self, request: gr.Request) -> Changes:
        """End the import that runs; nothing of it stays."""
        check_lead(self.context, request)
        self.form.importer.stop()
        return self.poll(self.form.importer.status.number)

    @property
    def of_import(self) -> dict[str, Any]:
        """What the end of an import changes besides `parts`."""
        form = self.form
        fields = {"area": form.area, "upload": form.upload, "typed_source": form.source}
        return {**self.done.parts, **fields, "form": self.import_panel}

    def arrived(self, state: LibraryState, begun: int, request: gr.Request) -> Changes:
        """Show what was imported and what came of it; other pages stay with what they look at."""
        status = self.form.importer.status
        if status.report is None:
            asked = self.form.begun.get(status.number)
            ended = outcome(status, uploaded=bool(asked and asked.upload))
            return {"result": ended} if begun in (0, status.number) else {}
        told = self.done.ended(status, begun, request)
        shown = state.of(status.report.dataset) if told else state
        return {**self.library.open(shown, request), **told}

    def _on(
        self,
        event: Any,
        handler: Callable[..., Changes],
        inputs: list[Any] | None,
        names: tuple[str, ...] = (),
    ) -> None:
        """Let `handler` change the parts called `names` (all); quick, so none is queued.

        What a page's look answers in turn is all sent: of two clicks Gradio would drop the second
        while the first is on its way.
        """
        names = names or tuple(self.parts)
        parts = {**self.parts, **self.of_import}
        in_turn = bool(inputs and inputs[0] is self.parts["state"])

        @wraps(handler)
        def changed(*given: Any, **named: Any) -> Any:
            answer = partial(handler, **named)
            match given:
                case (PageLook() as look, *others):
                    changes = look.answer(answer, *others)
                case _:
                    changes = answer(*given)
            shown = tuple(changes.get(name, gr.skip()) for name in names)
            return shown if len(shown) > 1 else shown[0]

        event(
            changed,
            inputs,
            [parts[name] for name in names],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
            trigger_mode="multiple" if in_turn else None,
        )


def _choice(choices: list[Any], name: str, width: int) -> gr.Dropdown:
    first = choices[0]
    return gr.Dropdown(
        choices,
        value=first[1] if isinstance(first, tuple) else first,
        show_label=False,
        container=False,
        min_width=width,
        elem_id=name,
    )


def _edge(label: str, name: str) -> gr.Textbox:
    return gr.Textbox("", label=label, placeholder="any", max_lines=1, min_width=110, elem_id=name)


def _acting(library: Library, action: str) -> Callable[..., Changes]:
    def act(state: LibraryState, request: gr.Request) -> Changes:
        return library.act(action, state, request)

    return act


def _tagging(library: Library, on: bool) -> Callable[..., Changes]:
    def tag(state: LibraryState, text: str, request: gr.Request) -> Changes:
        return library.tag(state, text, on, request)

    return tag


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    form = ImportForm(context, Importer(context.workspace, context.store))
    tab = DataTab(context, form)
    tab.layout()
    tab.wire()


def _first_of_two() -> tuple[Any, Any]:
    """Open one form and close the other; what was typed there stays."""
    return gr.update(visible=True), gr.update(visible=False)
