"""Train: what, how, and the plan; the form is drawn from the run file's declarations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from studio.config import RunConfig, files, presets
from studio.errors import ConfigError, InputError, StudioError
from studio.runs.plan import Plan
from studio.ui import train_state as state
from studio.ui import train_views as views
from studio.ui.context import StudioContext, go_to, link
from studio.ui.forms import component, config_from, form_specs, widgets_of
from studio.ui.views import notice, say

GROUPS = (
    (
        "Quantization and precision",
        ("model.dtype", "model.quantization", "model.double", "model.skip", "model.attention"),
    ),
    ("LoRA adapter", ("adapter",)),
    ("Batch", ("batch.",)),
    ("Optimizer", ("optimizer.",)),
    ("Schedule", ("schedule.",)),
    ("Preference loss", ("dpo.",)),
    ("Reporting and sharing", ("report_to", "push_to_hub")),
)
SETTLE_SECONDS = 0.4
PLAN_SECONDS = 60.0
LEVELS = ["Basic", "All settings"]
SHOW_LEVEL = "level => { document.documentElement.dataset.studioLevel = level; }"
SHOW_METHOD = "method => { document.documentElement.dataset.studioMethod = method; }"
PLACE_ERRORS = (
    "window.studioFieldErrors(props.value);"
    " watch('value', () => window.studioFieldErrors(props.value));"
)
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass
class TrainTab:
    """Components of the tab, and its handlers."""

    context: StudioContext
    specs: list[Any] = field(default_factory=form_specs)
    fields: dict[str, Any] = field(default_factory=dict)
    plans: dict[str, tuple[float, Plan]] = field(default_factory=dict)

    def layout(self) -> None:
        """Three columns: what, how, plan."""
        self.saved = gr.BrowserState(None, storage_key="studio-train", secret="studio-train")
        self.errors = gr.HTML([], html_template="", js_on_load=PLACE_ERRORS, elem_id="train-errors")
        with gr.Row(elem_id="train", equal_height=False):
            with gr.Column(scale=3, min_width=260, elem_classes=["surface", "train-what"]):
                self._what()
            with gr.Column(scale=5, min_width=320, elem_classes=["surface", "train-how"]):
                self._how()
            with gr.Column(scale=3, min_width=280, elem_classes=["train-plan"]):
                self._plan()

    def _what(self) -> None:
        gr.HTML('<h3 class="column-title">What</h3>')
        self.preset = gr.Dropdown(
            choices=state.preset_choices(),
            value=None,
            label="Preset",
            info="A recipe to start from; it fills the whole form.",
            elem_id="train-preset",
        )
        self.about = gr.HTML("", elem_id="train-about")
        grouped = [prefix for _, prefixes in GROUPS for prefix in prefixes]
        for spec in self.specs:
            if not spec.path.startswith(tuple(grouped)):
                self._field(spec)

    def _how(self) -> None:
        with gr.Row(elem_classes="column-head"):
            gr.HTML('<h3 class="column-title">How</h3>')
            self.level = gr.Radio(
                LEVELS, value=LEVELS[0], show_label=False, container=False, elem_id="train-level"
            )
        for title, prefixes in GROUPS:
            method = "only-dpo" if prefixes == ("dpo.",) else "only-any"
            inside = [spec for spec in self.specs if spec.path.startswith(prefixes)]
            level = "level-basic" if any(s.level == "basic" for s in inside) else "level-all"
            with gr.Column(elem_classes=["fields", method, level]):
                gr.HTML(f'<h4 class="group-title">{title}</h4>')
                for spec in inside:
                    self._field(spec)

    def _plan(self) -> None:
        with gr.Column(elem_classes=["surface"]):
            gr.HTML('<h3 class="column-title">Plan</h3>')
            self.summary = gr.HTML(views.summary(RunConfig()), elem_id="train-summary")
            self.plan = gr.HTML("", elem_id="train-found")
            self.start = gr.Button("Start", variant="primary", elem_id="train-start")
            with gr.Accordion("Run file", open=False):
                self.text = gr.Code(
                    files.dump(RunConfig()),
                    language="yaml",
                    label="run.yaml",
                    interactive=True,
                    max_lines=24,
                    buttons=["copy", "download"],
                )
                self.text_error = gr.HTML("")
                self.apply = gr.Button("Put this text into the form", size="sm")
                self.upload = gr.UploadButton(
                    "Open a file", size="sm", type="binary", file_types=[".yaml", ".yml"]
                )

    def _field(self, spec: Any) -> None:
        self.fields[spec.path] = component(spec, self._choices().get(spec.path))

    def _choices(self) -> dict[str, Any]:
        store, workspace = self.context.runs, self.context.workspace
        return {
            "model.id": state.model_choices(store),
            "data.source": state.data_choices(workspace, "sft"),
            "adapter.continue_from": state.adapter_choices(store),
            "adapter.targets": list(state.TARGETS),
            "dpo.losses": list(state.LOSSES),
        }

    @property
    def inputs(self) -> list[Any]:
        """The components in the order of the specs."""
        return [self.fields[spec.path] for spec in self.specs]

    def wire(self) -> None:
        """Connect events: quick ones outside the queue, planning and starting inside."""
        shell, form = self.context.shell, self.inputs
        opened = gr.State(False)
        checked = [self.summary, self.errors, self.text, self.saved]
        planned = {
            "inputs": [opened, *form],
            "outputs": [self.plan, self.errors],
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": 4,
            "trigger_mode": "always_last",
        }
        changes = [item.change for item in form]
        gr.on(changes, self.check, form, checked, trigger_mode="always_last", **QUICK)
        gr.on(changes, self.work_out, **planned)
        shell.page.load(self.restore, self.saved, form, **QUICK)
        shell.page.load(None, [self.level], None, js=SHOW_LEVEL)
        shell.page.load(None, [self.fields["method"]], None, js=SHOW_METHOD)
        self.level.change(None, [self.level], None, js=SHOW_LEVEL)
        self.fields["method"].change(None, [self.fields["method"]], None, js=SHOW_METHOD)
        offered = [self.fields[path] for path in OFFERED]
        method = self.fields["method"]
        shell.tab.select(self.offers, method, offered, **QUICK)
        shell.tab.select(lambda: True, None, opened, **QUICK).then(self.work_out, **planned)
        switched = [self.fields["data.source"], self.fields["optimizer.learning_rate"]]
        method.input(self.switch, [method, *switched], switched, **QUICK)
        self._wire_filling(form)
        self._wire_start(form)

    def _wire_filling(self, form: list[Any]) -> None:
        shell = self.context.shell
        self.preset.input(self.use_preset, self.preset, [self.about, *form], **QUICK)
        applied = [self.text_error, self.errors, *form]
        self.apply.click(self.use_text, self.text, applied, **QUICK)
        self.upload.upload(self.use_file, self.upload, [self.text, *applied], **QUICK)
        shell.clone_run.change(self.clone, shell.clone_run, form, **QUICK)
        target = [self.fields["method"], self.fields["data.source"]]
        shell.train_on.change(self.train_on, shell.train_on, target, **QUICK)

    def _wire_start(self, form: list[Any]) -> None:
        shell = self.context.shell
        outputs = [self.start, self.plan, self.errors, shell.show_run, shell.tabs]
        self.start.click(starting, None, self.start, **QUICK).then(
            self.submit,
            form,
            outputs,
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=4,
        )

    def check(self, *shown: Any) -> tuple[Any, ...]:
        """What can be told at once: summary, problems, the run file; and remember the form."""
        remembered = {spec.path: item for spec, item in zip(self.specs, shown, strict=True)}
        try:
            config = config_from(self.specs, shown)
            state.ensure(config)
        except ConfigError as error:
            return views.summary(None), as_json(error), gr.skip(), remembered
        return views.summary(config), [], files.dump(config), remembered

    def work_out(self, opened: bool, *shown: Any) -> Iterator[tuple[Any, Any]]:
        """Ask the planner once typing has settled; its problems show beside their fields."""
        if not opened:
            yield gr.skip(), gr.skip()
            return
        yield views.WAITING, gr.skip()
        time.sleep(SETTLE_SECONDS)
        try:
            found = self._planned(config_from(self.specs, shown))
        except InputError as error:
            yield self._failed(error), as_json(error)
        except StudioError as error:
            yield notice(error.message, error.remedy, tone="bad"), gr.skip()
        else:
            yield views.plan(found), []

    def submit(self, *shown: Any) -> tuple[Any, ...]:
        """Refuse what cannot run, queue what can, and go and watch it."""
        ready = gr.update(value="Start", interactive=True)
        try:
            config = config_from(self.specs, shown)
            self._planned(config)
            run_id = self.context.supervisor.submit(config)
        except InputError as error:
            return ready, self._failed(error), as_json(error), gr.skip(), gr.skip()
        except StudioError as error:
            say(error)
            return ready, *(gr.skip(),) * 4
        return ready, gr.skip(), [], link(run_id), go_to("runs")

    def _planned(self, config: RunConfig) -> Plan:
        """The plan; one made a moment ago for the same settings is still good."""
        key = files.dump(config)
        made, found = self.plans.get(key, (0.0, None))
        if found is None or time.monotonic() - made > PLAN_SECONDS:
            found = self.context.planner.plan(config)
            self.plans.clear()
            self.plans[key] = (time.monotonic(), found)
        return found

    def _failed(self, error: InputError) -> str:
        labels = {spec.path: spec.label for spec in self.specs}
        return views.failed(state.problems_of(error), labels)

    def restore(self, saved: dict[str, Any] | None) -> list[Any]:
        """The form as it was left in this browser."""
        saved = saved if isinstance(saved, dict) else {}
        return [saved[spec.path] if _usable(spec, saved) else gr.skip() for spec in self.specs]

    def offers(self, method: str) -> list[Any]:
        """Fresh choices: new exports, bases and adapters."""
        choices = self._choices() | {
            "data.source": state.data_choices(self.context.workspace, method)
        }
        return [gr.update(choices=choices[path]) for path in OFFERED]

    def switch(self, method: str, source: str, rate: float | None) -> tuple[Any, Any]:
        """Data and learning rate that fit the method just chosen."""
        source, rate = state.for_method(method, source, rate)
        choices = state.data_choices(self.context.workspace, method)
        return gr.update(choices=choices, value=source), rate

    def use_preset(self, name: str | None) -> list[Any]:
        """Fill the form from a recipe."""
        if not name:
            return [gr.skip()] * (1 + len(self.specs))
        preset = presets.get_preset(name)
        about = f'<div class="quiet">{escape(preset.about)}</div>'
        return [about, *widgets_of(self.specs, preset.config())]

    def use_text(self, text: str) -> list[Any]:
        """Fill the form from a run file's text; a wrong one changes nothing."""
        try:
            config = state.parse_text(text)
        except ConfigError as error:
            return [self._failed(error), as_json(error), *[gr.skip()] * len(self.specs)]
        return ["", [], *widgets_of(self.specs, config)]

    def use_file(self, content: bytes) -> list[Any]:
        """Fill the form from an uploaded run file; its text is shown either way."""
        text = content.decode("utf-8", "replace")
        return [text, *self.use_text(text)]

    def clone(self, target: tuple[str, int] | None) -> list[Any]:
        """Fill the form with an earlier run's settings."""
        try:
            config = self.context.runs.get(target[0] if target else "").config
        except StudioError as error:
            say(error)
            return [gr.skip()] * len(self.specs)
        return widgets_of(self.specs, config)

    def train_on(self, target: tuple[str, int] | None) -> tuple[Any, Any]:
        """Put an export into the form, with the method its rows are made for."""
        source = target[0] if target else ""
        for method in state.SAMPLES:
            choices = state.data_choices(self.context.workspace, method)
            if source in {spec for _, spec in choices}:
                return method, gr.update(choices=choices, value=source)
        return gr.skip(), source or gr.skip()


OFFERED = ("model.id", "data.source", "adapter.continue_from")


def as_json(error: InputError) -> list[dict[str, str]]:
    """Problems as assets/studio.js places them beside their fields."""
    return [
        {"field": item.field, "text": f"{item.message} {item.remedy}".strip()}
        for item in state.problems_of(error)
    ]


def starting() -> Any:
    """The button's answer to a click, before anything is checked."""
    return gr.update(value="Checking …", interactive=False)


def _usable(spec: Any, saved: dict[str, Any]) -> bool:
    if spec.path not in saved:
        return False
    return not spec.choices or spec.kind != "choice" or saved[spec.path] in spec.choices


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    tab = TrainTab(context)
    tab.layout()
    tab.wire()
