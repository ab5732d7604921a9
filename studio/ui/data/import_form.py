"""The import form of the Data tab: what to read, and how its columns are meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from studio.annotation.library.import_job import Importer, ImportStatus
from studio.annotation.library.imported_labels import GivenLabels
from studio.annotation.library.source_import import preview_source, source_columns
from studio.api.context import StudioContext
from studio.api.upload_folders import UploadedFiles, UploadFolders, without_folder
from studio.core.errors import InputError, StudioError
from studio.core.logs import log_told
from studio.core.paths import can_be_path, typed_path
from studio.data.schema import BadRow
from studio.ui.data import views as look
from studio.ui.data.source_tables import ROLES, said
from studio.ui.events.event_data import details, text
from studio.ui.shared.page_scripts import on_load

SAMPLE = "embedded:preferences"
UPLOADED = "upload:"
ABOUT_COLUMNS = (
    '<p class="quiet">Preview says which column is what. Choose another where it is wrong; empty: '
    "none of them. A field may also be a path (<code>data.question</code>, "
    "<code>completions[].response</code>), several columns with commas, or the same for every row "
    "(<code>=Describe the chart.</code>).</p>"
)
FIELDS = {"data.source": "Source", "data.train": "Split", "dataset": "Name"}
FIELDS |= {"data.images": "Folder of the images"}
FIELDS |= {f"data.columns.{role}": f"Column “{title}”" for role, title in ROLES.items()}
MISSING_IMAGE = re.compile(r"no image file|only named")
REMEMBERED = 50


@dataclass(frozen=True)
class Typed:
    """What the form holds.

    Attributes:
        images: Folder of the images; empty: beside the rows.
        keep: Read as the import before into the same dataset did.
        upload: Key of what was dropped; empty without.
        saved: Role → column, as they were chosen for the import before.
        recognised: Role → column, as the preview found it.
        mapping: What the fields of the roles hold, in their order.
    """

    source: str
    split: str
    limit: float | None
    name: str
    labels: bool
    images: str
    keep: bool
    upload: str
    saved: dict[str, str]
    recognised: dict[str, str]
    mapping: tuple[str, ...]

    @classmethod
    def of(cls, values: tuple[Any, ...]) -> Typed:
        """Read the values of `ImportForm.fields`."""
        source, split, limit, name, labels, images, keep, upload, saved, recognised = values[:10]
        mapping = tuple(values[10:])
        return cls(
            source, split, limit, name, labels, images, keep, upload, saved, recognised, mapping
        )

    @property
    def columns(self) -> dict[str, str] | None:
        """The columns chosen: those that differ from what was recognised, or are emptied.

        Beside them those chosen for the import before; None where nothing was changed since.
        """
        given = self.given
        return {**(self.saved if self.keep else {}), **given} if given else None

    @property
    def given(self) -> dict[str, str]:
        """What was changed in the fields of the roles."""
        given = {role: name or "" for role, name in zip(ROLES, self.mapping, strict=True)}
        return {role: name for role, name in given.items() if name != self.recognised.get(role, "")}

    @property
    def reading(self) -> dict[str, Any]:
        """How the source is to be read."""
        folder = self.images.strip()
        return {
            "split": self.split.strip() or None,
            "columns": self.columns,
            "images": _folder(folder) if folder else None,
            "use_saved": self.keep,
        }


@dataclass(frozen=True)
class Begun:
    """An import as it was asked for, so that it can be asked for again.

    Attributes:
        person: Who asked.
        upload: Key of the upload it reads; empty without.
    """

    person: str
    spec: str
    options: Mapping[str, Any]
    upload: str = ""


@dataclass
class ImportForm:
    """The fields, and what Preview and Import do with them; errors leave every field as it is.

    Attributes:
        begun: The last imports, by their numbers.
    """

    context: StudioContext
    importer: Importer
    mapping: dict[str, gr.Dropdown] = field(default_factory=dict)
    begun: dict[int, Begun] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = self.context.workspace.uploads / "folders"
        self.uploads = self.context.uploads or UploadFolders(kept)

    def layout(self) -> None:
        """Draw the form."""
        self.recognised, self.saved, self.upload = gr.State({}), gr.State({}), gr.State("")
        self.area = gr.HTML(
            drop_area(), js_on_load=on_load("upload-area"), elem_id="data-upload", padding=False
        )
        self.source = gr.Textbox(
            label="Source",
            placeholder="/path/to/pairs.jsonl, owner/name, exports/… or embedded:…",
            info="What was dropped above, or: a file, folder, ZIP or workspace on the studio's "
            "machine, a hub dataset, an export, a sample set.",
            elem_id="data-source",
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
            label="Bring the labels too, under the names of those who gave them",
            visible=False,
            elem_id="data-with-labels",
        )
        with gr.Accordion("Columns and images", open=False, elem_id="data-mapping") as self.columns:
            gr.HTML(ABOUT_COLUMNS)
            with gr.Row(elem_id="data-columns"):
                for role, title in ROLES.items():
                    self.mapping[role] = gr.Dropdown(
                        [], label=title, allow_custom_value=True, value="", min_width=120
                    )
            self.images = gr.Textbox(
                label="Folder of the images",
                placeholder="/path/to/images",
                info="On the studio's machine, where the pictures do not lie beside the rows; "
                "empty: beside them.",
                elem_id="data-images",
            )
        self.keep = gr.Checkbox(
            True,
            label="Read it with the columns chosen for the import before into this dataset",
            visible=False,
            elem_id="data-keep-columns",
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
        """The components whose values `Typed.of` takes, in their order."""
        texts = [self.source, self.split, self.limit, self.name, self.labels, self.images]
        known = [self.keep, self.upload, self.saved, self.recognised]
        return [*texts, *known, *self.mapping.values()]

    @property
    def filled(self) -> list[Any]:
        """The components that a preview fills, in the order of what it returns."""
        known = [self.labels, self.keep, self.saved, self.recognised]
        return [self.result, *known, *self.mapping.values(), self.columns]

    def wire(self, going: gr.HTML, begun: gr.State, quick: dict[str, Any]) -> None:
        """Connect the buttons; `going` says how an import goes, `begun` which one the page began."""
        filled = self.filled
        how: dict[str, Any] = {"show_progress": "minimal", "concurrency_limit": 4}
        for event in (self.preview_button.click, self.source.submit):
            # Asked while an earlier one is under way, it is the later one that counts.
            event(self.preview, self.fields, filled, trigger_mode="always_last", **how)
        uploaded = self.area.submit(
            self.uploaded, [self.source, self.upload], [self.upload, self.source], **quick
        )
        # What is shown is of another upload; a preview asked for since then stays.
        self.area.submit(lambda: "", None, self.result, **quick)
        uploaded.then(self.preview_upload, self.fields, filled, **how)
        # Labels of one source are asked for; those of another one would come without being.
        for event in (self.source.change, self.upload.change):
            event(_untick, None, self.labels, **quick)
        started = [going, self.result, begun]
        self.import_button.click(self.start, self.fields, started, **quick)

    def uploaded(
        self, event: gr.EventData, request: gr.Request, source: str, upload: str
    ) -> tuple[Any, Any]:
        """Take over what was dropped, or that it was removed; what was typed as source stays."""
        key = text(event, "upload")
        named = source.strip().startswith(UPLOADED)
        try:
            check_lead(self.context, request)
            if not key:
                return "", "" if named else gr.skip()
            files = self.uploads.find(self.context.user(request), key)
        except StudioError as error:
            log_told(error)
            return "", "" if named else gr.skip()
        keeps = details(event).get("again") and source.strip() and not named
        return key, gr.skip() if keeps else f"{UPLOADED}{files.label}"

    def preview(self, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """Return what the source holds; on an error what was typed stays."""
        typed = Typed.of(values)
        unchanged = (gr.skip(),) * 4
        try:
            check_lead(self.context, request)
            spec, files = self._spec(typed, request)
            found = preview_source(
                spec,
                self.context.workspace,
                limit=6,
                store=self.context.store,
                name=self._name(typed, files),
                **typed.reading,
            )
        except StudioError as error:
            return refusal(error), *unchanged, *self._to_map(error, typed, request)
        paths = dict.fromkeys([*found.columns, *(use.path for use in found.fields)])
        fields = [
            gr.update(choices=["", *paths], value=found.mapping.get(role, "")) for role in ROLES
        ]
        given, recognised = typed.given, typed.recognised
        kept = {role: column for role, column in found.mapping.items() if role not in given}
        kept |= {role: recognised[role] for role in given if role in recognised}
        known = (
            gr.update(visible=bool(found.labels)),
            gr.update(visible=bool(found.columns_saved) or not typed.keep),
            found.columns_saved if typed.keep else typed.saved,
            kept,
        )
        offer = images_offer(found.bad, bool(files))
        return look.preview(found, offer), *known, *fields, gr.skip()

    def preview_upload(self, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """`preview` of what was just dropped; nothing when the source is another one."""
        if not Typed.of(values).source.strip().startswith(UPLOADED):
            return (gr.skip(),) * (len(ROLES) + 6)
        return self.preview(request, *values)

    def _to_map(self, error: StudioError, typed: Typed, request: gr.Request) -> tuple[Any, ...]:
        """Return the columns to choose from, unfolded, when they were not recognised."""
        unchanged = (gr.skip(),) * (len(ROLES) + 1)
        if not error.field.startswith("data.columns"):
            return unchanged
        try:
            spec, _ = self._spec(typed, request)
            columns = source_columns(spec, self.context.workspace, typed.split.strip() or None)
        except StudioError as error:  # it has gone since
            log_told(error)
            return unchanged
        choices = (gr.update(choices=["", *columns]),) * len(ROLES)
        return *choices, gr.update(open=True)

    def start(self, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """Begin the import; the timer shows how it goes."""
        typed = Typed.of(values)
        try:
            check_lead(self.context, request)
            spec, files = self._spec(typed, request)
            reading = typed.reading
        except StudioError as error:
            return "", refusal(error), gr.skip()
        accounts = getattr(self.context.accounts, "by_name", {})
        options = {
            **reading,
            "limit": int(typed.limit) if typed.limit else None,
            "name": self._name(typed, files),
            "labels": typed.labels,
            "accounts": tuple(accounts),
            "label": files.label if files else "",
        }
        return self._begin(request, spec, options, files.key if files else "")

    def add_sample(self, request: gr.Request) -> tuple[Any, ...]:
        """Import the sample pairs."""
        going, refused, begun = self._begin(request, SAMPLE, {"name": "sample pairs"})
        return going or refused, refused, begun

    def repeat(
        self, request: gr.Request, number: int, options: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """Import what import `number` read once more, now with other options too."""
        try:
            check_lead(self.context, request)
            begun = self.begun.get(number)
            if begun is None or begun.person != self.context.user(request):
                raise InputError(
                    "The studio does not remember this import any more.",
                    remedy="Import the same source again.",
                )
            if begun.upload:
                self.uploads.find(begun.person, begun.upload)
        except StudioError as error:
            return "", refusal(error), gr.skip()
        return self._begin(request, begun.spec, {**begun.options, **options}, begun.upload)

    def ended(self, number: int) -> Begun | None:
        """Return how an import was asked for, and delete the upload that it brought in whole.

        While rows or labels were left out, or rows have changed, the upload stays.
        """
        begun, status = self.begun.get(number), self.importer.status
        if begun is None or not begun.upload or status.number != number or not status.report:
            return begun
        report = status.report
        if not (report.bad_count or report.asks or labels_wait(report.given_labels)):
            self.uploads.drop(begun.person, begun.upload)
        return begun

    def has(self, begun: Begun) -> bool:
        """Return whether the upload of an import is here."""
        return self.uploads.of_path(begun.spec) is not None

    def _spec(self, typed: Typed, request: gr.Request) -> tuple[str, UploadedFiles | None]:
        """Return what is to be read; of an upload its path. Raises NotFoundError."""
        source = typed.source.strip()
        if not source.startswith(UPLOADED):
            return typed.source, None
        files = self.uploads.find(self.context.user(request), typed.upload)
        return str(files.path), files

    def _name(self, typed: Typed, files: UploadedFiles | None) -> str | None:
        """The dataset it goes into; None: named after the source."""
        return typed.name.strip() or (files.name if files else None)

    def _begin(
        self, request: gr.Request, spec: str, options: Mapping[str, Any], upload: str = ""
    ) -> tuple[Any, ...]:
        try:
            check_lead(self.context, request)
            person = self.context.user(request)
            status = self.importer.start(spec, by=person, **options)
        except StudioError as error:
            return "", refusal(error), gr.skip()
        self.begun[status.number] = Begun(person, spec, options, upload)
        while len(self.begun) > REMEMBERED:
            del self.begun[min(self.begun)]
        return look.progress(status), "", status.number


def _untick() -> bool:
    return False


def _folder(name: str) -> Path:
    """Check the folder of images. Raises InputError when there is none."""
    folder = typed_path(name).absolute()
    if not can_be_path(name) or not folder.is_dir():
        raise InputError(
            f"There is no folder {name!r}.",
            remedy="Give its path on the machine the studio runs on.",
            field="data.images",
        )
    return folder


def drop_area(gone: str = "") -> str:
    """The place that assets/web/library/upload-area.js fills.

    Args:
        gone: A number and the key of an upload that is not here any more.
    """
    return f'<div class="upload-area" data-upload-area data-gone="{gone}"></div>'


def labels_wait(given: GivenLabels) -> bool:
    """Return whether labels that came with rows were left out."""
    return bool(given.refused) or (bool(given.found) and not given.brought)


def images_offer(bad: list[BadRow], uploaded: bool, *, done: bool = False) -> str:
    """Say how images that rows name and nobody has found can be added; nothing when none is.

    Args:
        uploaded: Whether the rows were dropped here.
        done: Whether the other rows have been imported.
    """
    if not any(row.field == "image" and MISSING_IMAGE.search(row.reason) for row in bad):
        return ""
    if uploaded and done:
        return (
            "Add the images: open the form with “Import more”, drop them or their folder there, "
            "and import again. Only what is new comes in."
        )
    if uploaded:
        return (
            "Add the images: drop them, or their folder, into the area above. They join this "
            "upload."
        )
    return (
        "If the images lie elsewhere, name their folder under “Columns and images”; or drop the "
        "rows and the images together into the form."
    )


def check_lead(context: StudioContext, request: gr.Request | None) -> None:
    """Refuse annotators. Raises InputError."""
    if request is not None and not context.is_lead(request):
        raise InputError("Only leads see the data.", remedy="Open Annotate.")


def outcome(status: ImportStatus, *, uploaded: bool = False) -> str:
    """Return how an import ended that brought in nothing."""
    if status.state == "stopped":
        return said("The import was stopped", "Nothing was added.", tone="")
    missing = MISSING_IMAGE.search(status.error)
    offer = images_offer([BadRow(0, status.error, "image")], uploaded) if missing else ""
    return said("Nothing was imported", without_folder(status.error), offer)


def refusal(error: StudioError) -> str:
    """Return what is wrong with what was typed."""
    log_told(error)
    place, message = FIELDS.get(error.field, ""), without_folder(error.message)
    return said(f"{place}: {message}" if place else message, error.remedy)
