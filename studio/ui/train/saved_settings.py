"""Settings kept under a name, brought in, taken along and compared; below the Train form."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.config import RunConfig, run_file
from studio.config.diff import SettingDifference, differences
from studio.config.saved_settings import SavedSettings
from studio.config.setting_list import FieldSpec
from studio.core.errors import ConfigError, InputError, StudioError
from studio.core.logs import log_told
from studio.ui.shared.html import notice, told
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.train import state, views
from studio.ui.train.form_values import FormValues, of_form
from studio.ui.train.plan import LATER, SKIP, as_json
from studio.ui.train.settings_form import config_from, widgets_of
from studio.ui.train.state import FORM

MOST_BYTES = 256 * 1024
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass
class SettingsPanel:
    """Saving, loading, importing, exporting and comparing."""

    context: StudioContext
    specs: Sequence[FieldSpec]

    @property
    def store(self) -> SavedSettings:
        """Settings saved in this workspace."""
        return SavedSettings(self.context.workspace)

    def layout(self) -> None:
        """Folded, below the form."""
        with gr.Accordion(
            "Settings: save, load, import, export, compare", open=False, elem_id="train-settings"
        ):
            self.told = gr.HTML("", elem_id="settings-told")
            with gr.Row(equal_height=False):
                with gr.Column(min_width=280):
                    self._kept()
                with gr.Column(min_width=320):
                    self._file()
                with gr.Column(min_width=320):
                    self._comparison()
        self.exported = gr.HTML(None, html_template="", js_on_load=on_load("run-file"))

    def _kept(self) -> None:
        gr.HTML('<h4 class="settings-title">Saved in this workspace</h4>')
        self.name = gr.Textbox(
            label="Name", placeholder="charts, careful", max_length=60, elem_id="settings-name"
        )
        self.save_button = gr.Button("Save the form", size="sm", elem_id="settings-save")
        self.kept = gr.Dropdown(self.names(), value=None, label="Saved", elem_id="settings-kept")
        with gr.Row(elem_classes="plan-tools"):
            self.load_button = gr.Button("Load", size="sm", min_width=0, elem_id="settings-load")
            self.copy_button = gr.Button(
                "Duplicate", size="sm", min_width=0, elem_id="settings-duplicate"
            )
            self.delete_button = gr.Button(
                "Delete", size="sm", min_width=0, elem_id="settings-delete"
            )

    def _file(self) -> None:
        gr.HTML('<h4 class="settings-title">Run file</h4>')
        self.text = gr.Code(
            run_file.dump(RunConfig()),
            language="yaml",
            label="run.yaml: as the form is; or paste one here",
            interactive=True,
            max_lines=14,
            elem_id="settings-text",
        )
        self.text_error = gr.HTML("", elem_id="settings-refused")
        with gr.Row(elem_classes="plan-tools"):
            self.apply = gr.Button(
                "Put this text into the form", size="sm", min_width=0, elem_id="settings-apply"
            )
            self.upload = gr.UploadButton(
                "Open a file",
                size="sm",
                type="binary",
                file_types=[".yaml", ".yml"],
                min_width=0,
                elem_id="settings-open",
            )
            self.export = gr.Button(
                "Export YAML", size="sm", min_width=0, elem_id="settings-export"
            )

    def _comparison(self) -> None:
        gr.HTML('<h4 class="settings-title">Compare two</h4>')
        choices = self.sides()
        with gr.Row():
            self.left = gr.Dropdown(choices, value=FORM, label="A", elem_id="settings-a")
            self.right = gr.Dropdown(choices, value=None, label="B", elem_id="settings-b")
        self.table = gr.HTML("", elem_id="settings-diff")

    def wire(self, form: FormValues, errors: Any, labels: Mapping[str, str]) -> None:
        """Connect the buttons; whatever is refused changes nothing."""
        self.labels = labels
        lists = [self.kept, self.left, self.right]
        shell = self.context.shell
        shell.tab.select(self.refresh, None, lists, **QUICK)
        told = [self.told, *lists]
        kept = [self.name, form.all]
        self.save_button.click(of_form(self.save), kept, [*told, errors], **QUICK)
        self.load_button.click(self.load, self.kept, [self.told, *form.items], **QUICK)
        self.copy_button.click(self.duplicate, self.kept, told, **QUICK)
        asking = {"js": hook("confirm-settings-deletion"), **QUICK}
        self.delete_button.click(self.delete, self.kept, told, **asking)
        applied = [self.text_error, errors, *form.items]
        self.apply.click(self.use_text, self.text, applied, **QUICK)
        self.upload.upload(self.use_file, self.upload, [self.text, *applied], **QUICK)
        taken = [self.exported, self.told]
        self.export.click(of_form(self.take_along), form.all, taken, **QUICK)
        sides = [self.left, self.right]
        picked, read = [side.input for side in sides], [*sides, form.all]
        gr.on(picked, of_form(self.compare), read, self.table, **LATER)

    def names(self) -> list[str]:
        """Names of saved settings."""
        return self.store.names()

    def sides(self) -> state.Choices:
        """Show what can be compared."""
        return state.side_choices(self.names(), self.context.runs)

    def refresh(self, chosen: str | None = None) -> list[Any]:
        """Updates of the three lists; `chosen` becomes the saved settings picked."""
        value = {"value": chosen} if chosen else {}
        sides = self.sides()
        kept = gr.update(choices=self.names(), **value)
        return [kept, gr.update(choices=sides), gr.update(choices=sides)]

    def save(self, name: str, *shown: Any) -> list[Any]:
        """Keep the form under a name."""
        try:
            config = config_from(self.specs, shown)
            kept = self.store.save(name or config.name, config)
        except InputError as error:
            return [_refused(error, self.labels), SKIP, SKIP, SKIP, as_json(error)]
        return [notice("", f"Saved as {kept}."), *self.refresh(kept), []]

    def load(self, name: str | None) -> list[Any]:
        """Put saved settings into the form."""
        nothing = [SKIP] * len(self.specs)
        if not name:
            return [notice("", "Choose saved settings first.", tone="warn"), *nothing]
        try:
            config = self.store.load(name)
        except InputError as error:
            return [_refused(error, self.labels), *nothing]
        return [notice("", f"{name} is in the form."), *widgets_of(self.specs, config)]

    def duplicate(self, name: str | None) -> list[Any]:
        """Keep a copy under a free name."""
        if not name:
            return [notice("", "Choose saved settings first.", tone="warn"), SKIP, SKIP, SKIP]
        try:
            copy = self.store.duplicate(name)
        except StudioError as error:
            return [told(error), SKIP, SKIP, SKIP]
        return [notice("", f"Copied to {copy}."), *self.refresh(copy)]

    def delete(self, name: str | None) -> list[Any]:
        """Forget saved settings; runs made with them keep their own."""
        if not name:
            return [SKIP] * 4
        try:
            self.store.delete(name)
        except StudioError as error:
            return [told(error), *self.refresh()]
        kept, *sides = self.refresh()
        return [notice("", f"Deleted {name}."), kept | {"value": None}, *sides]

    def use_text(self, text: str) -> list[Any]:
        """Fill the form from a run file's text; a wrong one changes nothing."""
        try:
            config = state.parse_text(text)
        except ConfigError as error:
            problems = views.failed(state.problems_of(error), {})
            return [problems, as_json(error), *[SKIP] * len(self.specs)]
        return ["", [], *widgets_of(self.specs, config)]

    def use_file(self, content: bytes | None) -> list[Any]:
        """Fill the form from an uploaded run file; its text is shown either way."""
        if content is None:  # nothing was chosen
            return [SKIP] * (3 + len(self.specs))
        if len(content) > MOST_BYTES:
            told = notice("This is no run file", "It has more than 256 KiB.", tone="bad")
            return [SKIP, told, SKIP, *[SKIP] * len(self.specs)]
        text = content.decode("utf-8", "replace")
        return [text, *self.use_text(text)]

    def take_along(self, *shown: Any) -> tuple[Any, Any]:
        """Write the form into a file for the browser to save."""
        try:
            config = config_from(self.specs, shown)
        except ConfigError as error:
            return SKIP, _refused(error, self.labels)
        file = {"name": f"{config.name}.yaml", "text": run_file.dump(config), "at": time.time_ns()}
        return file, ""

    def compare(self, left: str | None, right: str | None, *shown: Any) -> Any:
        """Show where two settings differ, as a table."""
        if not left or not right:
            return ""
        try:
            pair = [self._side(side, shown) for side in (left, right)]
        except InputError as error:
            return _refused(error, self.labels)
        return table(differences(*pair), self.labels)

    def _side(self, side: str, shown: Sequence[Any]) -> RunConfig:
        if side == FORM:
            return config_from(self.specs, shown)
        return state.side(side, self.store, self.context.runs)


def _refused(error: InputError, labels: Mapping[str, str]) -> str:
    log_told(error)
    return views.failed(state.problems_of(error), dict(labels))


def table(found: list[SettingDifference], labels: Mapping[str, str]) -> str:
    """Field, A and B for every setting that differs."""
    if not found:
        return notice("", "The same settings.")
    rows = "".join(
        f'<tr><th scope="row">{escape(labels.get(item.path, item.path))}'
        f"<code>{escape(item.path)}</code></th>"
        f"<td>{escape(_said(item.left))}</td><td>{escape(_said(item.right))}</td></tr>"
        for item in found
    )
    return (
        '<table class="settings-diff"><thead><tr><th scope="col">Field</th>'
        f'<th scope="col">A</th><th scope="col">B</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _said(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {item}" for name, item in value.items()) or "—"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "—"
    return f"{value:g}" if isinstance(value, float) else str(value)
