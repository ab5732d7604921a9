"""The learning-rate range test beside the plan: its curve as it is drawn, and "use it"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from studio.core.errors import InputError, StudioError
from studio.runs.lr_range_result import Point, RangeResult
from studio.ui.shared.html import notice, told
from studio.ui.train import state, views
from studio.ui.train.form_values import FormValues, of_form
from studio.ui.train.plan import LATER, SKIP, PlanPanel, as_json
from studio.ui.train.settings_form import config_from

TEST, TESTING = "Learning-rate test", "Testing …"
HEAD = 1.1


@dataclass
class RangePanel:
    """The button, the curve, and the suggested rate."""

    plan: PlanPanel
    stopping: bool = False

    def layout_button(self) -> None:
        """Among the other tools."""
        self.button = gr.Button(TEST, size="sm", elem_id="train-range", min_width=0)

    def layout(self) -> None:
        """The curve, below the tools."""
        self.curve = gr.HTML("", elem_id="train-range-found", min_height=0, padding=False)
        with gr.Row(elem_classes="plan-tools"):
            self.use = gr.Button(
                "Use it", size="sm", elem_id="train-use-rate", min_width=0, visible=False
            )
            self.stop_button = gr.Button(
                "Stop the test", size="sm", elem_id="train-stop-range", min_width=0, visible=False
            )
        self.rate = gr.State(None)

    @property
    def outputs(self) -> list[Any]:
        """What `test` answers to, before the form's errors."""
        return [self.button, self.plan.line, self.curve, self.use, self.stop_button, self.rate]

    def wire(self, form: FormValues, errors: Any) -> None:
        """Connect the buttons."""
        read, outputs = [self.plan.target, form.all], [*self.outputs, errors]
        self.button.click(of_form(self.test), read, outputs, **LATER)
        self.stop_button.click(self.stop, None, None, **LATER)
        self.use.click(self.plan.put, self.rate, form.items, **LATER).then(
            lambda: ("", gr.update(visible=False)), None, [self.curve, self.use], **LATER
        )

    def stop(self) -> None:
        """End the test under way; what was drawn stays."""
        self.stopping = True
        self.plan.context.planner.stop_range_test()

    def test(self, target: str, *shown: Any) -> Iterator[tuple[Any, ...]]:
        """Train some steps with growing rates; the curve grows with them."""
        hide, ready = gr.update(visible=False), gr.update(value=TEST, interactive=True)
        if target != state.HERE:
            where = notice("", "The test runs on this machine. Plan for it first.", tone="warn")
            yield ready, SKIP, where, hide, hide, None, SKIP
            return
        busy = gr.update(value=TESTING, interactive=False)
        line = views.state_line("Loading the model for the learning-rate test …", busy=True)
        yield busy, line, "", hide, gr.update(visible=True), None, SKIP
        self.stopping = False
        failed, points = views.state_line("The test did not finish."), []
        try:
            config = config_from(self.plan.specs, shown)
            for item in self.plan.context.planner.range_test(config):
                if isinstance(item, RangeResult):
                    yield ready, *_finished(item), SKIP
                    return
                points.append(item)
                line = views.state_line(f"Learning-rate test: step {len(points)}", busy=True)
                yield busy, line, curve(points), hide, SKIP, None, SKIP
        except InputError as error:
            yield ready, failed, self.plan.failed(error), hide, hide, None, as_json(error)
        except StudioError as error:
            if self.stopping:
                end = notice("", "Stopped before its end; no rate is suggested.")
            else:
                end = told(error)
            yield ready, failed, curve(points) + end, hide, hide, None, SKIP


def _finished(found: RangeResult) -> tuple[Any, ...]:
    hide = gr.update(visible=False)
    line = views.state_line("Learning-rate test finished.")
    drawn = curve(found.points, found.suggested)
    if found.suggested is None:
        told = notice("", "Too few steps before the loss exploded to suggest a rate.", tone="warn")
        return line, drawn + told, hide, hide, None
    rate = float(f"{found.suggested:.2g}")
    use = gr.update(value=f"Use {rate:g}", visible=True)
    return line, drawn + said(found), use, hide, {"optimizer.learning_rate": rate}


def said(found: RangeResult) -> str:
    """Return the suggestion, and where it comes from."""
    parts = [f"a tenth of the rate at the lowest loss is {found.tenth:.2g}"]
    if found.steepest is not None:
        parts.insert(0, f"the loss falls steepest at {found.steepest:.2g}")
    end = " The test stopped when the loss exploded." if found.diverged else ""
    why = f"{'; '.join(parts)}. The smaller one is suggested.{end}"
    return notice(f"Suggested learning rate: {found.suggested:.2g}", why[0].upper() + why[1:])


def curve(points: Sequence[Point], suggested: float | None = None) -> str:
    """Loss over the learning rate (logarithmic), as measured and smoothed."""
    if len(points) < 2:
        return ""
    left, right = math.log10(points[0].rate), math.log10(points[-1].rate)
    top = HEAD * max(p.smooth for p in points)
    low = min(0.0, min(p.smooth for p in points))

    def x(rate: float) -> float:
        return 100 * (math.log10(rate) - left) / ((right - left) or 1)

    def y(loss: float) -> float:
        return 100 - 100 * min(1.0, (loss - low) / ((top - low) or 1))

    raw = " ".join(f"{x(p.rate):.2f},{y(p.loss):.2f}" for p in points)
    smooth = " ".join(f"{x(p.rate):.2f},{y(p.smooth):.2f}" for p in points)
    ticks = "".join(
        f'<span class="tick-x" style="left:{x(10.0**power):.2f}%">1e{power}</span>'
        for power in range(math.ceil(left), math.floor(right) + 1)
    )
    mark = ""
    if suggested:
        mark = f'<u style="left:{x(suggested):.2f}%"><b>{suggested:.2g}</b></u>'
    words = escape(
        f"Loss from {points[0].smooth:.3g} to {points[-1].smooth:.3g}, learning rate from "
        f"{points[0].rate:.1g} to {points[-1].rate:.1g}"
        + (f"; suggested {suggested:.2g}" if suggested else "")
    )
    return (
        f'<figure class="range-plot"><figcaption>Loss over learning rate</figcaption>'
        f'<div class="range-body"><span class="tick-y" style="top:0">{top:.3g}</span>'
        f'<span class="tick-y" style="top:100%">{low:.3g}</span>{ticks}'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{words}">'
        f'<polyline class="raw" points="{raw}"/><polyline points="{smooth}"/></svg>{mark}</div>'
        "</figure>"
    )
