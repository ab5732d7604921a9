"""Annotate: the page for labelling pairs, and the export of what was labelled.

The page itself is assets/web/annotate talking to `studio.api.annotate`; here are its place, the import
of samples, and the form below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.annotation.export import hub_publish
from studio.annotation.export.format_losses import say_losses
from studio.annotation.export.formats.format_table import FILES, LINES
from studio.annotation.export.kept_exports import describe
from studio.annotation.export.label_policies import REASONS
from studio.annotation.export.preference_export import (
    Export,
    export_name,
    export_preferences,
)
from studio.annotation.library.source_import import import_source
from studio.api.context import StudioContext
from studio.api.exports import download_link, past_exports
from studio.config.export import EVALUATION_SHARE, LEAST_VOTES, MOST_EVALUATION_SHARE
from studio.core.errors import InputError, StudioError
from studio.ui.events.event_data import text
from studio.ui.shared.html import notice, told
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.shell.navigation import go_to, link

ROOT = '<div class="annotate" data-annotate></div>'
SAMPLES = "embedded:unlabelled"
SHAPES = [
    ("Preferences (DPO)", "preferences"),
    ("Best answers (SFT)", "completions"),
    ("All answers in order (JSONL)", "ranked"),
    ("Everything people said (JSONL, Argilla, Label Studio)", "answers"),
    ("Single answers, good or bad (KTO: JSONL, ms-swift, LLaMA-Factory)", "verdicts"),
]
FORMATS = [(line, name) for name, line in LINES.items()]
TIES = [
    ("Leave the pair out", "drop"),
    ("Do not count them", "ignore"),
]


def build(context: StudioContext) -> None:
    """Lay out the tab inside the current `gr.Blocks`."""
    actions = ExportActions(context)
    page = gr.HTML(
        ROOT, js_on_load=on_load("annotate"), elem_id="annotate-page", apply_default_css=False
    )
    with gr.Column(elem_id="annotate-result", visible=False) as result:
        message = gr.HTML()
        source = gr.State("")
        train = gr.Button("Train on them", variant="primary", visible=False, min_width=160)
    with gr.Accordion("Export labelled pairs", open=False, elem_id="annotate-export") as panel:
        fields = export_form()
        export = gr.Button("Export", variant="primary", elem_id="annotate-export-button")
        kept = gr.HTML(elem_id="annotate-exports")
    shown = [result, message, source, train]
    for exporting in (
        export.click(actions.export, fields, shown, **QUIET),
        page.download(actions.export_now, None, shown, **QUIET),
    ):
        exporting.then(None, js=hook("show-export-result"))
        exporting.then(actions.past, None, kept, **QUIET)
    page.upload(actions.import_samples, None, shown, **QUIET).then(None, js=hook("refresh-pairs"))
    context.shell.page.load(actions.panel, None, panel, **QUIET)
    for opening in (panel.expand, context.shell.tab.select):
        opening(actions.choices, fields[0], fields[0], **QUIET)
        opening(actions.past, None, kept, **QUIET)
    train.click(actions.train, source, [context.shell.train_on, context.shell.tabs], **QUIET)


QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


FIELDS = (
    "dataset", "shape", "format", "name", "ties", "votes", "agreement", "annotators",
    "imported", "written", "balance", "held_out", "anonymous", "push",
)  # fmt: skip
DEFAULTS = ("preferences", "trl", "", "drop", 1, 0.0, "", False, True, False, 0.1, False, "")


def export_form() -> list[gr.components.Component]:
    """Fields in the order of `FIELDS`."""
    with gr.Row():
        dataset = gr.Dropdown([], label="Dataset", allow_custom_value=False)
        shape = gr.Dropdown(SHAPES, value="preferences", label="What")
        format = gr.Dropdown(FORMATS, value="trl", label="Format")
        name = gr.Textbox(label="Name", placeholder="the dataset's name", max_length=80)
    with gr.Row():
        ties = gr.Dropdown(TIES, value="drop", label="Ties")
        votes = gr.Number(LEAST_VOTES, label="Votes needed", precision=0, minimum=LEAST_VOTES)
        agreement = gr.Slider(0, 1, 0, step=0.05, label="Agreement needed")
        annotators = gr.Textbox(label="Only the votes of", placeholder="everybody", max_length=2000)
    with gr.Row():
        imported = gr.Checkbox(
            False,
            label="Include imported preferences",
            min_width=240,
            info="Where no person has voted, take what the data itself preferred.",
        )
        written = gr.Checkbox(
            True,
            label="With edits and ideal answers",
            min_width=240,
            info="Each as a pair in which what was written wins.",
        )
        balance = gr.Checkbox(
            False,
            label="Balance lengths",
            min_width=240,
            info="Leaves out pairs until the longer answer wins in half of them.",
        )
    with gr.Row():
        held_out = gr.Slider(
            0,
            MOST_EVALUATION_SHARE,
            EVALUATION_SHARE,
            step=0.05,
            label="Held out for evaluation",
            info="Share of the images; no image is on both sides. TRL only.",
        )
        anonymous = gr.Checkbox(
            False,
            label="Without people's names",
            min_width=240,
            info="Numbers in their place, in labels and in answers that people wrote.",
        )
        push = gr.Textbox(
            label="Push to the Hugging Face hub",
            info="A dataset repository, made private if it is new. Empty: stays here.",
            placeholder="OWNER/NAME",
            max_length=200,
        )
    return [dataset, shape, format, name, ties, votes, agreement, annotators, imported, written, balance, held_out, anonymous, push]  # fmt: skip


@dataclass(frozen=True)
class ExportActions:
    """What the tab's buttons do. Each returns updates for (result, message, source, train)."""

    context: StudioContext

    def choices(self, chosen: str | None) -> Any:
        """Show the datasets that have pairs, the one chosen kept, else the first with labels."""
        names, best = self._datasets()
        return gr.Dropdown(names, value=chosen if chosen in names else best)

    def _datasets(self) -> tuple[list[str], str | None]:
        found = [dataset for dataset in self.context.store.datasets() if dataset.pairs]
        best = max(found, key=lambda dataset: dataset.labelled > 0, default=None)
        return [dataset.name for dataset in found], best.name if best else None

    def panel(self, request: gr.Request) -> Any:
        """Show the export form, for leads only."""
        return gr.Accordion(visible=self.context.is_lead(request))

    def past(self, request: gr.Request) -> str:
        """Show the exports made so far, for leads only."""
        return past_exports(self.context.workspace) if self.context.is_lead(request) else ""

    def export(self, request: gr.Request, *fields: Any) -> tuple:
        """Export as the form says. Gradio hands the request over by its place, so it comes first."""
        form = dict(zip(FIELDS, fields, strict=True))
        try:
            self._lead_only(request)
            # A quick hand is there before the list is: then what it will offer first is meant.
            form["dataset"] = form["dataset"] or self._datasets()[1]
            made = self._export(form)
            self._note(request, form["dataset"], to=made.source, rows=made.rows)
        except StudioError as error:
            return refused(error)
        trainable = form["format"] == "trl"
        if not form["push"].strip():
            return exported(made, trainable=trainable)
        try:
            address = hub_publish.push(made.path, form["push"].strip())
            self._note(request, form["dataset"], pushed=address)
        except StudioError as error:
            return exported(made, trainable=trainable, problem=error)
        return exported(made, f"Pushed to {address}.", trainable=trainable)

    def _export(self, form: dict[str, Any]) -> Export:
        if not form["dataset"]:
            raise InputError("There is no dataset to export.", remedy="Import one in Data.")
        annotators = (part.strip() for part in form["annotators"].split(","))
        return export_preferences(
            self.context.store,
            self.context.images,
            self.context.workspace,
            dataset=form["dataset"],
            name=form["name"].strip() or export_name(form["dataset"]),
            tie_policy=form["ties"],
            minimum_votes=int(form["votes"] or 1),
            format=form["format"],
            include_imported=form["imported"],
            shape=form["shape"],
            evaluation_share=form["held_out"],
            anonymous=form["anonymous"],
            minimum_agreement=form["agreement"],
            annotators=tuple(filter(None, annotators)),
            include_written=form["written"],
            balance_lengths=form["balance"],
        )

    def _note(self, request: gr.Request, dataset: str, **details: object) -> None:
        who = self.context.user(request)
        self.context.store.team.note(who, "export", dataset, details)

    def export_now(self, event: gr.EventData, request: gr.Request) -> tuple:
        """Export with the defaults; the page says which dataset, or the first with labels."""
        labelled = [found.name for found in self.context.store.datasets() if found.labelled]
        dataset = text(event, "dataset") or next(iter(labelled), None)
        return self.export(request, dataset, *DEFAULTS)

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


def exported(
    made: Export, *said: str, trainable: bool, problem: StudioError | None = None
) -> tuple:
    """What an export says: how many, where, what was left out and why, and how the push went."""
    left_out = [f"{count} left out: {REASONS[why]}." for why, count in made.left_out.items()]
    if made.format in FILES:
        left_out += say_losses(FILES[made.format], made.not_held)
    thing = "answer" if made.answers else "pair"
    rows = f"{made.rows} {thing}" if made.rows == 1 else f"{made.rows} {thing}s"
    message = notice(f"{rows} exported to {made.source}", *left_out, *said)
    message += f"<p>{download_link(describe(made.path))}</p>"
    if problem is not None:
        message += told(problem)
    return gr.Column(visible=True), message, made.source, gr.Button(visible=trainable)


def refused(error: StudioError) -> tuple:
    """Show an error in the place of the result."""
    message = told(error)
    return gr.Column(visible=True), message, "", gr.Button(visible=False)
