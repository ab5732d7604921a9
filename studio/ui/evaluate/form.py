"""The form of a new evaluation: models, rows, metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import DataError, NotFoundError, StudioError
from studio.core.logs import log_told
from studio.core.paths import EMBEDDED
from studio.evaluation.evaluated_models import BASE, ENDPOINT, endpoint_model
from studio.ui.evaluate import state
from studio.ui.evaluate.lead_check import refuse_others
from studio.ui.shared.html import notice, told
from studio.ui.shared.page_scripts import on_load

MAIN = ("model", "contestants", "against", "data", "split", "limit", "tokens", "metrics")
FOLDED = ("columns", "metric_file", "quantization", "batch_size", "same_base", "key_from")
FIELDS = (*MAIN, *FOLDED)
TYPED = len(FIELDS) + 1
"""How many values `EvaluationForm.inputs` has."""
PLACES = {"adapter": "contestants", "id": "model"}
"""Fields of the form by what errors call them, where that is another name."""
QUANTIZATIONS = [("None", "none"), ("8 bit", "int8"), ("NF4, 4 bit", "nf4"), ("FP4, 4 bit", "fp4")]


@dataclass
class EvaluationForm:
    """Components of the form, and what is asked with them."""

    context: StudioContext
    parts: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw it."""
        with gr.Accordion("New evaluation", open=True, elem_id="evaluate-form"):
            self._models()
            self._rows()
            self.suggested = gr.State([])
            self.parts["metrics"] = gr.Dropdown(
                state.metric_choices(), label="Metrics", multiselect=True,
                elem_id="evaluate-metrics", info="Those that suit the rows, unless you change them.",
            )  # fmt: skip
            self._endpoint()
            self._folded()
            self.leaves = gr.HTML(elem_id="evaluate-leaves", min_height=0)
            self.errors = gr.HTML(
                [],
                html_template="",
                js_on_load=on_load("evaluate-errors"),
                elem_id="evaluate-errors",
            )
            self.trouble = gr.HTML(elem_id="evaluate-trouble", min_height=0)
            self.start = gr.Button("Start", variant="primary", elem_id="evaluate-start")

    def _models(self) -> None:
        parts = self.parts
        parts["model"] = gr.Dropdown(
            [EMBEDDED], value=EMBEDDED, label="Base model", allow_custom_value=True,
            elem_id="evaluate-model", info="A hub id, a folder, or the embedded model.",
        )  # fmt: skip
        parts["contestants"] = gr.Dropdown(
            [], label="Runs and checkpoints", multiselect=True, allow_custom_value=True,
            elem_id="evaluate-contestants",
            info="On that base, or the folder of an adapter; none: the base alone.",
        )  # fmt: skip
        parts["against"] = gr.Dropdown(
            [("The base model", BASE)], value=BASE, label="Compare with",
            elem_id="evaluate-against", info="On the same rows.",
        )  # fmt: skip

    def _rows(self) -> None:
        parts = self.parts
        parts["data"] = gr.Dropdown(
            [("Embedded: held-out charts", state.HELD_OUT)], value=state.HELD_OUT,
            label="Rows", allow_custom_value=True, elem_id="evaluate-data",
            info="Of the library, held out by a run, a hub id or a file.",
        )  # fmt: skip
        with gr.Row(elem_classes="row-tools"):
            parts["split"] = gr.Textbox(
                label="Split", placeholder="test[:10%]", max_lines=1, max_length=200,
                elem_id="evaluate-split", min_width=80,
            )  # fmt: skip
            parts["limit"] = gr.Number(
                200, label="At most", precision=0, elem_id="evaluate-limit", min_width=80,
            )  # fmt: skip
            parts["tokens"] = gr.Number(
                64, label="Longest answer", precision=0, elem_id="evaluate-tokens", min_width=80,
            )  # fmt: skip

    def _endpoint(self) -> None:
        with gr.Accordion("A model behind an endpoint", open=False, elem_id="evaluate-endpoint"):
            self.url = gr.Textbox(
                label="Address", placeholder="http://localhost:8000/v1", max_lines=1,
                max_length=500, elem_id="evaluate-endpoint-url",
                info="Of any OpenAI-compatible server.",
            )  # fmt: skip
            self.named = gr.Textbox(
                label="Model", placeholder="Its name there", max_lines=1, max_length=300,
                elem_id="evaluate-endpoint-model",
            )  # fmt: skip
            self.parts["key_from"] = gr.Textbox(
                label="Variable with its key", placeholder="EXAMPLE_KEY", max_lines=1,
                max_length=100, elem_id="evaluate-key-from",
                info="The name of an environment variable of the studio, not the key.",
            )  # fmt: skip
            self.add = gr.Button("Add it", size="sm", elem_id="evaluate-add-endpoint")

    def _folded(self) -> None:
        parts = self.parts
        with gr.Accordion("More settings", open=False):
            parts["columns"] = gr.Textbox(
                label="Columns", placeholder="question=query, answer=label", max_lines=1,
                max_length=500, elem_id="evaluate-columns",
                info="Only where they are not found by themselves.",
            )  # fmt: skip
            parts["metric_file"] = gr.Textbox(
                label="A metric of your own", placeholder="/path/to/metric.py", max_lines=1,
                max_length=1000, elem_id="evaluate-metric-file",
                info="A Python file on this machine with score(prediction, accepted, row). It is "
                "run here.",
            )  # fmt: skip
            with gr.Row(elem_classes="row-tools"):
                parts["quantization"] = gr.Dropdown(
                    QUANTIZATIONS, value="none", label="Quantization", min_width=110,
                    elem_id="evaluate-quantization",
                )  # fmt: skip
                parts["batch_size"] = gr.Number(
                    16, label="Rows asked at once", precision=0, min_width=110,
                    elem_id="evaluate-batch-size",
                )  # fmt: skip
            parts["same_base"] = gr.Checkbox(
                False, label="The base that an adapter names is this one under another name",
                elem_id="evaluate-same-base", container=False,
            )  # fmt: skip

    @property
    def inputs(self) -> list[Any]:
        """What is typed, in the order of `FIELDS`, and the metrics that were suggested."""
        return [*(self.parts[name] for name in FIELDS), self.suggested]

    @property
    def offered(self) -> list[Any]:
        """Fields whose choices follow what there is."""
        return [self.parts[name] for name in ("model", "contestants", "against", "data")]

    def wire(self, tab: gr.Tab, quick: dict[str, Any], queued: dict[str, Any]) -> None:
        """Suggest metrics whenever other rows or models are chosen."""
        parts = self.parts
        asked = ("data", "split", "columns", "against", "contestants", "metrics")
        inputs = [*(parts[name] for name in asked), self.suggested]
        outputs = [parts["metrics"], self.suggested, self.errors]
        changes = {"inputs": inputs, "outputs": outputs, **queued, "trigger_mode": "always_last"}
        tab.select(self.suggest, **changes)
        for name in ("data", "against", "contestants"):
            parts[name].change(self.suggest, **changes)
        for name in ("split", "columns"):
            parts[name].blur(self.suggest, **changes)
        parts["model"].change(self.fitting, parts["model"], parts["contestants"], **quick)
        who = [parts[name] for name in ("model", "contestants", "key_from")]
        told_before = {"inputs": who, "outputs": self.leaves, **quick}
        for name in ("model", "contestants"):
            parts[name].change(self.leaving, **told_before)
        parts["key_from"].blur(self.leaving, **told_before)
        adding = [self.url, self.named, *who]
        self.add.click(
            self.add_endpoint, adding, [parts["contestants"], self.named, self.leaves], **queued
        )

    def offers(self, request: gr.Request) -> list[Any]:
        """Fresh choices; what is chosen stays."""
        refuse_others(self.context, request)
        runs = self.context.runs.list()
        return [
            gr.update(choices=state.model_choices(runs)),
            gr.update(choices=state.contestant_choices(runs)),
            gr.update(choices=state.against_choices(runs)),
            gr.update(choices=state.row_choices(self.context, runs)),
        ]

    def leaving(
        self,
        request: gr.Request | None,
        model: str | None,
        contestants: list[str] | None,
        key_from: str | None,
    ) -> str:
        """Say what these models would be sent, before anything is."""
        try:
            refuse_others(self.context, request)
            said = state.leaving(model, contestants, key_from)
        except StudioError as error:
            return told(error)
        return notice("", *dict.fromkeys(said), tone="warn") if said else ""

    def add_endpoint(
        self,
        request: gr.Request | None,
        url: str | None,
        named: str | None,
        model: str | None,
        contestants: list[str] | None,
        key_from: str | None,
    ) -> tuple[Any, Any, str]:
        """Put a model behind an endpoint among the contestants; it is not asked yet."""
        before = list(contestants or ())
        name = f"{ENDPOINT}{(url or '').strip()}#{(named or '').strip()}"
        try:
            refuse_others(self.context, request)
            found = endpoint_model(name, (key_from or "").strip())
            if found.endpoint is not None:
                found.endpoint.key()
        except StudioError as error:
            return gr.skip(), gr.skip(), told(error)
        now = list(dict.fromkeys([*before, found.model]))
        return gr.update(value=now), "", self.leaving(request, model, now, key_from)

    def fitting(self, model: str | None) -> Any:
        """The runs that were trained on a base, first."""
        runs = self.context.runs.list()
        fit = [run for run in runs if run.base_model == (model or "").strip()]
        return gr.update(choices=state.contestant_choices(fit or runs))

    def suggest(
        self,
        request: gr.Request,
        data: str | None,
        split: str | None,
        columns: str | None,
        against: str | None,
        contestants: list[str] | None,
        chosen: list[str] | None,
        before: list[str] | None,
    ) -> tuple[Any, Any, Any]:
        """Put the metrics that suit the rows into their field, unless somebody chose others."""
        if chosen and chosen != before:
            return gr.skip(), gr.skip(), []
        compared = bool(contestants) and against != state.NOBODY
        try:
            refuse_others(self.context, request)
            names = state.suggestions(self.context, data, split, columns, compared)
        except StudioError as error:
            log_told(error)
            error.field = error.field or "data"
            return gr.skip(), gr.skip(), problems(error)
        return gr.update(value=names), names, []

    def submit(self, request: gr.Request | None, *typed: Any) -> tuple[str, Any, str]:
        """Put an evaluation into the queue: its id, or what is wrong, at its field.

        Everything is checked and the rows are read before anything is computed.
        """
        *fields, suggested = typed
        values = dict(zip(FIELDS, fields, strict=True))
        if values["metrics"] == suggested:
            values["metrics"] = []  # those that suit all the rows, not only the first ones
        limit, columns = values.pop("limit"), values.pop("columns")
        try:
            refuse_others(self.context, request)
            wanted = state.wanted_of(**values)
            most = state.whole(limit, "limit", "Rows at most", state.MOST_ROWS)
            named = state.columns_of(columns)
            started = self.context.supervisor.evaluations.start(wanted, columns=named, limit=most)
        except StudioError as error:
            file = values["metric_file"]
            if file and not error.field and file in error.message:
                error.field = "metric_file"
            if isinstance(error, DataError | NotFoundError):
                error.field = error.field or "data"
            return "", *refusal(error)
        return started, [], ""


def place_of(error: StudioError) -> str:
    """Return the field of the form that an error is about; empty for none of them."""
    names = reversed(error.field.split("."))
    return next((PLACES.get(name, name) for name in names if PLACES.get(name, name) in FIELDS), "")


def problems(error: StudioError) -> list[dict[str, str]]:
    """Return what the page writes under a field."""
    place = place_of(error)
    text = f"{error.message} {error.remedy}".strip()
    return [{"field": place.replace("_", "-"), "text": text}] if place else []


def refusal(error: StudioError) -> tuple[list[dict[str, str]], str]:
    """Return what is wrong for its field, and beside the button; a folded field may not be seen."""
    log_told(error)
    place = place_of(error)
    if place in MAIN:
        return problems(error), notice("", "Not started: see what is marked above.", tone="bad")
    return problems(error), notice("", error.message, error.remedy, tone="bad")
