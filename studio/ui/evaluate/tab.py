"""Evaluate: models scored on rows, every answer beside the others, and blind matches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import StudioError
from studio.core.plurals import counted
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.match import Match, MatchStore
from studio.evaluation.row_filters import FILTERS, filter_rows
from studio.launch.answered_rows import send_rows
from studio.launch.matches import close_match, create_match, match_standing
from studio.ui.evaluate import state, views
from studio.ui.evaluate.form import EvaluationForm
from studio.ui.evaluate.state import EvaluationReader
from studio.ui.events.event_data import text, whole_number
from studio.ui.events.field_values import remembers
from studio.ui.runs.page_cache import ShownRuns, carry, word_of
from studio.ui.shared.html import notice, say, told
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.shell.change_notification import LOOK_AGAIN, evaluations_word, mark
from studio.ui.shell.navigation import go_to

SHOWN = ("beat", "list", "head", "figures", "match", "rows")
ACTIONS = (
    ("stop", "Stop", "secondary"),
    ("resume", "Go on", "secondary"),
    ("blind", "Blind match", "primary"),
    ("close", "End the judging", "secondary"),
    ("delete", "Delete", "secondary"),
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
                    views.NONE_YET,
                    js_on_load=on_load("evaluation-list"),
                    elem_id="evaluation-list",
                )
            with gr.Column(scale=3, min_width=320, elem_classes=["surface", "evaluate-detail"]):
                parts["head"] = gr.HTML(views.NOTHING_CHOSEN, elem_id="evaluation-head")
                self._actions()
                parts["figures"] = gr.HTML(elem_id="evaluation-figures", min_height=0)
                parts["match"] = gr.HTML(elem_id="evaluation-match", min_height=0)
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
            self.sent = gr.HTML(elem_id="evaluation-sent", min_height=0)

    def wire(self) -> None:
        """Connect events; what can be refused goes through the queue, which shows messages."""
        shell, parts, form = self.context.shell, self.parts, self.form
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        quick["preprocess"] = False
        queued = {**quick, "queue": True, "concurrency_limit": 4}
        looks = [self.which, self.search, self.page]
        shown = [self.chosen, *(parts[name] for name in SHOWN), *self.buttons.values(), self.judge]
        now = {"inputs": [self.chosen, *looks], "outputs": shown, **quick}
        acting = {**now, **queued}
        seen = [self.chosen, self.seen, *looks]
        asking = {"js": hook("evaluation-shown"), "preprocess": False, **LOOK_AGAIN}
        parts["beat"].tick(self.look, seen, shown, **asking)
        shell.tab.select(self.open, **now)
        shell.tab.select(form.offers, None, form.offered, **quick)
        turning = [self.page, *shown]
        parts["list"].click(self.pick, [self.chosen, *looks], turning, **quick)
        parts["rows"].click(self.turn, [self.chosen, *looks], turning, **quick)
        again = {**quick, "trigger_mode": "always_last"}
        for part in (self.which, self.search):
            part.input(self.narrow, [self.chosen, *looks], turning, **again)
        started = [form.trouble, *turning]
        form.start.click(self.start, [*form.inputs, *looks], started, **queued)
        for name in ("stop", "resume", "blind", "close"):
            self.buttons[name].click(getattr(self, name), **acting)
        self.buttons["delete"].click(self.delete, **acting, js=hook("confirm-evaluation-deletion"))
        labelling = hook("label-dataset", "#evaluation-match [data-imported]")
        self.judge.click(None, None, None, js=labelling, **quick).then(
            lambda: go_to("annotate"), None, shell.tabs, **quick
        )
        self.send.click(
            self.send_to_library, [self.chosen, self.which, self.search, self.dataset], self.sent,
            **queued,
        )  # fmt: skip

    def open(self, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Show what one sees on coming here: the chosen evaluation, else the newest."""
        found = self.reader.list()
        if found and chosen not in {one.evaluation_id for one in found}:
            return found[0].evaluation_id, *self.show(found[0].evaluation_id, *looks)[1:]
        return self.show(chosen, *looks)

    def show(self, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Everything about an evaluation, whatever is on the page now."""
        return self._poll(chosen, ShownRuns(""), *looks)

    def look(self, chosen: str | None, seen: str, *looks: Any) -> tuple[Any, ...]:
        """Show what is not as `seen` by the page; all of it on one that was just opened."""
        there = ShownRuns(seen)
        return self._poll(chosen, there, *looks) if there.words else self.open(chosen, *looks)

    def pick(self, event: gr.EventData, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Follow a click on a card."""
        clicked = text(event, "evaluation") or chosen
        which, search, _ = looks
        return 0, clicked, *self.show(clicked, which, search, 0)[1:]

    def turn(self, event: gr.EventData, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Turn to another page of the rows."""
        which, search, page = looks
        page = whole_number(text(event, "page")) if text(event, "page") else page
        page = max(0, page or 0)
        return page, *self.show(chosen, which, search, page)

    def narrow(self, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Show the first page of other rows."""
        which, search, _ = looks
        return 0, *self.show(chosen, which, search, 0)

    def _poll(self, chosen: str | None, there: ShownRuns, *looks: Any) -> tuple[Any, ...]:
        found = self.reader.list()
        word = evaluations_word(self.context)
        page = word_of(word, chosen, looks)
        if there.has("beat", page):
            return (gr.skip(),) * (1 + len(SHOWN) + len(self.buttons) + 1)
        listed = there.part("list", views.evaluation_list(found, chosen))
        beat = carry("beat", page) + mark(word)
        one = next((item for item in found if item.evaluation_id == chosen), None)
        if one is None:
            head = views.GONE if chosen and found else views.NOTHING_CHOSEN
            hidden = [gr.update(visible=False)] * (len(self.buttons) + 1)
            return gr.skip(), beat, listed, head, "", "", "", *hidden
        match = MatchStore(self.context.workspace).of_evaluation(one.evaluation_id)
        return (
            gr.skip(),
            beat,
            listed,
            there.part("head", views.head(one)),
            there.part("figures", _with_downloads(one)),
            there.part("match", self._match(match)),
            there.part("rows", self._rows_of(one, *looks)),
            *self._buttons(one, match),
        )

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

    def _rows_of(self, one: Evaluation, which: str, search: str, page: int) -> str:
        if one.status.state != "finished":
            return ""
        metric = state.main_metric(one)
        try:
            rows = self._filtered(one, which, search)
        except StudioError as error:
            drawn = told(error)
        else:
            drawn = views.answer_rows(one, rows, page or 0, metric)
        return f'<div class="rows-shown">{drawn}</div>'

    def _filtered(self, one: Evaluation, which: str | None, search: str | None) -> list[Any]:
        kind = next((name for name in FILTERS if name == which), "all")
        return filter_rows(
            self.reader.records(one),
            kind,
            state.main_metric(one),
            one.subject,
            one.request.baseline,
            search or "",
        )

    def _buttons(self, one: Evaluation, match: Match | None) -> list[Any]:
        going = one.status.state in ("queued", "running")
        several = 1 < len(one.request.models) <= 4
        open_ = match is not None and match.state == "open"
        visible = {
            "stop": going,
            "resume": one.status.state in ("stopped", "failed"),
            "blind": one.status.state == "finished"
            and several
            and (match is None or match.state == "being made"),
            "close": open_,
            "delete": one.status.state != "running",
        }
        return [
            *(gr.update(visible=visible[name]) for name in self.buttons),
            gr.update(visible=open_),
        ]

    def start(self, *typed: Any) -> tuple[Any, ...]:
        """Queue what the form asks for and show it."""
        *values, which, search, _ = typed
        started, trouble = self.form.submit(*values)
        if not started:
            return trouble, *(gr.skip(),) * (3 + len(SHOWN) + len(self.buttons))
        return "", 0, started, *self.show(started, which, search, 0)[1:]

    def stop(self, chosen: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.evaluations.stop, chosen, looks)

    def resume(self, chosen: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.evaluations.resume, chosen, looks)

    def blind(self, request: gr.Request, chosen: str, *looks: Any) -> tuple[Any, ...]:
        """Make a blind match of the evaluation's answers."""
        who = self.context.user(request) if self.context.accounts else ""

        def make(evaluation_id: str) -> None:
            create_match(self.context.workspace, evaluation_id, store=self.context.store, who=who)

        return self._act(make, chosen, looks)

    def close(self, chosen: str, *looks: Any) -> tuple[Any, ...]:
        """End the judging of the match."""

        def end(evaluation_id: str) -> None:
            workspace = self.context.workspace
            found = MatchStore(workspace).of_evaluation(evaluation_id)
            if found is not None:
                close_match(workspace, found.match_id, store=self.context.store)

        return self._act(end, chosen, looks)

    def delete(self, chosen: str | None, *looks: Any) -> tuple[Any, ...]:
        """Remove the evaluation; None is what a refused confirmation sends."""
        if chosen is None:
            return (gr.skip(),) * (2 + len(SHOWN) + len(self.buttons))
        return self._act(self.reader.store.delete, chosen, looks)

    def _act(self, action: Any, chosen: str, looks: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            action(chosen or "")
        except StudioError as error:
            say(error)
        return self.show(chosen, *looks)

    def send_to_library(
        self, chosen: str, which: str, search: str, dataset: str, request: gr.Request
    ) -> str:
        """Add the rows shown to a dataset of the library."""
        one = self.reader.get(chosen)
        if one is None:
            return notice("", "This evaluation is gone.", "Choose another one.", tone="bad")
        try:
            rows = {record.row for record in self._filtered(one, which, search)}
            name = (dataset or "").strip() or f"evaluation {one.evaluation_id}"
            report = send_rows(
                self.context.workspace, self.context.store, one.evaluation_id, rows, name
            )
        except StudioError as error:
            return told(error)
        who = self.context.user(request)
        self.context.store.team.note(who, "rows of an evaluation", name, {"rows": len(rows)})
        added = f"{counted(report.added, 'row')} added to {name}"
        known = report.unchanged + report.extended
        return notice("", f"{added}; {known:,} were there already." if known else f"{added}.")


def _with_downloads(one: Evaluation) -> str:
    drawn = views.figures(one)
    return f"{drawn}{views.downloads(one)}" if drawn else ""


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    tab = EvaluateTab(context, EvaluationReader(context))
    tab.layout()
    tab.wire()
