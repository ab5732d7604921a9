"""Evaluate: models scored on rows, every answer beside the others, and blind matches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import ConflictError, StudioError
from studio.core.plurals import counted
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.match import Match, MatchStore
from studio.evaluation.row_filters import FILTERS, RowFilter, filter_rows
from studio.launch.evaluation_to_library import send_rows
from studio.launch.matches import (
    LEAST,
    MOST,
    close_match,
    create_match,
    delete_match,
    match_standing,
)
from studio.ui.evaluate import state, views
from studio.ui.evaluate.form import TYPED, EvaluationForm
from studio.ui.evaluate.judge_panel import FIELDS as JUDGE_FIELDS
from studio.ui.evaluate.judge_panel import JudgePanel
from studio.ui.evaluate.lead_check import refuse_others
from studio.ui.evaluate.state import EvaluationReader
from studio.ui.events.event_data import number, text
from studio.ui.events.field_values import remembers
from studio.ui.shared.html import LOADING, inform, notice, say, told
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.shared.unchanged_parts import ShownParts, carry, word_of
from studio.ui.shell.change_notification import LOOK_AGAIN, evaluations_word, mark
from studio.ui.shell.navigation import go_to, link

SHOWN = ("beat", "list", "head", "figures", "match", "judges", "rows")
FIELDS = 7
"""How many are shown or not beside the buttons."""
ACTIONS = (
    ("stop", "Stop", "secondary"),
    ("resume", "Go on", "secondary"),
    ("blind", "Blind match", "primary"),
    ("close", "End the judging", "secondary"),
    ("forget", "Delete the match", "secondary"),
    ("delete", "Delete the evaluation", "secondary"),
)
LABELS = {
    "all": "All rows",
    "fixed": "Fixed",
    "broken": "Broken",
    "both wrong": "Both wrong",
    "different": "Answered differently",
    "empty": "Empty answers",
    "failed": "Not answered",
}


@dataclass
class EvaluateTab:
    """Components of the tab and what happens in it; everything shown is read from disk."""

    context: StudioContext
    reader: EvaluationReader
    parts: dict[str, Any] = field(default_factory=dict)
    buttons: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw the form and the list beside the chosen evaluation."""
        parts = self.parts
        self.form = EvaluationForm(self.context)
        self.chosen = remembers(
            gr.BrowserState(None, storage_key="studio-evaluation", secret="studio-evaluation"), str
        )
        self.seen = gr.Textbox("", visible=False)
        self.page = gr.State(0)
        with gr.Row(elem_id="evaluate", equal_height=False):
            with gr.Column(scale=1, min_width=300, elem_classes=["surface", "evaluate-side"]):
                parts["beat"] = gr.HTML(
                    js_on_load=on_load("evaluation-changes"),
                    elem_id="evaluation-beat",
                    min_height=0,
                    padding=False,
                )
                self.form.layout()
                parts["list"] = gr.HTML(
                    LOADING,
                    js_on_load=on_load("evaluation-list"),
                    elem_id="evaluation-list",
                )
            with gr.Column(scale=3, min_width=320, elem_classes=["surface", "evaluate-detail"]):
                parts["head"] = gr.HTML(
                    LOADING,
                    js_on_load=on_load("evaluation-list"),
                    elem_id="evaluation-head",
                )
                self._actions()
                parts["figures"] = gr.HTML(elem_id="evaluation-figures", min_height=0)
                parts["match"] = gr.HTML(elem_id="evaluation-match", min_height=0)
                self.judging = JudgePanel(self.context)
                self.judging.layout()
                parts["judges"] = self.judging.parts["judges"]
                self._rows()

    def _actions(self) -> None:
        with gr.Row(elem_classes="actions"):
            self.judge = gr.Button(
                "Judge the pairs", variant="primary", size="sm", min_width=0, visible=False,
                elem_id="evaluation-judge",
            )  # fmt: skip
            for name, title, variant in ACTIONS:
                self.buttons[name] = gr.Button(
                    title,
                    variant=variant,
                    size="sm",
                    min_width=0,
                    visible=False,
                    elem_id=f"evaluation-{name}",
                )

        with gr.Row(elem_classes="row-tools", elem_id="evaluation-match-options"):
            self.people = gr.Number(
                1, label="People who judge each pair", precision=0, minimum=1, visible=False,
                elem_id="evaluation-people", min_width=160, scale=0,
            )  # fmt: skip
            self.with_seen = gr.Checkbox(
                False, label="Also rows with images that a model was trained on", visible=False,
                elem_id="evaluation-with-seen", container=False, scale=1,
            )  # fmt: skip

    def _rows(self) -> None:
        with gr.Column(elem_id="evaluation-rows-box"):
            with gr.Row(elem_classes="row-tools"):
                self.which = gr.Dropdown(
                    [(LABELS[name], name) for name in FILTERS], value="all", label="Show",
                    elem_id="evaluation-filter", min_width=150, scale=1,
                )  # fmt: skip
                self.search = gr.Textbox(
                    label="Search", placeholder="Words of the question or the answers",
                    max_lines=1, max_length=200, elem_id="evaluation-search", min_width=180, scale=2,
                )  # fmt: skip
                self.subject = gr.Dropdown(
                    [], label="Of model", visible=False, elem_id="evaluation-subject",
                    min_width=150, scale=1,
                )  # fmt: skip
                self.metric = gr.Dropdown(
                    [], label="Right by", visible=False, elem_id="evaluation-metric",
                    min_width=150, scale=1,
                )  # fmt: skip
            self.parts["rows"] = gr.HTML(
                js_on_load=on_load("evaluation-list"), elem_id="evaluation-rows"
            )
            with gr.Row(elem_classes="row-tools"):
                self.dataset = gr.Textbox(
                    label="Send the rows shown to the library, as dataset",
                    placeholder="to look at again", max_lines=1, max_length=200,
                    elem_id="evaluation-dataset", min_width=220, scale=3,
                )  # fmt: skip
                self.send = gr.Button(
                    "Send", size="sm", min_width=80, elem_id="evaluation-send", scale=0
                )
                self.label = gr.Button(
                    "Label these", size="sm", min_width=100, visible=False, variant="primary",
                    elem_id="evaluation-label", scale=0,
                )  # fmt: skip
            self.sent = gr.HTML(elem_id="evaluation-sent", min_height=0)

    def wire(self) -> None:
        """Connect events; what can be refused goes through the queue, which shows messages."""
        shell, parts, form = self.context.shell, self.parts, self.form
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        quick["preprocess"] = False
        queued = {**quick, "queue": True, "concurrency_limit": 4}
        looks = [self.which, self.search, self.subject, self.metric, self.page]
        shown = [
            self.chosen,
            *(parts[name] for name in SHOWN),
            *self.buttons.values(),
            *self.fields,
        ]
        now = {"inputs": [self.chosen, *looks], "outputs": shown, **quick}
        acting = {**now, **queued}
        seen = [self.chosen, self.seen, *looks]
        asking = {"js": hook("evaluation-shown"), "preprocess": False, **LOOK_AGAIN}
        parts["beat"].tick(self.look, seen, shown, **asking)
        shell.tab.select(self.open, **now, js=hook("asked-evaluation"))
        shell.tab.select(form.offers, None, form.offered, **quick)
        self.chosen.change(None, self.chosen, None, js=hook("name-evaluation"), **quick)
        turning = [self.page, *shown]
        # One after the other: the answer to the last click has to come last.
        in_turn = {**queued, "concurrency_limit": 1}
        parts["list"].click(self.pick, [self.chosen, *looks], turning, **in_turn)
        parts["rows"].click(self.turn, [self.chosen, *looks], turning, **in_turn)
        # Only queued events tell the listeners of a state.
        parts["head"].click(self.to_run, None, [shell.show_run, shell.tabs], **queued)
        again = {**quick, "trigger_mode": "always_last"}
        narrowing = [self.which.input, self.subject.input, self.metric.input]
        for changed in (*narrowing, self.search.change):  # what is pasted is no input
            changed(self.narrow, [self.chosen, *looks], turning, **again)
        started = [form.errors, form.trouble, *turning]
        form.wire(shell.tab, quick, queued)
        form.start.click(self.start, [*form.inputs, *looks], started, **queued)
        for name in ("stop", "resume", "close"):
            self.buttons[name].click(getattr(self, name), **acting)
        matching = {**acting, "inputs": [self.chosen, self.people, self.with_seen, *looks]}
        self.buttons["blind"].click(self.blind, **matching)
        self.buttons["delete"].click(self.delete, **acting, js=hook("confirm-evaluation-deletion"))
        self.buttons["forget"].click(self.forget, **acting, js=hook("confirm-match-deletion"))
        parts["judges"].click(self.count_judge, **acting)
        self.judging.wire(self.chosen, quick, queued)
        asked = {**acting, "inputs": [self.chosen, *self.judging.typed, *looks]}
        self.judging.start.click(self.begin_judge, **asked).then(
            lambda: ("", gr.update(visible=False)), None,
            [self.judging.sentence, self.judging.start], **quick,
        )  # fmt: skip
        self.judging.stop.click(self.end_judge, **acting)
        self._wire_labelling(quick, queued)

    def _wire_labelling(self, quick: dict[str, Any], queued: dict[str, Any]) -> None:
        for button, place in ((self.judge, "#evaluation-match"), (self.label, "#evaluation-sent")):
            labelling = hook("label-dataset", f"{place} [data-imported]")
            button.click(None, None, None, js=labelling, **quick).then(
                lambda: go_to("annotate"), None, self.context.shell.tabs, **quick
            )
        sending = [self.chosen, self.which, self.search, self.subject, self.metric, self.dataset]
        self.send.click(self.send_to_library, sending, [self.sent, self.label], **queued)

    @property
    def fields(self) -> list[Any]:
        """What is shown or not beside the buttons, in the order of `_fields`."""
        judging = [self.judging.box, self.judging.stop]
        return [*judging, self.judge, self.people, self.with_seen, self.subject, self.metric]

    def open(self, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Show what one sees on coming here: the chosen evaluation, else the newest."""
        found = self.reader.list()
        if found and chosen not in {one.evaluation_id for one in found}:
            chosen = found[0].evaluation_id
        return chosen, *self.show(chosen, *looks)[1:]

    def show(self, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Everything about an evaluation, whatever is on the page now."""
        return self._poll(chosen, ShownParts(""), *looks)

    def look(self, chosen: str | None, seen: str, *looks: Any) -> tuple[Any, ...]:
        """Show what is not as `seen` by the page; all of it on one that was just opened."""
        there = ShownParts(seen)
        return self._poll(chosen, there, *looks) if there.words else self.open(chosen, *looks)

    def pick(self, event: gr.EventData, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Follow a click on a card."""
        clicked = text(event, "evaluation") or chosen
        return 0, clicked, *self.show(clicked, *looks[:-1], 0)[1:]

    def to_run(self, event: gr.EventData) -> tuple[Any, Any]:
        """Open a run that an evaluation is about."""
        run = text(event, "run")
        return (link(run), go_to("runs")) if run else (gr.skip(), gr.skip())

    def turn(self, event: gr.EventData, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Turn to another page of the rows."""
        page = number(event, "page")
        page = looks[-1] if page is None else page
        return page, *self.show(chosen, *looks[:-1], page)

    def narrow(self, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Show the first page of other rows."""
        return 0, *self.show(chosen, *looks[:-1], 0)

    def _poll(self, chosen: str | None, there: ShownParts, *looks: Any) -> tuple[Any, ...]:
        found = self.reader.list()
        word = evaluations_word(self.context)
        page = word_of(word, chosen, looks)
        if there.has("beat", page):
            return (gr.skip(),) * self._width
        listed = there.part("list", views.evaluation_list(found, chosen))
        beat = carry("beat", page) + mark(word)
        one = next((item for item in found if item.evaluation_id == chosen), None)
        if one is None:
            head = views.GONE if chosen and found else views.NOTHING_CHOSEN
            hidden = [gr.update(visible=False)] * (self._width - 1 - len(SHOWN))
            return gr.skip(), beat, listed, head, "", "", "", "", *hidden
        matches = MatchStore(self.context.workspace)
        match = matches.of_evaluation(one.evaluation_id)
        damaged = [] if match else matches.damaged(one.evaluation_id)
        judges, judging = self.judging.shown(match)
        waits = state.waits_for(self.context, one, found) if one.status.state == "queued" else ""
        return (
            gr.skip(),
            beat,
            listed,
            there.part("head", views.head(one, waits)),
            there.part("figures", _with_downloads(one)),
            there.part("match", views.damaged_match(damaged) or self._match(match)),
            there.part("judges", judges),
            there.part("rows", self._rows_of(one, *looks)),
            *self._buttons(one, match, not damaged),
            *judging,
            *self._fields(one, match, not damaged, *looks),
        )

    @property
    def _width(self) -> int:
        return 1 + len(SHOWN) + len(self.buttons) + FIELDS

    def _match(self, match: Match | None) -> str:
        if match is None:
            return ""
        try:
            standing = match_standing(
                self.context.workspace, match.match_id, store=self.context.store
            )
        except StudioError as error:
            return views.match_view(match, None, f"{error.message} {error.remedy}")
        return views.match_view(match, standing)

    def _rows_of(
        self, one: Evaluation, which: str, search: str, subject: str, metric: str, page: int
    ) -> str:
        if one.status.state != "finished":
            return ""
        try:
            rows = self._filtered(one, which, search, subject, metric)
        except StudioError as error:
            drawn = told(error)
        else:
            drawn = views.answer_rows(one, rows, page or 0, state.metric_of(one, metric))
        return f'<div class="rows-shown">{drawn}</div>'

    def _filtered(
        self,
        one: Evaluation,
        which: str | None,
        search: str | None,
        subject: str | None,
        metric: str | None,
    ) -> list[Any]:
        kind: RowFilter = next((name for name in FILTERS if name == which), "all")
        return filter_rows(
            self.reader.records(one),
            kind,
            state.metric_of(one, metric),
            state.subject_of(one, subject),
            one.request.baseline,
            search or "",
        )

    def _fields(
        self, one: Evaluation, match: Match | None, makable: bool, *looks: Any
    ) -> list[Any]:
        """What belongs to the match, and by which model and metric rows are told apart."""
        subjects, metrics = state.subject_choices(one), state.row_metrics(one)
        matching = makable and _can_match(one, match)
        _, _, subject, metric, _ = looks
        known = state.metric_of(one, metric)
        return [
            gr.update(visible=match is not None and match.state == "open"),
            gr.update(visible=matching),
            gr.update(visible=matching and any(one.request.seen_in_training.values())),
            gr.update(
                choices=subjects,
                value=state.subject_of(one, subject),
                visible=len(subjects) > 1,
            ),
            gr.update(
                choices=[(one.label, one.name) for one in metrics],
                value=known.name if known else None,
                visible=len(metrics) > 1,
            ),
        ]

    def _buttons(self, one: Evaluation, match: Match | None, makable: bool) -> list[Any]:
        going = one.status.state in ("queued", "running")
        visible = {
            "stop": going,
            "resume": one.status.state in ("stopped", "failed"),
            "blind": makable and _can_match(one, match),
            "close": match is not None and match.state == "open",
            "forget": match is not None or not makable,
            "delete": one.status.state != "running",
        }
        return [gr.update(visible=visible[name]) for name in self.buttons]

    def start(self, request: gr.Request, *typed: Any) -> tuple[Any, ...]:
        """Queue what the form asks for and show it."""
        values, looks = typed[:TYPED], typed[TYPED:]
        started, errors, trouble = self.form.submit(request, *values)
        if not started:
            return errors, trouble, *(gr.skip(),) * (1 + self._width)
        return errors, trouble, 0, started, *self.show(started, *looks[:-1], 0)[1:]

    def stop(self, request: gr.Request, chosen: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(request, self.context.supervisor.evaluations.stop, chosen, looks)

    def resume(self, request: gr.Request, chosen: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(request, self.context.supervisor.evaluations.resume, chosen, looks)

    def blind(
        self,
        request: gr.Request,
        chosen: str,
        people: float | None,
        with_seen: bool | None,
        *looks: Any,
    ) -> tuple[Any, ...]:
        """Make a blind match of the evaluation's answers."""
        who = self.context.user(request) if self.context.accounts else ""

        def make(evaluation_id: str) -> None:
            title = "People who judge each pair"
            overlap = state.whole(people, "people", title, state.MOST_PEOPLE) or 1
            create_match(
                self.context.workspace,
                evaluation_id,
                store=self.context.store,
                overlap=overlap,
                with_seen=bool(with_seen),
                who=who,
            )

        return self._act(request, make, chosen, looks)

    def close(self, request: gr.Request, chosen: str, *looks: Any) -> tuple[Any, ...]:
        """End the judging of the match."""

        def end(evaluation_id: str) -> None:
            workspace = self.context.workspace
            found = MatchStore(workspace).of_evaluation(evaluation_id)
            if found is not None:
                close_match(workspace, found.match_id, store=self.context.store)

        return self._act(request, end, chosen, looks)

    def forget(self, request: gr.Request, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Delete the match, also a damaged one; None is what a refused confirmation sends."""
        if chosen is None:
            return (gr.skip(),) * self._width

        def remove(evaluation_id: str) -> None:
            matches = MatchStore(self.context.workspace)
            found = matches.of_evaluation(evaluation_id)
            damaged = () if found else matches.damaged(evaluation_id)
            for match_id in [found.match_id] if found else damaged[:1]:
                gone = delete_match(self.context.workspace, match_id, store=self.context.store)
                who, kept = self.context.user(request), {"labelled": gone.labelled}
                self.context.store.team.note(who, "match deleted", gone.dataset, kept)
                inform(gone.sentence)

        return self._act(request, remove, chosen, looks)

    def count_judge(
        self, event: gr.EventData, request: gr.Request, chosen: str, *looks: Any
    ) -> tuple[Any, ...]:
        """Let a judge's verdicts count as labels of the match's dataset, or take them back."""
        judge, counts = text(event, "judge"), text(event, "act") == "count"

        def change(evaluation_id: str) -> None:
            who = self.context.user(request)
            inform(self.judging.count(evaluation_id, judge, who, counts))

        return self._act(request, change, chosen, looks)

    def begin_judge(self, request: gr.Request, chosen: str, *typed: Any) -> tuple[Any, ...]:
        """Let a model judge the pairs of the match, in a process of its own."""
        asked, looks = typed[: len(JUDGE_FIELDS)], typed[len(JUDGE_FIELDS) :]

        def begin(evaluation_id: str) -> None:
            self.judging.begin(evaluation_id, *asked)

        return self._act(request, begin, chosen, looks)

    def end_judge(self, request: gr.Request, chosen: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(request, self.judging.end, chosen, looks)

    def delete(self, request: gr.Request, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Remove the evaluation; None is what a refused confirmation sends."""
        if chosen is None:
            return (gr.skip(),) * self._width
        return self._act(request, self._remove, chosen, looks)

    def _remove(self, evaluation_id: str) -> None:
        """Delete an evaluation whose answers nobody judges. Raises StudioError."""
        match = MatchStore(self.context.workspace).of_evaluation(evaluation_id)
        if match is not None:
            raise ConflictError(
                f"This evaluation has a match: {counted(len(match.pairs), 'pair')} of its answers, "
                f"dataset {match.dataset!r}.",
                remedy="Delete the match first; what people said stays in the library.",
            )
        self.reader.store.delete(evaluation_id)

    def _act(
        self, request: gr.Request | None, action: Any, chosen: str, looks: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        try:
            refuse_others(self.context, request)
            action(chosen or "")
        except StudioError as error:
            say(error)
        return self.show(chosen, *looks)

    def send_to_library(
        self, request: gr.Request, chosen: str, *asked: Any
    ) -> tuple[str, dict[str, Any]]:
        """Add the rows shown to a dataset of the library; they can be labelled then."""
        *looks, dataset = asked
        one = self.reader.get(chosen)
        if one is None:
            gone = notice("", "This evaluation is gone.", "Choose another one.", tone="bad")
            return gone, gr.update(visible=False)
        try:
            refuse_others(self.context, request)
            rows = {record.row for record in self._filtered(one, *looks)}
            name = (dataset or "").strip() or f"evaluation {one.evaluation_id}"
            report = send_rows(
                self.context.workspace, self.context.store, one.evaluation_id, rows, name
            )
        except StudioError as error:
            return told(error), gr.update(visible=False)
        who = self.context.user(request)
        self.context.store.team.note(who, "rows of an evaluation", name, {"rows": len(rows)})
        return views.sent(name, report), gr.update(visible=True)


def _can_match(one: Evaluation, match: Match | None) -> bool:
    """Whether people can be asked about an evaluation and are not yet."""
    several = LEAST <= len(one.request.models) <= MOST
    new = match is None or match.state == "being made"
    return one.status.state == "finished" and several and new


def _with_downloads(one: Evaluation) -> str:
    drawn = views.figures(one)
    return f"{drawn}{views.downloads(one)}" if drawn else ""


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    tab = EvaluateTab(context, EvaluationReader(context))
    tab.layout()
    tab.wire()
