"""The plan beside the form: kept while a new one is made, measured by a dry step, applied."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.config import RunConfig, run_file
from studio.config.setting_list import FieldSpec
from studio.core.errors import FieldProblem, InputError, StudioError
from studio.core.logs import log_told
from studio.runs.run_plan import Plan
from studio.ui.events.event_data import number
from studio.ui.shared.html import told
from studio.ui.shared.page_scripts import on_load
from studio.ui.train import state, views
from studio.ui.train.memory_view import Measurement
from studio.ui.train.settings_form import config_from

SETTLE_SECONDS = 0.4
PLAN_SECONDS = 60.0
LOOK_SECONDS = 0.5
MOST_KEPT = 200
DIMMED, CLEAR = ["plan-found", "updating"], ["plan-found"]
LATER: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": 4,
}
AT_ONCE: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
}
SKIP = gr.skip()
Values = dict[str, Any]
"""A plan as `Plan.to_json` has it: what is kept beside a page must be plain."""


class Recent(OrderedDict[str, Any]):
    """The last few of many; older ones are forgotten."""

    def keep(self, key: str, value: Any) -> None:
        """Remember `value` as the latest."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > MOST_KEPT:
            self.popitem(last=False)


@dataclass
class PlanPanel:
    """Components of the plan and its handlers; one panel serves all who look at the page.

    Attributes:
        wanted: Session → the form it shows, so that answers to earlier forms are dropped.
        plans: Settings and device → when it was made, and the plan.
        measured: Settings → what a dry step took.
    """

    context: StudioContext
    specs: Sequence[FieldSpec]
    wanted: Recent = field(default_factory=Recent)
    plans: Recent = field(default_factory=Recent)
    measured: Recent = field(default_factory=Recent)
    device: str | None = None

    def layout_head(self) -> None:
        """What the plan is for, and how far it is."""
        self.current = gr.State(None)
        self.seen = gr.State(None)
        self.target = gr.Dropdown(
            list(state.TARGET_DEVICES),
            value=state.HERE,
            label="Plan for",
            info="Any number of GB can be typed.",
            allow_custom_value=True,
            elem_id="set-target",
            elem_classes="free",
        )
        self.line = gr.HTML(
            views.state_line(views.UNPLANNED), elem_id="train-state", min_height=0, padding=False
        )

    def layout(self) -> None:
        """Problems, and the plan."""
        self.trouble = gr.HTML("", elem_id="train-trouble", min_height=0, padding=False)
        self.found = gr.HTML(
            "",
            elem_id="train-found",
            elem_classes=CLEAR,
            js_on_load=on_load("suggestions"),
            padding=False,
        )

    @property
    def planned(self) -> list[Any]:
        """What `work_out` answers to, before the form's errors."""
        return [self.line, self.trouble, self.found, self.current]

    def wire(self, form: list[Any]) -> None:
        """Applying what was suggested."""
        self.found.click(self.apply, self.current, form, **LATER)

    def work_out(
        self,
        request: gr.Request | None,
        opened: bool,
        target: str,
        seen: Measurement | None,
        *shown: Any,
    ) -> Iterator[tuple[Any, ...]]:
        """Ask the planner once typing has settled; the old plan stays until there is a new one.

        Yields updates of `planned`, then of the errors beside the fields.
        """
        if not opened:
            yield (SKIP,) * 5
            return
        session = request.session_hash if request else ""
        self.wanted.keep(session, (target, shown))
        dim = gr.update(elem_classes=DIMMED)
        yield views.state_line(views.UPDATING, busy=True), SKIP, dim, SKIP, SKIP
        time.sleep(SETTLE_SECONDS)
        if self.wanted[session] != (target, shown):
            yield (SKIP,) * 5
            return
        for words in self._until_ready():
            yield views.state_line(words, busy=True), SKIP, SKIP, SKIP, SKIP
        answer = self._answer(target, seen, shown)
        yield answer if self.wanted[session] == (target, shown) else (SKIP,) * 5

    def _until_ready(self) -> Iterator[str]:
        """What the planner loads while it starts, and at last that it plans for the first time."""
        planner = self.context.planner
        if planner.ready:
            return
        planner.warm()
        while (loading := planner.loading) is not None:
            yield views.starting(loading.stage, loading.seconds)
            time.sleep(LOOK_SECONDS)
        yield views.FIRST

    def _answer(
        self, target: str, seen: Measurement | None, shown: Sequence[Any]
    ) -> tuple[Any, ...]:
        try:
            config = config_from(self.specs, shown)
            found = self.plan(config, state.gigabytes(target))
        except InputError as error:
            line = views.state_line(views.OUTDATED)
            return line, self.failed(error), SKIP, SKIP, as_json(error)
        except StudioError as error:
            problem = told(error)
            return views.state_line(views.OUTDATED), problem, SKIP, SKIP, SKIP
        drawn = gr.update(value=self._drawn(found, config, seen), elem_classes=CLEAR)
        return views.state_line(views.FRESH), "", drawn, found.to_json(), []

    def plan(self, config: RunConfig, gpu_gb: float | None = None) -> Plan:
        """Return the plan; one made a moment ago for the same settings is still good.

        Raises:
            InputError: The run cannot start.
            RunFailedError: The planner died.
        """
        key = f"{gpu_gb}\n{run_file.dump(config)}"
        made, found = self.plans.get(key, (0.0, None))
        if found is None or time.monotonic() - made > PLAN_SECONDS:
            found = self.context.planner.plan(config, gpu_gb)
            self.plans.keep(key, (time.monotonic(), found))
        if gpu_gb is None:
            self.device = found.device
        return found

    def remember(self, config: RunConfig, peak: int | None, seconds: float | None) -> Measurement:
        """Keep what a dry step took for the settings it belongs to; it puts plans right."""
        key = state.measured_key(config)
        seen = Measurement(key, state.about(config), peak, seconds)
        self.measured.keep(key, seen)
        self.plans.clear()
        return seen

    def _drawn(self, found: Plan, config: RunConfig, last: Measurement | None) -> str:
        return views.plan(found, self.measured.get(state.measured_key(config)), last)

    def redraw(
        self, found: Values | None, seen: Measurement | None, *shown: Any
    ) -> tuple[Any, Any]:
        """The plan again, put right by what is measured by now for the settings as they are."""
        if found is None:
            return SKIP, SKIP
        try:
            config, plan = config_from(self.specs, shown), Plan.from_json(found)
            if self.measured.get(state.measured_key(config)):
                plan = self.plan(config)
        except StudioError:
            return SKIP, SKIP
        return self._drawn(plan, config, seen), plan.to_json()

    def apply(self, found: Values | None, event: gr.EventData) -> list[Any]:
        """Put a suggestion into the form; whatever else was typed stays."""
        index = number(event, "index")
        offered = Plan.from_json(found).suggestions if found else []
        if index is None or index >= len(offered):
            return [SKIP] * len(self.specs)
        return self.put(offered[index].changes)

    def put(self, changes: dict[str, Any] | None) -> list[Any]:
        """Updates of the form for a change of settings."""
        values = state.changed(self.specs, changes or {})
        return [values.get(spec.path, SKIP) for spec in self.specs]

    def failed(self, error: InputError) -> str:
        """Return the problems with their fields' labels."""
        log_told(error)
        return views.failed(state.problems_of(error), self.labels)

    @property
    def labels(self) -> dict[str, str]:
        """Setting → what the form calls it."""
        return {spec.path: spec.label for spec in self.specs} | {"target": "Plan for"}


def as_json(error: InputError) -> list[dict[str, str]]:
    """Problems as assets/web/train/field-errors.js places them beside their fields."""
    problems: list[FieldProblem] = state.problems_of(error)
    return [
        {"field": item.field, "text": f"{item.message} {item.remedy}".strip()} for item in problems
    ]
