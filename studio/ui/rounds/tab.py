"""Rounds: one object from a model's answers to a decision; steps are taken here or in their tabs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import ConflictError, InputError, StudioError
from studio.launch.decision_card import decide_about
from studio.launch.round_state import RoundView, look_at_round
from studio.launch.round_steps import RoundSteps
from studio.launch.round_store import RoundStore
from studio.launch.rounds import next_round
from studio.runs.decisions import LONGEST_REASON, Verdict
from studio.ui.events.event_data import text
from studio.ui.events.field_values import remembers
from studio.ui.rounds import views
from studio.ui.rounds.form import RoundForm
from studio.ui.shared.html import say, told
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.shell.change_notification import LOOK_AGAIN, mark, rounds_word
from studio.ui.shell.navigation import go_to, link

SHOWN = ("beat", "list", "head", "figures")
BUTTONS = (
    ("step", "Go on", "primary"),
    ("label", "Label the pairs", "primary"),
    ("accept", "Accept", "primary"),
    ("roll_back", "Roll back", "secondary"),
    ("next", "Next round", "primary"),
    ("delete", "Delete", "secondary"),
)
WORKS = ("queued", "running")


@dataclass
class RoundsTab:
    """Components of the tab and what happens in it; everything shown is read from disk."""

    context: StudioContext
    parts: dict[str, Any] = field(default_factory=dict)
    buttons: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw the form and the list beside the chosen round."""
        parts = self.parts
        self.form = RoundForm(self.context)
        self.chosen = remembers(
            gr.BrowserState(None, storage_key="studio-round", secret="studio-round"), str
        )
        with gr.Row(elem_id="rounds", equal_height=False):
            with gr.Column(scale=1, min_width=300, elem_classes=["surface", "rounds-side"]):
                parts["beat"] = gr.HTML(
                    js_on_load=on_load("round-changes"),
                    elem_id="round-beat",
                    min_height=0,
                    padding=False,
                )
                self.form.layout()
                parts["list"] = gr.HTML(
                    views.NONE_YET, js_on_load=on_load("round-list"), elem_id="round-list"
                )
            with gr.Column(scale=3, min_width=320, elem_classes=["surface", "rounds-detail"]):
                parts["head"] = gr.HTML(
                    views.NOTHING_CHOSEN, js_on_load=on_load("round-list"), elem_id="round-head"
                )
                self.reason = gr.Textbox(
                    label="Why",
                    placeholder="What it does better or worse, in a few words",
                    max_length=LONGEST_REASON,
                    max_lines=3,
                    elem_id="round-reason",
                    visible=False,
                )
                with gr.Row(elem_classes="actions"):
                    for name, title, variant in BUTTONS:
                        self.buttons[name] = gr.Button(
                            title,
                            variant=variant,
                            size="sm",
                            min_width=0,
                            visible=False,
                            elem_id=f"round-{name.replace('_', '-')}",
                        )
                parts["figures"] = gr.HTML(elem_id="round-figures", min_height=0)

    def wire(self) -> None:
        """Connect events; what can be refused goes through the queue, which shows messages."""
        shell, parts, form = self.context.shell, self.parts, self.form
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        queued = {**quick, "queue": True, "concurrency_limit": 4}
        shown = [
            self.chosen,
            *(parts[name] for name in SHOWN),
            self.reason,
            *self.buttons.values(),
        ]
        acting = {"inputs": [self.chosen], "outputs": shown, **queued}
        parts["beat"].tick(self.open, self.chosen, shown, **LOOK_AGAIN)
        shell.tab.select(self.open, self.chosen, shown, **quick)
        shell.tab.select(form.offers, None, form.offered, **quick)
        # One after the other: the answer to the last click has to come last.
        parts["list"].click(self.pick, self.chosen, shown, **{**queued, "concurrency_limit": 1})
        # Only queued events tell the listeners of a state.
        parts["head"].click(self.to_run, None, [shell.show_run, shell.tabs], **queued)
        form.start.click(self.start, form.inputs, [form.trouble, *shown], **queued)
        stepping = {**acting, "inputs": [self.chosen, self.buttons["step"]]}
        self.buttons["step"].click(self.step, **stepping)
        self.buttons["next"].click(self.go_round, **acting)
        deciding = {**acting, "inputs": [self.chosen, self.reason], "trigger_mode": "always_last"}
        self.buttons["accept"].click(self.accept, **deciding)
        self.buttons["roll_back"].click(self.roll_back, **deciding)
        self.buttons["delete"].click(self.delete, **acting, js=hook("confirm-round-deletion"))
        labelling = hook("label-dataset", "#round-head [data-imported]")
        self.buttons["label"].click(None, None, None, js=labelling, **quick).then(
            lambda: go_to("annotate"), None, shell.tabs, **quick
        )

    def open(self, request: gr.Request, chosen: str | None) -> list[Any]:
        """Show what one sees on coming here: the chosen round, else the newest."""
        rounds = RoundStore(self.context.workspace).list()
        if not rounds or chosen in {one.round_id for one in rounds}:
            return self.show(request, chosen)
        return [rounds[0].round_id, *self.show(request, rounds[0].round_id)[1:]]

    def pick(self, event: gr.EventData, request: gr.Request, chosen: str | None) -> list[Any]:
        """Follow a click on a card."""
        clicked = text(event, "round") or chosen
        return [clicked, *self.show(request, clicked)[1:]]

    def to_run(self, event: gr.EventData) -> tuple[Any, Any]:
        """Open the run of a round."""
        run = text(event, "run")
        return (link(run), go_to("runs")) if run else (gr.skip(), gr.skip())

    def show(self, request: gr.Request | None, chosen: str | None) -> list[Any]:
        """Everything about a round; the list beside it."""
        self._refuse_others(request)
        workspace = self.context.workspace
        beat = mark(rounds_word(self.context))
        rounds = RoundStore(workspace).list()
        listed = views.round_list(rounds, chosen)
        one = next((one for one in rounds if one.round_id == chosen), None)
        hidden = [gr.update(visible=False)] * (1 + len(self.buttons))
        if one is None:
            head = views.GONE if chosen and rounds else views.NOTHING_CHOSEN
            return [gr.skip(), beat, listed, head, "", *hidden]
        try:
            view = look_at_round(workspace, one, self.context.store)
        except StudioError as error:
            return [gr.skip(), beat, listed, told(error), "", *hidden]
        dataset = _waiting(view)
        return [
            gr.skip(),
            beat,
            listed,
            views.head(view, dataset),
            views.figures(view),
            *self._buttons(view, dataset),
        ]

    def _buttons(self, view: RoundView, dataset: str) -> list[Any]:
        step = view.next
        due = step is not None and step.name == "decision"
        can_step = step is not None and not due and not dataset and step.state not in WORKS
        visible = {
            "step": can_step,
            "label": bool(dataset),
            "accept": due,
            "roll_back": due,
            "next": step is None,
            "delete": True,
        }
        titles = {"step": views.step_title(step)} if step is not None else {}
        titles["label"] = "Judge the pairs" if step and step.name == "match" else "Label the pairs"
        return [
            gr.update(visible=due),
            *(
                gr.update(visible=visible[name], value=titles.get(name, title))
                for name, title, _ in BUTTONS
            ),
        ]

    def start(self, request: gr.Request, *typed: Any) -> list[Any]:
        """Begin rounds as the form says, and show the first."""
        self._refuse_others(request)
        made, trouble = self.form.submit(self._who(request), *typed)
        if made is None:
            return [trouble, *[gr.skip()] * (2 + len(SHOWN) + len(self.buttons))]
        return ["", made.round_id, *self.show(request, made.round_id)[1:]]

    def step(self, request: gr.Request, chosen: str | None, title: str | None) -> list[Any]:
        """Take the step that the button names; what computes waits in the queue of Runs."""

        def take(round_id: str) -> None:
            workspace, store = self.context.workspace, self.context.store
            one = RoundStore(workspace).get(round_id)
            due = look_at_round(workspace, one, store).next
            if due is None or due.state in WORKS or views.step_title(due) != title:
                raise ConflictError(
                    f"{title!r} was not taken: another page or a command was first.",
                    remedy="How far the round is now stands on this page.",
                )
            steps = RoundSteps(
                self.context.workspace,
                self.context.supervisor,
                self.context.store,
                who=self._who(request),
            )
            steps.go_on(one, due.name)

        return self._act(request, chosen, take)

    def accept(self, request: gr.Request, chosen: str | None, reason: str | None) -> list[Any]:
        return self._decide(request, chosen, "accepted", reason)

    def roll_back(self, request: gr.Request, chosen: str | None, reason: str | None) -> list[Any]:
        return self._decide(request, chosen, "rolled back", reason)

    def _decide(
        self, request: gr.Request, chosen: str | None, verdict: Verdict, reason: str | None
    ) -> list[Any]:
        """Write a decision down. What is wrong is said, and nothing typed is lost."""

        def decide(round_id: str) -> None:
            workspace, store = self.context.workspace, self.context.store
            view = look_at_round(workspace, RoundStore(workspace).get(round_id), store)
            who = self._who(request)
            decide_about(workspace, view.run_id, verdict, reason or "", who, store=store)

        return self._act(request, chosen, decide)

    def go_round(self, request: gr.Request, chosen: str | None) -> list[Any]:
        """Begin the next round, and show it."""
        made: list[str] = []

        def begin(round_id: str) -> None:
            workspace, store = self.context.workspace, self.context.store
            before = RoundStore(workspace).get(round_id)
            who = self._who(request)
            made.append(next_round(workspace, before, who=who, store=store).round_id)

        shown = self._act(request, chosen, begin)
        return [made[0], *self.show(request, made[0])[1:]] if made else shown

    def delete(self, request: gr.Request, chosen: str | None) -> list[Any]:
        """Forget the round; None is what a refused confirmation sends."""
        if chosen is None:
            return [gr.skip()] * (2 + len(SHOWN) + len(self.buttons))
        rounds = RoundStore(self.context.workspace)
        return self._act(request, chosen, lambda round_id: rounds.delete(rounds.get(round_id)))

    def _act(
        self, request: gr.Request, chosen: str | None, action: Callable[[str], None]
    ) -> list[Any]:
        try:
            self._refuse_others(request)
            action(chosen or "")
        except StudioError as error:
            say(error)
        return self.show(request, chosen)

    def _who(self, request: gr.Request) -> str:
        return self.context.user(request) if self.context.accounts else ""

    def _refuse_others(self, request: gr.Request | None) -> None:
        if request is not None and not self.context.is_lead(request):
            raise InputError("Only a lead can see and take rounds.", remedy="Ask a lead.")


def _waiting(view: RoundView) -> str:
    """The dataset whose pairs people are asked about now; empty for none."""
    step = view.next
    if step is None or step.state != "waits for people":
        return ""
    if step.name == "match":
        return view.match.dataset if view.match is not None else ""
    return view.round.dataset


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    tab = RoundsTab(context)
    tab.layout()
    tab.wire()
