"""Train: what, how, and the plan; the form is drawn from the run file's declarations."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.config import RunConfig, presets, run_file
from studio.config.adapter import TARGET_GROUPS
from studio.config.availability import unavailable
from studio.core.errors import ConfigError, InputError, StudioError
from studio.runs.store import Run
from studio.ui.events.field_values import remembers
from studio.ui.shared.html import say
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.shell.navigation import NEXT, go_to, link
from studio.ui.train import state, views
from studio.ui.train.availability import Availability
from studio.ui.train.form_values import FormValues, of_form
from studio.ui.train.measured_plan import ToolsPanel
from studio.ui.train.plan import LATER, PlanPanel, as_json
from studio.ui.train.saved_settings import SettingsPanel
from studio.ui.train.sections import SECTIONS, WHAT, jump_list, of_what
from studio.ui.train.settings_form import (
    component,
    config_from,
    form_specs,
    help_of,
    to_widget,
    widgets_of,
)

OFFERED = ("model.id", "data.source", "adapter.continue_from")
LEVELS = ["Basic", "All settings"]
SHOW_LEVEL, SHOW_METHOD = hook("show-level"), hook("show-method")
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass
class TrainTab:
    """Components of the tab, and its handlers."""

    context: StudioContext
    specs: list[Any] = field(default_factory=form_specs)
    fields: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plan = PlanPanel(self.context, self.specs)
        self.tools = ToolsPanel(self.plan)
        self.settings = SettingsPanel(self.context, self.specs)
        self.availability = Availability(self.plan, self.specs)

    def layout(self) -> None:
        """Three columns (what, how, plan), and the settings kept below."""
        self.reasons, self.choices = unavailable(), self._choices()
        self.saved = remembers(
            gr.BrowserState(None, storage_key="studio-train", secret="studio-train"), dict
        )
        self.availability.layout()
        self.errors = _values_alone([], "field-errors", "train-errors")
        with gr.Row(elem_id="train", equal_height=False):
            with gr.Column(
                scale=3, min_width=260, elem_id=WHAT, elem_classes=["surface", "train-what"]
            ):
                self._what()
            with gr.Column(scale=5, min_width=320, elem_classes=["surface", "train-how"]):
                self._how()
            with gr.Column(scale=3, min_width=300, elem_classes=["train-plan"]):
                self._plan()
        self.settings.layout()
        shown = [to_widget(spec, spec.default) for spec in self.specs]
        self.values = FormValues(self.inputs, shown)
        _values_alone(help_of(self.specs), "setting-help", "train-help")

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
        for spec in of_what(self.specs):
            self._field(spec)

    def _how(self) -> None:
        with gr.Row(elem_classes="column-head"):
            gr.HTML('<h3 class="column-title">How</h3>')
            gr.Textbox(
                placeholder="Find a setting …",
                label="Find a setting by name, help or TRL's name",
                show_label=False,
                container=False,
                elem_id="train-search",
            )
            self.level = gr.Radio(
                LEVELS, value=LEVELS[0], show_label=False, container=False, elem_id="train-level"
            )
        gr.HTML(jump_list(), elem_id="train-jump", padding=False)
        for section in SECTIONS:
            inside = section.of(self.specs)
            level = "level-basic" if any(s.level == "basic" for s in inside) else "level-all"
            classes = ["fields", f"only-{section.method}", level]
            with gr.Column(elem_id=section.element, elem_classes=classes):
                gr.HTML(f'<h4 class="group-title">{section.title}</h4>')
                for spec in inside:
                    self._field(spec)

    def _plan(self) -> None:
        with gr.Column(elem_classes=["surface"]):
            gr.HTML('<h3 class="column-title">Plan</h3>')
            self.summary = gr.HTML(
                views.summary(RunConfig()), elem_id="train-summary", min_height=0, padding=False
            )
            self.plan.layout_head()
            self.tools.layout()
            self.plan.layout()
            with gr.Column(elem_classes=["train-go"]):
                self.start = gr.Button("Start", variant="primary", elem_id="train-start")
                self.reason = gr.HTML("", elem_id="train-reason", min_height=0, padding=False)

    def _field(self, spec: Any) -> None:
        choices, reasons = self.choices.get(spec.path), self.reasons.get(spec.path)
        self.fields[spec.path] = component(spec, choices, reasons)

    def _choices(self) -> dict[str, Any]:
        store, workspace = self.context.runs, self.context.workspace
        return {
            "model.id": state.model_choices(store),
            "data.source": state.data_choices(workspace, "sft", self.context.store),
            "adapter.continue_from": state.adapter_choices(store),
            "adapter.targets": list(TARGET_GROUPS),
            "dpo.losses": state.loss_choices(),
        }

    @property
    def inputs(self) -> list[Any]:
        """The components in the order of the specs."""
        return [self.fields[spec.path] for spec in self.specs]

    def wire(self) -> None:
        """Connect events: quick ones outside the queue, planning and starting inside."""
        shell, form, target = self.context.shell, self.inputs, self.plan.target
        opened, work_out = gr.State(False), of_form(self.plan.work_out)
        checked = [
            self.summary,
            self.errors,
            self.settings.text,
            self.saved,
            self.availability.usable,
        ]
        checked = [*checked, self.start, self.reason]
        planned = {
            "inputs": [opened, target, self.plan.seen, self.values.all],
            "outputs": [*self.plan.planned, self.errors],
            "trigger_mode": "always_last",
            **LATER,
        }
        self.values.wire()
        changes = [self.values.all.change, target.change]
        told = [target, self.availability.usable, self.values.all]
        gr.on(changes, of_form(self.check), told, checked, trigger_mode="always_last", **QUICK)
        gr.on(changes, work_out, **planned)
        shell.page.load(self.restore, self.saved, form, **QUICK)
        shell.tab.select(self.warm, None, opened, **QUICK).then(work_out, **planned)
        self._wire_view()
        self._wire_filling(form)
        self._wire_start()
        self.plan.wire(form)
        self.tools.wire(self.values, self.errors)
        self.settings.wire(self.values, self.errors, self.plan.labels)

    def _wire_view(self) -> None:
        shell, method = self.context.shell, self.fields["method"]
        shell.page.load(None, [self.level], None, js=SHOW_LEVEL)
        shell.page.load(None, [method], None, js=SHOW_METHOD)
        self.level.change(None, [self.level], None, js=SHOW_LEVEL)
        method.change(None, [method], None, js=SHOW_METHOD)
        shell.tab.select(self.offers, method, [self.fields[path] for path in OFFERED], **QUICK)
        self.availability.wire(self.fields)

    def _wire_filling(self, form: list[Any]) -> None:
        shell, method = self.context.shell, self.fields["method"]
        switched = [self.fields["data.source"], self.fields["optimizer.learning_rate"]]
        method.input(self.switch, [method, *switched], switched, **QUICK)
        filled = [self.about, self.plan.target, *form]
        self.preset.input(self.use_preset, self.preset, filled, **QUICK)
        shell.clone_run.change(self.clone, shell.clone_run, form, **QUICK)
        target = [method, *switched, self.fields["data.train"], self.fields["data.evaluation"]]
        asked = [shell.train_on, self.fields["optimizer.learning_rate"]]
        shell.train_on.change(self.train_on, asked, target, **QUICK)

    def _wire_start(self) -> None:
        shell = self.context.shell
        outputs = [self.start, self.plan.trouble, self.errors, shell.show_run, shell.tabs]
        self.start.click(starting, None, self.start, **QUICK).then(
            of_form(self.submit), self.values.all, outputs, **LATER
        )

    def warm(self) -> bool:
        """Start the planner as soon as the tab is opened."""
        self.context.planner.warm()
        return True

    def check(self, target: str, usable: dict[str, Any], *shown: Any) -> tuple[Any, ...]:
        """Show what can be told at once: summary, problems, the run file; and remember the form."""
        remembered = {spec.path: item for spec, item in zip(self.specs, shown, strict=True)}
        usable = usable | self.availability.usable_of(remembered, target)
        try:
            config = config_from(self.specs, shown)
            state.ensure(config)
            elsewhere = state.gigabytes(target)
        except ConfigError as error:
            reason = views.not_ready(error.problems, self.plan.labels)
            start = gr.update(interactive=False)
            known = (as_json(error), gr.skip(), remembered, usable)
            return views.summary(None), *known, start, reason
        start = gr.update(interactive=elsewhere is None)
        reason = views.elsewhere(elsewhere) if elsewhere else ""
        known = ([], run_file.dump(config), remembered, usable)
        return views.summary(config), *known, start, reason

    def submit(self, *shown: Any) -> tuple[Any, ...]:
        """Refuse what cannot run, queue what can, and go and watch it."""
        ready = gr.update(value="Start", interactive=True)
        try:
            config = config_from(self.specs, shown)
            self.plan.plan(config)
            run_id = self.context.supervisor.submit(config)
        except InputError as error:
            return ready, self.plan.failed(error), as_json(error), gr.skip(), gr.skip()
        except StudioError as error:
            say(error)
            return ready, *(gr.skip(),) * 4
        return ready, "", [], link(run_id), go_to("runs")

    def restore(self, saved: dict[str, Any] | None) -> list[Any]:
        """Show the form as it was left in this browser."""
        saved = saved if isinstance(saved, dict) else {}
        return [saved[spec.path] if _known(spec, saved) else gr.skip() for spec in self.specs]

    def offers(self, method: str | None) -> list[Any]:
        """Fresh choices: new exports, bases and adapters; none of no method."""
        if method is None:
            return [gr.skip() for _ in OFFERED]
        choices = self._choices() | {
            "data.source": state.data_choices(self.context.workspace, method, self.context.store)
        }
        return [gr.update(choices=choices[path]) for path in OFFERED]

    def switch(self, method: str | None, source: str, rate: float | None) -> tuple[Any, Any]:
        """Data and learning rate that fit the method just chosen."""
        if method is None:
            return gr.skip(), gr.skip()
        source, rate = state.for_method(method, source, rate)
        choices = state.data_choices(self.context.workspace, method, self.context.store)
        return gr.update(choices=choices, value=source), rate

    def use_preset(self, name: str | None) -> list[Any]:
        """Fill the form from a recipe; a starter is planned for its GPU where there is none."""
        if not name:
            return [gr.skip()] * (2 + len(self.specs))
        preset = presets.get_preset(name)
        about = f'<div class="quiet">{escape(preset.about)}</div>'
        gigabytes = state.starter_size(name)
        elsewhere = gigabytes and self.plan.device in ("cpu", "mps")
        target = str(gigabytes) if elsewhere else state.HERE
        return [about, target, *widgets_of(self.specs, preset.config())]

    def clone(self, target: tuple[str | tuple[str, str], int] | None) -> list[Any]:
        """Fill the form with an earlier run's settings, as they were or to train on from it."""
        asked = target[0] if target else ""
        run_id, wish = (asked, "") if isinstance(asked, str) else asked
        try:
            run = self.context.runs.get(run_id)
            config = next_round(run) if wish == NEXT else run.config
        except StudioError as error:
            say(error)
            return [gr.skip()] * len(self.specs)
        return widgets_of(self.specs, config)

    def train_on(
        self, target: tuple[str | tuple[str, str], int] | None, rate: float | None
    ) -> tuple[Any, ...]:
        """Put an export, or rows of the library, into the form with what they are made for.

        With it goes what an export holds out.
        """
        asked, workspace = target[0] if target else "", self.context.workspace
        source, made_for = (asked, "") if isinstance(asked, str) else asked
        for method in sorted(state.SAMPLES, key=lambda name: name != made_for):
            choices = state.data_choices(workspace, method, self.context.store)
            if source in {spec for _, spec in choices}:
                held_out = state.held_out_split(workspace, source)
                shown = gr.update(choices=choices, value=source)
                return method, shown, state.rate_for(method, rate), "train", held_out or ""
        return gr.skip(), source or gr.skip(), gr.skip(), gr.skip(), gr.skip()


def next_round(run: Run) -> RunConfig:
    """Return the settings of a run that trains on from another one, on whatever rows are chosen."""
    config = run.config
    name = {"name": f"{config.name[:78]} 2"}
    if config.adapter is None:  # every weight was trained: its folder is the base
        model = config.model.model_copy(update={"id": str(run.paths.adapter), "revision": None})
        return config.model_copy(update={"model": model, **name})
    further = {"continue_from": run.run_id, "init": "default"}
    return config.model_copy(update={"adapter": config.adapter.model_copy(update=further), **name})


def _values_alone(value: Any, component: str, name: str) -> gr.HTML:
    """Make a component that shows nothing itself: its value is for a module of the page."""
    return gr.HTML(value, html_template="", js_on_load=on_load(component), elem_id=name)


def starting() -> Any:
    """Show the button's answer to a click, before anything is checked."""
    return gr.update(value="Checking …", interactive=False)


def _known(spec: Any, saved: dict[str, Any]) -> bool:
    if spec.path not in saved:
        return False
    return not spec.choices or spec.kind != "choice" or saved[spec.path] in spec.choices


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    tab = TrainTab(context)
    tab.layout()
    tab.wire()
