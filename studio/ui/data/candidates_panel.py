"""Answers that a model writes to the rows of a dataset, a panel of the Data tab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import InputError, StudioError
from studio.core.logs import log_told
from studio.core.paths import EMBEDDED
from studio.core.plurals import counted
from studio.data.sources.registry import LIBRARY
from studio.evaluation.evaluated_models import BASE
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_request import Wanted
from studio.evaluation.evaluation_store import EvaluationStore
from studio.launch.candidates import create_candidates, draws_of
from studio.runs.store import Run
from studio.ui.shared.html import bar, duration, notice
from studio.ui.shared.page_scripts import hook
from studio.ui.shared.text_differences import safe
from studio.ui.shell.navigation import go_to

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
POLL_SECONDS = 1.5
MOST_RUNS = 100
OF_BASE = "base:"
FIELDS = {
    "data": "Dataset",
    "model": "Who writes",
    "adapter": "Who writes",
    "answers": "Answers a row",
    "temperature": "Temperature",
}
GOING = ("queued", "running")


@dataclass
class CandidatesPanel:
    """Components of the panel and what happens in it; what goes on is read from disk."""

    context: StudioContext

    def layout(self) -> None:
        """Draw the panel, folded."""
        self.timer = gr.Timer(POLL_SECONDS, active=False)
        with gr.Accordion(
            "Write answers with a model", open=False, elem_id="write"
        ) as self.accordion:
            with gr.Row(elem_id="write-form"):
                self.dataset = gr.Dropdown(
                    [], label="Dataset", info="Its rows get the answers.", min_width=180,
                    elem_id="write-dataset",
                )  # fmt: skip
                self.writers = gr.Dropdown(
                    [("Embedded model", f"{OF_BASE}{EMBEDDED}")],
                    value=[f"{OF_BASE}{EMBEDDED}"], label="Who writes", multiselect=True,
                    allow_custom_value=True, min_width=220, elem_id="write-writers",
                    info="A base, runs on it, or both side by side.",
                )  # fmt: skip
                self.answers = gr.Number(
                    4, label="Answers a row", info="Of each writer.", precision=0, min_width=110,
                    elem_id="write-answers",
                )  # fmt: skip
                self.temperature = gr.Number(
                    1.0, label="Temperature", info="Higher: more different.", min_width=110,
                    elem_id="write-temperature",
                )  # fmt: skip
                self.unanswered = gr.Checkbox(
                    True, label="Only rows without an answer", elem_id="write-unanswered",
                    min_width=180,
                )  # fmt: skip
                self.start_button = gr.Button(
                    "Write", variant="primary", min_width=90, scale=0, elem_id="write-start"
                )
                self.stop_button = gr.Button(
                    "Stop", visible=False, min_width=90, scale=0, elem_id="write-stop"
                )
            self.going = gr.HTML(elem_id="write-going", min_height=0)
            with gr.Row(elem_classes="actions"):
                self.label_button = gr.Button(
                    visible=False, variant="primary", size="sm", min_width=0, elem_id="write-label"
                )

    def wire(self) -> None:
        """Connect events; the writing is done by a child of the studio, behind runs."""
        shown = [self.going, self.start_button, self.stop_button, self.label_button, self.timer]
        opened = [self.writers, *shown]
        self.accordion.expand(self.open, self.dataset, opened, **QUICK)
        self.dataset.change(self.look, self.dataset, shown, **QUICK)
        typed = [self.dataset, self.writers, self.answers, self.temperature, self.unanswered]
        queued = {**QUICK, "queue": True, "concurrency_limit": 2}
        self.start_button.click(self.start, typed, shown, **queued)
        self.stop_button.click(self.stop, self.dataset, shown, **QUICK)
        self.timer.tick(self.look, self.dataset, shown, **QUICK)
        labelling = hook("label-dataset", "#write-going [data-imported]")
        self.label_button.click(
            lambda: go_to("annotate"), None, self.context.shell.tabs, js=labelling, **QUICK
        )

    def open(self, dataset: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Offer who can write, and show what goes on."""
        self._check_lead(request)
        choices = gr.update(choices=writer_choices(self.context.runs.list()))
        return choices, *self._shown(dataset)

    def look(self, dataset: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Show how the writing to a dataset goes, or went."""
        self._check_lead(request)
        return self._shown(dataset)

    def start(
        self,
        dataset: str | None,
        writers: Sequence[str] | None,
        answers: float | None,
        temperature: float | None,
        unanswered: bool,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Queue the writing; what is wrong is said in place, and nothing typed is lost."""
        self._check_lead(request)
        try:
            wanted = self._wanted(dataset, writers, answers, temperature)
            create_candidates(
                self.context.workspace, wanted, unanswered=unanswered, store=self.context.store
            )
        except StudioError as error:
            log_told(error)
            about = FIELDS.get(getattr(error, "field", ""), "")
            told = notice(about, error.message, error.remedy, tone="bad")
            return told, *(gr.skip(),) * 4
        return self._shown(dataset)

    def stop(self, dataset: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Ask the writing to stop; what was written stays."""
        self._check_lead(request)
        newest = self._newest(dataset)
        if newest is not None:
            self.context.supervisor.evaluations.stop(newest.evaluation_id)
        return self._shown(dataset)

    def _wanted(
        self,
        dataset: str | None,
        writers: Sequence[str] | None,
        answers: float | None,
        temperature: float | None,
    ) -> Wanted:
        if not dataset:
            raise InputError("Which dataset?", remedy="Choose one.", field="data")
        newest = self._newest(dataset)
        if newest is not None and newest.status.state in GOING:
            raise InputError(
                "Answers are being written to this dataset already.",
                remedy="Wait for the end, or stop it.",
                field="data",
            )
        model, adapters, with_base = self._who(list(writers or ()))
        count = int(answers) if answers is not None else 0
        draws = draws_of(count, temperature=1.0 if temperature is None else temperature)
        return Wanted(
            model=model,
            adapters=tuple(adapters),
            against=BASE if with_base and adapters else "",
            data=f"{LIBRARY}{dataset}",
            max_new_tokens=128,
            draws=draws,
        )

    def _who(self, writers: list[str]) -> tuple[str, list[str], bool]:
        """The base, the adapters on it, and whether the base writes too."""
        names = [one for one in writers if one.strip()]
        if not names:
            raise InputError("Who writes?", remedy="Choose a model.", field="model")
        known = {run.run_id: _model_of(run) for run in self.context.runs.list()}
        adapters = [name for name in names if name.partition("@")[0] in known]
        bases = [name.removeprefix(OF_BASE) for name in names if name not in adapters]
        models = {known[name.partition("@")[0]] for name in adapters} | set(bases)
        if len(models) != 1:
            raise InputError(
                f"These write on {len(models)} different bases: {', '.join(sorted(models))}.",
                remedy="Choose runs on one base, and that base.",
                field="model",
            )
        return models.pop(), adapters, bool(bases)

    def _newest(self, dataset: str | None) -> Evaluation | None:
        """What was written to a dataset last."""
        found = EvaluationStore(self.context.workspace).list()
        return next(
            (one for one in found if one.request.draws and one.request.dataset == dataset), None
        )

    def _shown(self, dataset: str | None) -> tuple[Any, ...]:
        newest = self._newest(dataset) if dataset else None
        going = newest is not None and newest.status.state in GOING
        waiting = self.context.store.next_steps(dataset).waiting if newest and dataset else 0
        ready = newest is not None and not going and waiting > 0
        return (
            _going(newest, waiting, self._trains()) if newest else "",
            gr.update(visible=not going),
            gr.update(visible=going),
            gr.update(visible=ready, value=f"Label the {counted(waiting, 'waiting pair')}"),
            gr.Timer(active=going),
        )

    def _trains(self) -> bool:
        return any(run.status.active for run in self.context.runs.list())

    def _check_lead(self, request: gr.Request | None) -> None:
        if request is not None and not self.context.is_lead(request):
            raise InputError("Only leads let models write.", remedy="Open Annotate.")


def writer_choices(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Base models, and runs with weights."""
    bases = {EMBEDDED: "Embedded model"}
    found = []
    for run in runs[:MOST_RUNS]:
        model = _model_of(run)
        if not model:
            continue
        bases.setdefault(model, model)
        if run.has_adapter:
            found.append((f"{run.config.name} · {run.run_id}", run.run_id))
    return [*((label, f"{OF_BASE}{model}") for model, label in bases.items()), *found]


def _model_of(run: Run) -> str:
    try:
        return run.config.model.id
    except InputError:  # its run file is damaged
        return ""


def _going(evaluation: Evaluation, waiting: int, trains: bool) -> str:
    """How the writing goes, or went."""
    status, request = evaluation.status, evaluation.request
    dataset = safe(request.dataset)
    who = safe(" and ".join(model.name for model in request.models))
    what = f"{len(request.draws)} answers a row by {who}"
    share = status.done / status.total if status.total else 0.0
    if status.state == "queued":
        waits = "starts when the run that trains has ended" if trains else "starts in a moment"
        return f'<p data-imported="{dataset}">{what}: {waits}.</p>'
    if status.state == "running":
        left = status.seconds / share - status.seconds if share else None
        eta = f", about {duration(left)} left" if left is not None else ""
        return (
            f'<div data-imported="{dataset}">{bar(share)}<p class="quiet">{what}: {status.done:,} of '
            f"{counted(status.total, 'row')}{eta}. They appear in the library as they come.</p></div>"
        )
    if status.state in ("failed", "stopped"):
        words = f"{status.message or 'It was stopped.'} {status.remedy}".strip()
        kept = f"What was written, to {status.done:,} of {status.total:,} rows, is in the library."
        again = "Go on with it in Evaluate."
        tone = "bad" if status.state == "failed" else "warn"
        return f'<div data-imported="{dataset}">{notice("", words, f"{kept} {again}", tone=tone)}</div>'
    said = f"{what}, to {counted(request.rows, 'row')}: done."
    if not waiting:
        said += (
            " No pair waits: where all answers to a row are alike there is nothing to choose between. "
            "A higher temperature, or a second writer, makes them differ."
        )
    return f'<p data-imported="{dataset}">{said}</p>'


def build(context: StudioContext) -> CandidatesPanel:
    """Draw the panel and connect it."""
    panel = CandidatesPanel(context)
    panel.layout()
    panel.wire()
    return panel
