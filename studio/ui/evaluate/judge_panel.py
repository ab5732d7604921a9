"""A model as a judge of a blind match: who, what would leave the machine, how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.annotation.quality.confidence_interval import MeasuredFigure
from studio.annotation.quality.judges import JudgeFigures
from studio.annotation.records import is_judge
from studio.api.context import StudioContext
from studio.core.errors import InputError, NotFoundError, StudioError
from studio.core.plurals import counted
from studio.evaluation.match import Match, MatchStore
from studio.launch.judge import count_judge, judges_of
from studio.launch.judge_job import (
    AskedJudge,
    JudgeJob,
    judge_job,
    outlook,
    start_judge,
    stop_judge,
)
from studio.runs.run_names import without_times
from studio.ui.evaluate import state
from studio.ui.evaluate.lead_check import refuse_others
from studio.ui.shared.html import bar, notice, told
from studio.ui.shared.page_scripts import on_load
from studio.ui.shared.text_differences import safe

FIELDS = ("judge_endpoint", "judge_model", "judge_key", "judge_limit")
APART = "Kept apart from what people say: in no figure above, in no export, unless a lead lets it count."
COUNTS = (
    "The verdicts of {judge} become labels of the dataset {dataset} under its name: they go into its "
    "agreement and exports, and fill places of people, so that a pair with as many labels as it needs is "
    "handed to nobody else. The win rate of the match stays people's. It can be taken back at any time."
)
BACK = (
    "The labels of {judge} are taken back from the dataset {dataset}: exports made from now on do not "
    "have them, and pairs without other labels wait for people again. Its verdicts stay here."
)


@dataclass
class JudgePanel:
    """Components of the panel, and what they ask."""

    context: StudioContext
    parts: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw it, hidden: only matches have judges."""
        parts = self.parts
        with gr.Column(visible=False, elem_id="evaluation-judge-model") as self.box:
            gr.HTML(
                "<h3>A model as a judge</h3><p class='quiet'>It is asked twice about each pair, with "
                "the answers in either order; where it changes its mind, that is a tie.</p>",
                padding=False,
            )
            with gr.Row(elem_classes="row-tools"):
                parts["judge_endpoint"] = gr.Textbox(
                    label="Address of its server", placeholder="http://localhost:8000/v1",
                    info="OpenAI-compatible; empty: a model of this machine.", max_lines=1,
                    max_length=500, elem_id="judge-endpoint", min_width=220, scale=2,
                )  # fmt: skip
                parts["judge_model"] = gr.Textbox(
                    label="Model", placeholder="name there, or MODEL@RUN", info="Who judges.",
                    max_lines=1, max_length=300, elem_id="judge-model", min_width=160, scale=2,
                )  # fmt: skip
                parts["judge_key"] = gr.Textbox(
                    label="Variable with its key", placeholder="EXAMPLE_KEY",
                    info="The name, not the key.", max_lines=1, max_length=100,
                    elem_id="judge-key", min_width=140, scale=1,
                )  # fmt: skip
                parts["judge_limit"] = gr.Number(
                    0, label="Pairs at most", info="0: all.", precision=0,
                    elem_id="judge-limit", min_width=100, scale=0,
                )  # fmt: skip
            self.sentence = gr.HTML(elem_id="judge-sentence", min_height=0)
            with gr.Row(elem_classes="actions"):
                self.look = gr.Button(
                    "What would it do?", size="sm", min_width=0, elem_id="judge-look"
                )
                self.start = gr.Button(
                    "Let it judge", size="sm", min_width=0, variant="primary", visible=False,
                    elem_id="judge-start",
                )  # fmt: skip
                self.stop = gr.Button(
                    "Stop it", size="sm", min_width=0, visible=False, elem_id="judge-stop"
                )
        parts["judges"] = gr.HTML(
            js_on_load=on_load("judge-counting"), elem_id="evaluation-judges", min_height=0
        )

    @property
    def typed(self) -> list[Any]:
        """The fields, in the order of `FIELDS`."""
        return [self.parts[name] for name in FIELDS]

    def wire(self, chosen: Any, quick: dict[str, Any], queued: dict[str, Any]) -> None:
        """Say what would leave before the button that sends it is there."""
        self.look.click(self.tell, [chosen, *self.typed], [self.sentence, self.start], **queued)
        for name in FIELDS:  # what was said is of other values
            self.parts[name].input(lambda: ("", gr.update(visible=False)), None,
                                   [self.sentence, self.start], **quick)  # fmt: skip

    def tell(
        self, request: gr.Request | None, chosen: str | None, *typed: Any
    ) -> tuple[str, dict[str, Any]]:
        """Say what the judge would do and what would leave the machine; nothing is asked."""
        hidden = gr.update(visible=False)
        try:
            refuse_others(self.context, request)
            match = self._match(chosen)
            if match is None:
                return notice("", "There is no match to judge.", tone="bad"), hidden
            found = outlook(
                self.context.workspace, match.dataset, _asked(*typed), store=self.context.store
            )
        except StudioError as error:
            return told(error), hidden
        if not found.pairs:
            return notice("", f"{found.judge} has judged every pair of this match."), hidden
        sentence = f"{found.judge} would be asked about {counted(found.pairs, 'pair')}, twice each."
        where = found.what_leaves or "Nothing leaves this machine."
        return notice("", sentence, where, tone="warn"), gr.update(visible=True)

    def begin(self, evaluation_id: str, *typed: Any) -> None:
        """Start the judge. Raises StudioError."""
        match = self._match(evaluation_id)
        if match is not None:
            start_judge(
                self.context.workspace, match.dataset, _asked(*typed), store=self.context.store
            )

    def count(self, evaluation_id: str, judge: str, who: str, counts: bool) -> str:
        """Let a judge's verdicts count as labels, or no longer; returns what came of it.

        Raises:
            StudioError: The match, its dataset or the judge is gone.
        """
        match = self._match(evaluation_id)
        if match is None:
            raise NotFoundError("This match is gone.", remedy="Choose another evaluation.")
        if not is_judge(judge):
            raise InputError("This is no judge.", remedy="Press the button beside its name.")
        changed = count_judge(
            self.context.workspace,
            match.dataset,
            judge,
            who=who,
            counted=counts,
            store=self.context.store,
        )
        what = "count from now on" if counts else "are taken back"
        return f"{counted(changed, 'label')} of {judge} {what}."

    def end(self, evaluation_id: str) -> None:
        """Stop the judge; what it said is kept."""
        match = self._match(evaluation_id)
        if match is not None:
            stop_judge(self.context.workspace, match.dataset)

    def shown(self, match: Match | None) -> tuple[str, list[Any]]:
        """Draw the judges of a match, and whether the panel and its Stop are there."""
        there = match is not None and bool(match.pairs) and match.state != "being made"
        if match is None or not there:
            return "", [gr.update(visible=False), gr.update(visible=False)]
        job = judge_job(self.context.workspace, match.dataset)
        try:
            figures = judges_of(self.context.workspace, match.dataset, store=self.context.store)
        except StudioError as error:  # its dataset is gone
            return f'<div class="judges">{told(error)}</div>', [gr.update(visible=False)] * 2
        running = job.state == "running"
        drawn = _job(job, figures) + judge_table(figures, match)
        html = f'<div class="judges">{drawn}</div>' if drawn else ""
        return html, [gr.update(visible=True), gr.update(visible=running)]

    def _match(self, evaluation_id: str | None) -> Match | None:
        return MatchStore(self.context.workspace).of_evaluation(evaluation_id or "")


def _asked(
    endpoint: str | None, model: str | None, key: str | None, limit: float | None
) -> AskedJudge:
    most = state.whole(limit or None, "judge_limit", "Pairs at most", state.MOST_ROWS)
    return AskedJudge(endpoint or "", model or "", key or "", most)


def _job(job: JudgeJob, figures: list[JudgeFigures]) -> str:
    if job.state == "running":
        done = next((one.pairs for one in figures if one.judge == job.judge), 0)
        return (
            f"{bar(0)}" if not done else ""
        ) + f'<p class="quiet">{safe(job.judge)} judges now: {counted(done, "pair")} so far.</p>'
    if job.state == "failed":
        return notice(f"{job.judge} ended before its time", job.message, tone="warn")
    failed = [f"{counted(n, 'pair')} without a verdict: {why}" for why, n in job.failed.items()]
    return notice("", *failed, tone="warn") if failed else ""


def judge_table(figures: list[JudgeFigures], match: Match) -> str:
    """Draw how far each judge agrees with gold and people, and whom it preferred."""
    if not figures:
        return ""
    names = ["Pairs", "Changed its mind", "κ against gold", "κ against people", "Preferred"]
    heads = "".join(f'<th scope="col">{safe(name)}</th>' for name in names)
    body = ""
    for one in figures:
        said = [
            f"<b>{one.pairs:,}</b><span class='quiet'>{one.ties:,} ties, {one.unreadable:,} not "
            "understood</span>",
            _figure(one.changed_mind, "{:.0f} %", 100),
            _figure(one.gold_kappa, "{:.2f}"),
            _figure(one.people_kappa, "{:.2f}") + _by_person(one),
            _wins(one, match),
        ]
        cells = "".join(
            f'<td data-name="{safe(name)}">{text}</td>'
            for name, text in zip(names, said, strict=True)
        )
        body += f'<tr><th scope="row">{safe(one.judge)}{_counting(one, match)}</th>{cells}</tr>'
    return (
        f'<div class="figures"><table><thead><tr><th scope="col"></th>{heads}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><p class="quiet">With 95 % intervals. {safe(APART)}</p>'
    )


def _counting(one: JudgeFigures, match: Match) -> str:
    """Draw whether a judge's verdicts count as labels, and the button that changes it."""
    act, word, text = (
        ("uncount", "Take back", BACK) if one.counted else ("count", "Let it count", COUNTS)
    )
    means = safe(text.format(judge=one.judge, dataset=repr(match.dataset)))
    said = "<span class='quiet'>counts as labels</span>" if one.counted else ""
    return (
        f'{said}<button class="small" data-act="{act}" data-judge="{safe(one.judge)}" '
        f'title="{means}" data-means="{means}">{word}</button>'
    )


def _by_person(one: JudgeFigures) -> str:
    """Cohen's κ against each person, below that against the majority of them."""
    if len(one.people) < 2:
        return ""
    return "".join(
        f"<span class='quiet'>{safe(name)}: "
        f"{'–' if figure.value is None else f'{figure.value:.2f}'}</span>"
        for name, figure in one.people.items()
    )


def _figure(figure: MeasuredFigure, form: str, times: float = 1) -> str:
    if figure.value is None:
        return f'–<span class="quiet">{safe(figure.why)}</span>'
    text = f"<b>{form.format(times * figure.value)}</b>"
    if figure.low is not None and figure.high is not None:
        ends = f"{form.format(times * figure.low)} to {form.format(times * figure.high)}"
        text += f'<span class="quiet">{ends}</span>'
    return f'{text}<span class="quiet">{counted(figure.count, "pair")}</span>'


def _wins(one: JudgeFigures, match: Match) -> str:
    return "".join(
        f"<span class='quiet'>{safe(without_times(name))}: {one.wins.get(name, 0):,}</span>"
        for name in match.contestants
    )
