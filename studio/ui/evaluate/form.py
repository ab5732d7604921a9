"""The form of a new evaluation: models, rows, metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import InputError, StudioError
from studio.core.logs import log_told
from studio.core.paths import EMBEDDED
from studio.evaluation.evaluated_models import BASE
from studio.ui.evaluate import state
from studio.ui.shared.html import notice

FIELDS = ("model", "contestants", "against", "data", "split", "limit", "metrics", "tokens")
LABELS = {
    "adapter": "Runs and checkpoints",
    "against": "Compare with",
    "data": "Rows",
    "split": "Split",
    "limit": "Rows at most",
    "metrics": "Metrics",
    "model": "Base model",
    "tokens": "Longest answer",
}


@dataclass
class EvaluationForm:
    """Components of the form, and what is asked with them."""

    context: StudioContext
    parts: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw it, folded once there are evaluations."""
        parts = self.parts
        with gr.Accordion("New evaluation", open=True, elem_id="evaluate-form"):
            parts["model"] = gr.Dropdown(
                [EMBEDDED], value=EMBEDDED, label="Base model", allow_custom_value=True,
                elem_id="evaluate-model", info="A hub id, a folder, or the embedded model.",
            )  # fmt: skip
            parts["contestants"] = gr.Dropdown(
                [], label="Runs and checkpoints", multiselect=True, allow_custom_value=True,
                elem_id="evaluate-contestants", info="Adapters on that base; none: the base alone.",
            )  # fmt: skip
            parts["against"] = gr.Dropdown(
                [("The base model", BASE)], value=BASE, label="Compare with",
                elem_id="evaluate-against", info="On the same rows.",
            )  # fmt: skip
            parts["data"] = gr.Dropdown(
                [("Embedded: held-out charts", state.HELD_OUT)], value=state.HELD_OUT,
                label="Rows", allow_custom_value=True, elem_id="evaluate-data",
                info="Of the library, held out by a run, a hub id or a file.",
            )  # fmt: skip
            with gr.Row():
                parts["split"] = gr.Textbox(
                    label="Split", placeholder="test[:10%]", max_lines=1, max_length=200,
                    elem_id="evaluate-split", min_width=100,
                )  # fmt: skip
                parts["limit"] = gr.Number(
                    200, label="Rows at most", precision=0, elem_id="evaluate-limit",
                    min_width=100,
                )  # fmt: skip
                parts["tokens"] = gr.Number(
                    64, label="Longest answer", precision=0, elem_id="evaluate-tokens",
                    min_width=100,
                )  # fmt: skip
            parts["metrics"] = gr.Dropdown(
                state.metric_choices(), label="Metrics", multiselect=True,
                elem_id="evaluate-metrics", info="Empty: those that suit the rows.",
            )  # fmt: skip
            self.trouble = gr.HTML(elem_id="evaluate-trouble", min_height=0)
            self.start = gr.Button("Start", variant="primary", elem_id="evaluate-start")

    @property
    def inputs(self) -> list[Any]:
        """What is typed, in the order of `FIELDS`."""
        return [self.parts[name] for name in FIELDS]

    @property
    def offered(self) -> list[Any]:
        """Fields whose choices follow what there is."""
        return [self.parts[name] for name in ("model", "contestants", "against", "data")]

    def offers(self) -> list[Any]:
        """Fresh choices; what is chosen stays."""
        runs = self.context.runs.list()
        return [
            gr.update(choices=state.model_choices(runs)),
            gr.update(choices=state.contestant_choices(runs)),
            gr.update(choices=state.against_choices(runs)),
            gr.update(choices=state.row_choices(self.context, runs)),
        ]

    def submit(self, *typed: Any) -> tuple[str, str]:
        """Put an evaluation into the queue: its id, or what is wrong, said beside the form.

        Everything is checked and the rows are read before anything is computed.
        """
        values = dict(zip(FIELDS, typed, strict=True))
        limit = values.pop("limit")
        try:
            wanted = state.wanted_of(**values)
            most = state.whole(limit, "limit", "Rows at most", state.MOST_ROWS)
            started = self.context.supervisor.evaluations.start(wanted, limit=most)
        except StudioError as error:
            return "", refusal(error)
        return started, ""


def refusal(error: StudioError) -> str:
    """Draw what is wrong, with the name of the field it is about."""
    log_told(error)
    about = LABELS.get(error.field, "") if isinstance(error, InputError) else ""
    return notice(about, error.message, error.remedy, tone="bad")
