"""Annotate: the page for labelling pairs, and the export of what was labelled.

The page itself is assets/annotate*.js talking to `studio.ui.api`; here are its place, the import
of samples, and the form below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.annotation.export import FORMATS, Export, export_name, export_preferences
from studio.annotation.preferences import REASONS
from studio.errors import InputError, StudioError
from studio.services.library import import_source
from studio.ui.context import StudioContext, go_to, link
from studio.ui.views import notice

ROOT = '<div class="annotate" data-annotate></div>'
ATTACH = "window.StudioAnnotate.attach(element.querySelector('[data-annotate]'), trigger)"
SHOW_RESULT = "() => document.querySelector('#annotate-result')?.scrollIntoView({block: 'end'})"
REFRESH = "() => { window.StudioAnnotate.refresh(); }"
SAMPLES = "embedded:unlabelled"
SHAPES = [
    ("Preferences (DPO)", "preferences"),
    ("Best answers (SFT)", "completions"),
    ("All answers in order (JSONL)", "ranked"),
]
TIES = [
    ("Leave out pairs without a majority", "drop"),
    ("Ignore ties; those who chose decide", "ignore"),
]


def build(context: StudioContext) -> None:
    """Lay out the tab inside the current `gr.Blocks`."""
    actions = Actions(context)
    page = gr.HTML(ROOT, js_on_load=ATTACH, elem_id="annotate-page", apply_default_css=False)
    with gr.Column(elem_id="annotate-result", visible=False) as result:
        message = gr.HTML()
        source = gr.State("")
        train = gr.Button("Train on them", variant="primary", visible=False, min_width=160)
    with gr.Accordion("Export labelled pairs", open=False, elem_id="annotate-export") as panel:
        fields = export_form()
        export = gr.Button("Export", variant="primary", elem_id="annotate-export-button")
    shown = [result, message, source, train]
    for exporting in (
        export.click(actions.export, fields, shown, **QUIET),
        page.download(actions.export_now, None, shown, **QUIET),
    ):
        exporting.then(None, js=SHOW_RESULT)
    page.upload(actions.import_samples, None, shown, **QUIET).then(None, js=REFRESH)
    context.shell.page.load(actions.panel, None, panel, **QUIET)
    for opening in (panel.expand, context.shell.tab.select):
        opening(actions.choices, fields[0], fields[0], **QUIET)
    train.click(actions.train, source, [context.shell.train_on, context.shell.tabs], **QUIET)


QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def export_form() -> list[gr.components.Component]:
    """Fields in the order `Actions.export` takes them."""
    with gr.Row():
        dataset = gr.Dropdown([], label="Dataset", allow_custom_value=False)
        name = gr.Textbox(label="Name", placeholder="the dataset's name", max_length=80)
        format = gr.Dropdown(
            [("For training here (TRL)", "trl"), *((f.upper(), f) for f in FORMATS[1:])],
            value="trl",
            label="Format",
        )
    with gr.Row():
        ties = gr.Dropdown(TIES, value="drop", label="Ties")
        votes = gr.Number(1, label="Votes needed", precision=0, minimum=1)
        imported = gr.Checkbox(
            False,
            label="Include imported preferences",
            info="Where no person has voted, take what the data itself preferred.",
        )
    with gr.Row():
        shape = gr.Dropdown(SHAPES, value="preferences", label="What")
        agreement = gr.Slider(0, 1, 0, step=0.05, label="Agreement needed")
        annotators = gr.Textbox(label="Only the votes of", placeholder="everybody", max_length=2000)
    with gr.Row():
        written = gr.Checkbox(True, label="With edits and ideal answers")
        balance = gr.Checkbox(
            False,
            label="Balance lengths",
            info="Leaves out pairs until the longer answer wins in half of them.",
        )
    return [dataset, name, format, ties, votes, imported, shape, agreement, annotators, written, balance]  # fmt: skip


@dataclass(frozen=True)
class Actions:
    """What the tab's buttons do. Each returns updates for (result, message, source, train)."""

    context: StudioContext

    def choices(self, chosen: str | None) -> Any:
        """The datasets that have pairs, the one chosen kept, else the first with labels."""
        found = [dataset for dataset in self.context.store.datasets() if dataset.pairs]
        names = [dataset.name for dataset in found]
        best = max(found, key=lambda dataset: dataset.labelled > 0, default=None)
        return gr.Dropdown(names, value=chosen if chosen in names else best and best.name)

    def panel(self, request: gr.Request) -> Any:
        """The export form, for leads only."""
        return gr.Accordion(visible=self.context.is_lead(request))

    def export(
        self,
        dataset: str | None,
        name: str,
        format: str,
        ties: str,
        votes: float | None,
        imported: bool,
        shape: str,
        agreement: float,
        annotators: str,
        written: bool,
        balance: bool,
        request: gr.Request,
    ) -> tuple:
        try:
            self._lead_only(request)
            if not dataset:
                raise InputError("There is no dataset to export.", remedy="Import one in Data.")
            made = export_preferences(
                self.context.store,
                self.context.images,
                self.context.workspace,
                dataset=dataset,
                name=name.strip() or export_name(dataset),
                tie_policy=ties,
                minimum_votes=int(votes or 1),
                format=format,
                include_imported=imported,
                shape=shape,
                minimum_agreement=agreement,
                annotators=tuple(part.strip() for part in annotators.split(",") if part.strip()),
                include_written=written,
                balance_lengths=balance,
            )
            details = {"to": made.source, "rows": made.rows}
            self.context.store.team.note(self.context.user(request), "export", dataset, details)
        except StudioError as error:
            return refused(error)
        return exported(made, trainable=format == "trl")

    def export_now(self, event: gr.EventData, request: gr.Request) -> tuple:
        """Export with the defaults; the page says which dataset, or the first with labels."""
        labelled = [found.name for found in self.context.store.datasets() if found.labelled]
        asked = event._data.get("dataset")
        dataset = asked or next(iter(labelled), None)
        defaults = ("trl", "drop", 1, False, "preferences", 0.0, "", True, False)
        return self.export(dataset, "", *defaults, request)

    def import_samples(self, request: gr.Request) -> tuple:
        try:
            self._lead_only(request)
            import_source(SAMPLES, self.context.workspace, self.context.store)
        except StudioError as error:
            return refused(error)
        return gr.Column(visible=False), "", "", gr.Button(visible=False)

    def train(self, source: str) -> tuple:
        return link(source), go_to("train")

    def _lead_only(self, request: gr.Request) -> None:
        if not self.context.is_lead(request):
            raise InputError("Only a lead can import and export.", remedy="Ask the lead.")


def exported(made: Export, *, trainable: bool) -> tuple:
    """What an export says: how many, where, and what was left out and why."""
    left_out = [f"{count} left out: {REASONS[why]}." for why, count in made.left_out.items()]
    pairs = f"{made.rows} pair" if made.rows == 1 else f"{made.rows} pairs"
    message = notice(f"{pairs} exported to {made.source}", *left_out)
    return gr.Column(visible=True), message, made.source, gr.Button(visible=trainable)


def refused(error: StudioError) -> tuple:
    """An error in the place of the result."""
    message = notice(error.message, error.remedy, tone="bad")
    return gr.Column(visible=True), message, "", gr.Button(visible=False)
