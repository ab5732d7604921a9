"""The import form of the Data tab: what to read, how its columns are meant, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.annotation.library.import_job import Importer, ImportStatus
from studio.annotation.library.sources import preview_source, source_columns
from studio.api.context import StudioContext
from studio.core.errors import InputError, StudioError
from studio.core.logs import log_told
from studio.data.sources.archive import ENDING as ZIP
from studio.data.sources.files import ENDINGS
from studio.ui.data import views as look

SAMPLE = "embedded:preferences"
ROLES = {
    "image": "Image",
    "question": "Question",
    "answer": "Answer",
    "chosen": "Chosen",
    "rejected": "Rejected",
    "candidates": "Candidates",
    "conversation": "Conversation",
    "system": "System prompt",
    "id": "Id",
}
ABOUT_COLUMNS = (
    '<p class="quiet">Preview says which column is what. Choose another where it is wrong; empty: '
    "none of them.</p>"
)
FIELDS = {"data.source": "Source", "data.train": "Split", "dataset": "Name"}
FIELDS |= {f"data.columns.{role}": f"Column “{title}”" for role, title in ROLES.items()}


@dataclass
class ImportForm:
    """The fields, and what Preview and Import do with them; errors leave every field as it is."""

    context: StudioContext
    importer: Importer
    mapping: dict[str, gr.Dropdown] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw the form."""
        self.recognised = gr.State({})
        with gr.Row(elem_id="data-from"):
            self.source = gr.Textbox(
                label="Source",
                placeholder="/path/to/pairs.jsonl, owner/name, exports/… or embedded:…",
                info="A file, folder, ZIP or workspace on this machine, a hub dataset, an export, a sample set.",
                scale=3,
                min_width=260,
                elem_id="data-source",
            )
            self.upload = gr.UploadButton(
                "Upload a file",
                file_types=[*ENDINGS, ZIP],
                size="sm",
                scale=1,
                min_width=120,
            )
        with gr.Row():
            self.split = gr.Textbox(
                label="Split", placeholder="train", info='Also a slice, "train[:10%]", or "all".'
            )
            self.limit = gr.Number(
                label="At most", value=None, precision=0, minimum=0, info="Rows; empty or 0: all."
            )
            self.name = gr.Textbox(label="Name", info="Of the dataset here; empty: the source's.")
        self.labels = gr.Checkbox(
            False,
            label="Bring the labels of this workspace too, under the names of those who gave them",
            visible=False,
            elem_id="data-with-labels",
        )
        with gr.Accordion("Columns", open=False) as self.columns:
            gr.HTML(ABOUT_COLUMNS)
            with gr.Row(elem_id="data-columns"):
                for role, title in ROLES.items():
                    self.mapping[role] = gr.Dropdown(
                        [], label=title, allow_custom_value=True, value="", min_width=120
                    )
        with gr.Row(elem_classes="actions"):
            self.preview_button = gr.Button("Preview", size="sm", elem_id="data-preview")
            self.import_button = gr.Button(
                "Import", size="sm", variant="primary", elem_id="data-do-import"
            )
            self.close = gr.Button("Close", size="sm")
        self.result = gr.HTML(elem_id="data-result")

    @property
    def fields(self) -> list[Any]:
        """The components whose values `preview` and `start` take, in their order."""
        texts = [self.source, self.split, self.limit, self.name, self.labels]
        return [*texts, self.recognised, *self.mapping.values()]

    def wire(self, going: gr.HTML, quick: dict[str, Any]) -> None:
        """Connect the buttons; `going` says how an import goes."""
        self.upload.upload(str, self.upload, self.source, **quick)
        filled = [self.result, self.labels, self.recognised, *self.mapping.values(), self.columns]
        for event in (self.preview_button.click, self.source.submit):
            event(self.preview, self.fields, filled, show_progress="minimal", concurrency_limit=4)
        self.import_button.click(self.start, self.fields, [going, self.result], **quick)

    def preview(
        self,
        request: gr.Request,
        source: str,
        split: str,
        limit: float | None,
        name: str,
        labels: bool,
        recognised: dict[str, str],
        *mapping: str,
    ) -> tuple[Any, ...]:
        """Return what the source holds; on an error what was typed stays."""
        try:
            check_lead(self.context, request)
            found = preview_source(
                source,
                self.context.workspace,
                split=split.strip() or None,
                columns=_changed(recognised, mapping),
                limit=6,
            )
        except StudioError as error:
            return refusal(error), gr.skip(), gr.skip(), *self._to_map(error, source, split)
        fields = [
            gr.update(choices=["", *found.columns], value=found.mapping.get(role, ""))
            for role in ROLES
        ]
        given = _changed(recognised, mapping)
        kept = {role: column for role, column in found.mapping.items() if role not in given}
        kept |= {role: recognised[role] for role in given if role in recognised}
        labels = gr.update(visible=bool(found.labels))
        return look.preview(found), labels, kept, *fields, gr.skip()

    def _to_map(self, error: StudioError, source: str, split: str) -> tuple[Any, ...]:
        """Return the columns to choose from, unfolded, when they were not recognised."""
        unchanged = (gr.skip(),) * (len(ROLES) + 1)
        if not error.field.startswith("data.columns"):
            return unchanged
        try:
            columns = source_columns(source, self.context.workspace, split.strip() or None)
        except StudioError as error:  # it has gone since
            log_told(error)
            return unchanged
        choices = (gr.update(choices=["", *columns]),) * len(ROLES)
        return *choices, gr.update(open=True)

    def start(
        self,
        request: gr.Request,
        source: str,
        split: str,
        limit: float | None,
        name: str,
        labels: bool,
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
            labels=labels,
        )

    def add_sample(self, request: gr.Request) -> tuple[str, str]:
        """Import the sample pairs."""
        going, refused = self._begin(request, SAMPLE, name="sample pairs")
        return going or refused, refused

    def _begin(self, request: gr.Request, source: str, **options: Any) -> tuple[str, str]:
        try:
            check_lead(self.context, request)
            return look.progress(self.importer.start(source, **options)), ""
        except StudioError as error:
            return "", refusal(error)


def check_lead(context: StudioContext, request: gr.Request | None) -> None:
    """Refuse annotators. Raises InputError."""
    if request is not None and not context.is_lead(request):
        raise InputError("Only leads see the data.", remedy="Open Annotate.")


def outcome(status: ImportStatus) -> str:
    """Return how an import ended."""
    if status.report:
        return look.report(status.report)
    if status.state == "stopped":
        return look.said("The import was stopped", "Nothing was added.", tone="")
    return look.said("Nothing was imported", status.error)


def refusal(error: StudioError) -> str:
    """Return what is wrong with what was typed."""
    log_told(error)
    place = FIELDS.get(error.field, "")
    return look.said(f"{place}: {error.message}" if place else error.message, error.remedy)


def _changed(recognised: dict[str, str], mapping: tuple[str, ...]) -> dict[str, str]:
    """The columns set by hand: those that differ from what was recognised, also by being empty."""
    given = {role: name or "" for role, name in zip(ROLES, mapping, strict=True)}
    return {role: name for role, name in given.items() if name != recognised.get(role, "")}
