"""The order of a dataset's queue: how it stands, and the buttons that begin and end it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from studio.annotation.labeling.project_settings import ProjectSettings
from studio.annotation.labeling.queue_order import QueueState
from studio.api.context import StudioContext
from studio.core.errors import InputError, StudioError
from studio.core.plurals import counted
from studio.launch.queue_order import OrderStatus, curve_of, end_order, order_status
from studio.ui.shared.html import bar, empty, notice, told

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
POLL_SECONDS = 2.0
FIELDS = ("random_share", "first_tags", "reorder_after")
NOT_ORDERED = (
    "A model that was trained on earlier answers can say of which pairs it is least sure; those are "
    "then handed out first, and a share by lot between them, to measure on."
)


def build(context: StudioContext, dataset: gr.Dropdown) -> tuple[Any, QueueActions]:
    """Lay out the panel; returns its components, to be filled when a dataset is chosen."""
    actions = QueueActions(context)
    described = ProjectSettings.model_fields
    shown = gr.HTML(elem_id="team-queue")
    with gr.Row():
        model = gr.Textbox(
            label="Model",
            info="MODEL or MODEL@RUN; empty: the newest run's adapter.",
            placeholder="the newest run",
            max_length=2_000,
        )
        share = gr.Slider(
            0, 1, 0.2, step=0.01, label="Random share", info=described["random_share"].description
        )
        tags = gr.Textbox(
            label="First tags", info="Rows with one of them come first; commas between."
        )
        after = gr.Number(
            0, label="Order again after", info="So many answers, or a new run; 0: never by itself."
        )
    with gr.Row():
        start = gr.Button("Order the queue", variant="primary", elem_id="team-order")
        end = gr.Button("Hand out as imported", min_width=180, scale=0, elem_id="team-order-end")
    said = gr.HTML()
    timer = gr.Timer(POLL_SECONDS, active=False)
    fields = [share, tags, after]
    start.click(actions.start, [dataset, model, *fields], [said, shown, timer], **QUIET)
    end.click(actions.end, dataset, [said, shown, timer], **QUIET)
    timer.tick(actions.look, dataset, [shown, timer], **QUIET)
    return [shown, timer, *fields], actions


@dataclass(frozen=True)
class QueueActions:
    """What the panel's events do; all of it for leads only."""

    context: StudioContext

    def fill(self, dataset: str | None, request: gr.Request) -> tuple:
        """Return values for the panel of a dataset."""
        try:
            shown, timer = self.look(dataset, request)
            if not dataset:
                return shown, timer, gr.skip(), gr.skip(), gr.skip()
            settings = self.context.store.team.settings(dataset)
        except StudioError as error:
            return told(error), gr.Timer(active=False), gr.skip(), gr.skip(), gr.skip()
        tags = ", ".join(settings.first_tags)
        return shown, timer, settings.random_share, tags, settings.reorder_after

    def look(self, dataset: str | None, request: gr.Request) -> tuple:
        """Draw how the queue stands; the timer goes on while it is being ordered."""
        try:
            self._lead(request)
            if not dataset:
                return empty("No dataset", "Import rows with two answers each first."), gr.Timer(
                    active=False
                )
            state = self.context.store.order.state(dataset)
        except StudioError as error:
            return told(error), gr.Timer(active=False)
        status = order_status(self.context.workspace, dataset)
        going = status.state == "running" or self.context.supervisor.orders.busy
        shown = queue(state, status)
        if state.ordered and not going:
            curve = curve_of(self.context.workspace, dataset, self.context.store)
            shown += f"<h3>Labels still worth it?</h3><p>{escape(curve.sentence)}</p>"
        return shown, gr.Timer(active=going)

    def start(
        self,
        dataset: str | None,
        model: str,
        share: float,
        tags: str,
        after: float | None,
        request: gr.Request,
    ) -> tuple:
        """Keep the settings and begin to order; returns (message, queue, timer)."""
        try:
            lead = self._lead(request)
            if not dataset:
                raise InputError("There is no dataset to order.", remedy="Import one in Data.")
            values = {
                "random_share": share,
                "first_tags": tuple(tags.split(",")),
                "reorder_after": 0 if after is None else after,
            }
            stored = self.context.store.team.settings(dataset)
            if any(getattr(stored, name) != value for name, value in values.items()):
                self.context.store.team.change_settings(lead, dataset, values)
            self.context.supervisor.orders.start(dataset, lead, (model or "").strip())
        except StudioError as error:
            return told(error), gr.skip(), gr.skip()
        shown, _ = self.look(dataset, request)
        said = (
            "Being put into order. People go on labelling meanwhile; what they hold stays theirs."
        )
        return notice(said), shown, gr.Timer(active=True)

    def end(self, dataset: str | None, request: gr.Request) -> tuple:
        """Hand pairs out as they came again; returns (message, queue, timer)."""
        try:
            lead = self._lead(request)
            if not dataset:
                raise InputError("There is no dataset.", remedy="Import one in Data.")
            end_order(self.context.workspace, dataset, lead, self.context.store)
        except StudioError as error:
            return told(error), gr.skip(), gr.skip()
        return notice("Pairs are handed out as they were imported."), *self.look(dataset, request)

    def _lead(self, request: gr.Request) -> str:
        if not self.context.is_lead(request):
            raise InputError("Only a lead can see and do this.", remedy="Ask the lead.")
        return self.context.user(request)


def queue(state: QueueState, status: OrderStatus) -> str:
    """Draw how a queue waits, and how its ordering stands."""
    if status.state == "running":
        share = status.done / status.total if status.total else 0.0
        told_ = f"Weighing pairs with {status.model or 'the model'}: {status.done:,} of "
        return notice("Being put into order", f"{told_}{status.total:,}.") + bar(share)
    problem = ""
    if status.state in ("failed", "stopped"):
        problem = notice(status.message, status.remedy, tone="warn")
    if not state.ordered:
        return problem + empty("Pairs are handed out as they were imported", NOT_ORDERED)
    lines = [
        f"{counted(state.ranked, 'pair')} in the order of {status.model or 'a model'}, those it is "
        "least sure of first.",
        f"{counted(state.random, 'pair')} by lot, spread between them.",
    ]
    if state.unordered:
        lines.append(f"{counted(state.unordered, 'pair')} came since and wait behind them.")
    lines += [
        f"{counted(number, 'pair')} could not be weighed and come last: {reason}"
        for reason, number in status.failed.items()
    ]
    if status.at:
        since = max(0, state.labels - status.labels)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.at))
        lines.append(f"Ordered {when} by {status.who}; {counted(since, 'answer')} since.")
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"{problem}<ul>{items}</ul>"
