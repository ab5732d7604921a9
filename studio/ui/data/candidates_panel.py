"""Answers that a model writes to the rows of a dataset, a panel of the Data tab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from studio.launch.candidates import (
    Outcome,
    create_candidates,
    draws_of,
    outcome_of,
)
from studio.models.answering.sampling_settings import LONGEST_ANSWER, Draw
from studio.runs.store import Run
from studio.ui.evaluate.state import MOST_TOKENS, whole
from studio.ui.shared.html import bar, duration, notice
from studio.ui.shared.page_scripts import hook
from studio.ui.shared.text_differences import safe
from studio.ui.shell.navigation import go_to, link

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
    "top_p": "Top p",
    "longest": "Longest answer",
    "recipe": "Recipe",
}
RECIPE_WORDS = {
    "First answer likeliest, the others drawn": "greedy+hot",
    "The base beside the runs": "base+adapter",
    "With and without the image": "with+without-image",
    "With a spoilt image (its answers are the worse ones)": "corrupted-image",
}
GOING = ("queued", "running")


@dataclass
class CandidatesPanel:
    """Components of the panel and what happens in it; what goes on is read from disk.

    Attributes:
        rows_of: Tells the rows of the library to be drawn again.
        followed: Id of the job whose end this page waits for; empty for none.
    """

    context: StudioContext
    rows_of: gr.State

    def layout(self) -> None:
        """Draw the panel, folded."""
        self.timer = gr.Timer(POLL_SECONDS, active=False)
        self.followed = gr.State("")
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
                self.resume_button = gr.Button(
                    "Go on", visible=False, min_width=90, scale=0, elem_id="write-resume"
                )
            with (
                gr.Accordion("How answers are written", open=False, elem_id="write-more"),
                gr.Row(),
            ):
                self.recipe = gr.Dropdown(
                    [("Drawn by temperature", ""), *RECIPE_WORDS.items()], value="",
                    label="Recipe", info="What makes the answers to a row differ.",
                    min_width=220, elem_id="write-recipe",
                )  # fmt: skip
                self.top_p = gr.Number(
                    Draw.top_p, label="Top p", info="Share of the probability drawn from.",
                    min_width=110, elem_id="write-top-p",
                )  # fmt: skip
                self.seed = gr.Number(
                    Draw.seed, label="Seed", info="The same gives the same answers.",
                    precision=0, min_width=110, elem_id="write-seed",
                )  # fmt: skip
                self.longest = gr.Number(
                    LONGEST_ANSWER, label="Longest answer", info="Tokens; it is cut there.",
                    precision=0, min_width=110, elem_id="write-longest",
                )  # fmt: skip
            self.going = gr.HTML(elem_id="write-going", min_height=0)
            with gr.Row(elem_classes="actions"):
                self.label_button = gr.Button(
                    visible=False, variant="primary", size="sm", min_width=0, elem_id="write-label"
                )

    def wire(self) -> None:
        """Connect events; the writing is done by a child of the studio, behind runs."""
        shown = [
            self.going,
            self.start_button,
            self.stop_button,
            self.resume_button,
            self.label_button,
            self.timer,
        ]
        opened = [self.writers, *shown]
        self.accordion.expand(self.open, self.dataset, opened, **QUICK)
        self.dataset.change(self.look, self.dataset, shown, **QUICK)
        typed = [self.dataset, self.writers, self.answers, self.temperature, self.unanswered]
        typed += [self.recipe, self.top_p, self.seed, self.longest]
        queued = {**QUICK, "queue": True, "concurrency_limit": 2}
        self.start_button.click(self.start, typed, shown, **queued)
        self.stop_button.click(self.stop, self.dataset, shown, **QUICK)
        self.resume_button.click(self.go_on, self.dataset, shown, **QUICK)
        at = [self.dataset, self.followed]
        # In the queue: the page does not hear of a link's change in an answer that came at once.
        following = [*shown, self.followed, self.rows_of]
        self.timer.tick(self.follow, at, following, **{**queued, "trigger_mode": "once"})
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

    def follow(self, dataset: str | None, followed: str, request: gr.Request) -> tuple[Any, ...]:
        """Show how the writing goes; at its end the rows are drawn again, with their answers."""
        shown = self.look(dataset, request)
        newest = self._newest(dataset)
        if newest is None or newest.status.state in GOING:
            return *shown, newest.evaluation_id if newest else "", gr.skip()
        ended = newest.evaluation_id == followed
        return *shown, "", link(None) if ended else gr.skip()

    def start(
        self,
        dataset: str | None,
        writers: Sequence[str] | None,
        answers: float | None,
        temperature: float | None,
        unanswered: bool,
        recipe: str,
        top_p: float | None,
        seed: float | None,
        longest: float | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Queue the writing; what is wrong is said in place, and nothing typed is lost."""
        self._check_lead(request)
        try:
            most = whole(longest, "longest", FIELDS["longest"], MOST_TOKENS)
            wanted = replace(
                self._wanted(dataset, writers),
                max_new_tokens=most or LONGEST_ANSWER,
                draws=draws_of(
                    int(answers or 0),
                    temperature=Draw.temperature if temperature is None else temperature,
                    top_p=Draw.top_p if top_p is None else top_p,
                    seed=int(seed or Draw.seed),
                ),
            )
            create_candidates(
                self.context.workspace,
                wanted,
                unanswered=unanswered,
                store=self.context.store,
                recipe=recipe or "",
            )
        except StudioError as error:
            return _refused(error)
        return self._shown(dataset)

    def go_on(self, dataset: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Put a job that has stopped or failed into the queue again."""
        self._check_lead(request)
        newest = self._newest(dataset)
        if newest is not None:
            try:
                self.context.supervisor.evaluations.resume(newest.evaluation_id)
            except StudioError as error:
                return _refused(error)
        return self._shown(dataset)

    def stop(self, dataset: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Ask the writing to stop; what was written stays."""
        self._check_lead(request)
        newest = self._newest(dataset)
        if newest is not None:
            self.context.supervisor.evaluations.stop(newest.evaluation_id)
        return self._shown(dataset)

    def _wanted(self, dataset: str | None, writers: Sequence[str] | None) -> Wanted:
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
        return Wanted(
            model=model,
            adapters=tuple(adapters),
            against=BASE if with_base and adapters else "",
            data=f"{LIBRARY}{dataset}",
        )

    def _who(self, writers: list[str]) -> tuple[str, list[str], bool]:
        """The base, the adapters on it, and whether the base writes too."""
        names = [one for one in writers if one.strip()]
        if not names:
            raise InputError("Who writes?", remedy="Choose a model.", field="model")
        known = {run.run_id: run.base_model for run in self.context.runs.list()}
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
        found = EvaluationStore(self.context.workspace).list(drawn=True)
        return next((one for one in found if one.request.dataset == dataset), None)

    def _shown(self, dataset: str | None) -> tuple[Any, ...]:
        newest = self._newest(dataset) if dataset else None
        going = newest is not None and newest.status.state in GOING
        waiting = self.context.store.next_steps(dataset).waiting if newest and dataset else 0
        ready = newest is not None and not going and waiting > 0
        halted = newest is not None and newest.status.state in ("stopped", "failed")
        return (
            self._going(newest) if newest else "",
            gr.update(visible=not going),
            gr.update(visible=going),
            gr.update(visible=halted),
            gr.update(visible=ready, value=f"Label the {counted(waiting, 'waiting pair')}"),
            gr.Timer(active=going),
        )

    def _going(self, job: Evaluation) -> str:
        if job.status.state != "finished":
            trains = any(run.status.active for run in self.context.runs.list())
            return _going(job, trains)
        try:
            return _came_to(job, outcome_of(self.context.workspace, job))
        except StudioError as error:
            return _refused(error)[0]

    def _check_lead(self, request: gr.Request | None) -> None:
        if request is not None and not self.context.is_lead(request):
            raise InputError("Only leads let models write.", remedy="Open Annotate.")


def writer_choices(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Base models, and runs with weights."""
    bases = {EMBEDDED: "Embedded model"}
    found = []
    for run in runs[:MOST_RUNS]:
        model = run.base_model
        if not model:
            continue
        bases.setdefault(model, model)
        if run.has_adapter:
            found.append((f"{run.config.name} · {run.run_id}", run.run_id))
    return [*((label, f"{OF_BASE}{model}") for model, label in bases.items()), *found]


def _refused(error: StudioError) -> tuple[Any, ...]:
    """Say what is wrong in place; all else stays."""
    log_told(error)
    about = FIELDS.get(getattr(error, "field", ""), "")
    return notice(about, error.message, error.remedy, tone="bad"), *(gr.skip(),) * 5


def _came_to(job: Evaluation, outcome: Outcome) -> str:
    """What was written, in sentences."""
    who = safe(" and ".join(model.name for model in job.request.models))
    told = "".join(f"<li>{safe(sentence)}</li>" for sentence in outcome.sentences)
    return f'<div data-imported="{safe(job.request.dataset)}"><p><b>{who}</b>: done.</p><ul>{told}</ul></div>'


def _going(evaluation: Evaluation, trains: bool) -> str:
    """How the writing goes, or why it does not."""
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
    words = f"{status.message or 'It was stopped.'} {status.remedy}".strip()
    kept = f"What was written, to {status.done:,} of {status.total:,} rows, is in the library."
    tone = "bad" if status.state == "failed" else "warn"
    return f'<div data-imported="{dataset}">{notice("", words, kept, tone=tone)}</div>'


def build(context: StudioContext, rows_of: gr.State) -> CandidatesPanel:
    """Draw the panel and connect it."""
    panel = CandidatesPanel(context, rows_of)
    panel.layout()
    panel.wire()
    return panel
