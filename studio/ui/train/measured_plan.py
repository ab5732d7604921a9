"""Beside the plan: what is found out by trying, by a dry step and by growing batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.core.errors import InputError, StoppedError, StudioError
from studio.runs.run_plan import FoundBatch
from studio.ui.shared.html import notice, told
from studio.ui.train import state, views
from studio.ui.train.form_values import FormValues, of_form
from studio.ui.train.lr_range import RangePanel
from studio.ui.train.memory_view import size
from studio.ui.train.plan import AT_ONCE, LATER, SKIP, PlanPanel, as_json
from studio.ui.train.settings_form import config_from

MEASURE, MEASURING = "Measure with a dry step", "Measuring …"
FIND, FINDING = "Find batch size", "Trying sizes …"
STOP, STOPPING = "Stop", "Stopping …"
SHOWN, HIDDEN = gr.update(value=STOP, visible=True, interactive=True), gr.update(visible=False)


@dataclass
class ToolsPanel:
    """Buttons that try something out, their results, and "use it".

    Attributes:
        going: Session → what ends the trial it started.
    """

    plan: PlanPanel
    going: dict[str, threading.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.range = RangePanel(self.plan)

    def layout(self) -> None:
        """Buttons in a row, results below."""
        with gr.Row(elem_classes="plan-tools"):
            self.measure_button = gr.Button(
                MEASURE, size="sm", elem_id="train-measure", min_width=0
            )
            self.find = gr.Button(FIND, size="sm", elem_id="train-find-batch", min_width=0)
            self.range.layout_button()
        self.stop_button = gr.Button(
            STOP, size="sm", elem_id="train-stop-trial", min_width=0, visible=False
        )
        self.batch = gr.HTML("", elem_id="train-batch-found", min_height=0, padding=False)
        self.use_batch = gr.Button(
            "Use it", size="sm", elem_id="train-use-batch", min_width=0, visible=False
        )
        self.found_batch = gr.State(None)
        self.range.layout()

    def wire(self, form: FormValues, errors: Any) -> None:
        """Connect the buttons."""
        plan = self.plan
        self.range.wire(form, errors)
        drawn = {
            "fn": of_form(plan.redraw),
            "inputs": [plan.current, plan.seen, form.all],
            "outputs": [plan.found, plan.current],
        }
        self.measure_button.click(
            of_form(self.measure),
            [plan.target, form.all],
            [self.measure_button, self.stop_button, plan.line, plan.trouble, errors, plan.seen],
            **LATER,
        ).then(**drawn, **LATER)
        self.find.click(
            of_form(self.find_batch),
            [plan.target, form.all],
            [
                self.find,
                self.stop_button,
                plan.line,
                self.batch,
                self.use_batch,
                self.found_batch,
                errors,
            ],
            **LATER,
        ).then(**drawn, **LATER)
        self.stop_button.click(self.stop, None, self.stop_button, **AT_ONCE)
        self.use_batch.click(plan.put, self.found_batch, form.items, **LATER).then(
            lambda: ("", gr.update(visible=False)), None, [self.batch, self.use_batch], **LATER
        )

    def stop(self, request: gr.Request | None = None) -> Any:
        """End the trial that this page started; nothing of it is kept."""
        going = self.going.get(_session(request))
        if going is None:
            return HIDDEN
        going.set()
        return gr.update(value=STOPPING, interactive=False)

    @contextmanager
    def _trial(self, request: gr.Request | None) -> Iterator[threading.Event]:
        stopped = self.going[_session(request)] = threading.Event()
        try:
            yield stopped
        finally:
            self.going.pop(_session(request), None)

    def measure(
        self, request: gr.Request | None, target: str, *shown: Any
    ) -> Iterator[tuple[Any, ...]]:
        """Two real steps on the largest batch; kept for the settings they belong to."""
        ready = gr.update(value=MEASURE, interactive=True)
        busy = gr.update(value=MEASURING, interactive=False)
        if target != state.HERE:
            elsewhere = notice(
                "", "A dry step runs on this machine. Plan for it first.", tone="warn"
            )
            yield ready, SKIP, SKIP, elsewhere, SKIP, SKIP
            return
        words = "Dry step: loading the model and training two steps that are thrown away …"
        yield busy, SHOWN, views.state_line(words, busy=True), SKIP, SKIP, SKIP
        line = views.state_line("Not measured.")
        try:
            config = config_from(self.plan.specs, shown)
            with self._trial(request) as stopped:
                took = self.plan.context.planner.measure(config, stopped)
        except StoppedError as error:
            yield ready, HIDDEN, views.state_line(error.message), SKIP, SKIP, SKIP
        except InputError as error:
            yield ready, HIDDEN, line, self.plan.failed(error), as_json(error), SKIP
        except StudioError as error:
            yield ready, HIDDEN, line, told(error), SKIP, SKIP
        else:
            seen = self.plan.remember(config, took.peak, took.seconds_per_step)
            yield ready, HIDDEN, views.state_line("Measured."), "", SKIP, seen

    def find_batch(
        self, request: gr.Request | None, target: str, *shown: Any
    ) -> Iterator[tuple[Any, ...]]:
        """Return the most rows at once; the effective batch stays what it is."""
        ready = gr.update(value=FIND, interactive=True)
        words = "Looking for the largest batch by plan, then by a dry step …"
        busy = gr.update(value=FINDING, interactive=False)
        yield busy, SHOWN, views.state_line(words, busy=True), SKIP, HIDDEN, None, SKIP
        line = views.state_line("No batch size found.")
        try:
            config = config_from(self.plan.specs, shown)
            with self._trial(request) as stopped:
                gigabytes = state.gigabytes(target)
                found = self.plan.context.planner.find_batch(config, gigabytes, stopped)
        except StoppedError as error:
            yield ready, HIDDEN, views.state_line(error.message), SKIP, HIDDEN, None, SKIP
        except InputError as error:
            yield ready, HIDDEN, line, self.plan.failed(error), HIDDEN, None, as_json(error)
        except StudioError as error:
            problem = told(error)
            yield ready, HIDDEN, line, problem, HIDDEN, None, SKIP
        else:
            now = config.batch.per_device
            if found.measured is not None:
                batch = config.batch.model_copy(update={"per_device": found.per_device})
                config = config.model_copy(update={"batch": batch})
                self.plan.remember(config, found.measured, found.seconds_per_step)
            label = f"Use {found.per_device} at once"
            use = gr.update(value=label, visible=found.per_device != now)
            done = views.state_line("Batch size found.")
            yield ready, HIDDEN, done, described(found, now), use, found.changes, SKIP


def _session(request: gr.Request | None) -> str:
    return request.session_hash if request else ""


def described(found: FoundBatch, now: int) -> str:
    """Return the size in words, with what it takes."""
    rows = "1 row" if found.per_device == 1 else f"{found.per_device} rows"
    has = size(found.device_memory)
    if not found.fits:
        return notice(
            "No batch fits",
            f"Even {rows} at once needs {size(found.planned)} of {has}.",
            "Apply what would help, or plan for a larger GPU.",
            tone="bad",
        )
    taken = f"{size(found.measured)}, measured" if found.measured else size(found.planned)
    words = f"{rows} at once take {taken}, of {has}; the effective batch stays {found.total}."
    if found.tried:
        words += f" Memory ran out at {', '.join(map(str, found.tried))}."
    if found.larger and found.larger_planned:
        words += f" {found.larger} would need {size(found.larger_planned)}."
    title = f"{rows} at once" + (" is what you have" if found.per_device == now else "")
    return f'<div class="found-batch">{notice(title, words)}</div>'
