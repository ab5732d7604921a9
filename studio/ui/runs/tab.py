"""Runs: the list, and the chosen run with its progress, curves, log, settings and actions."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import InputError, NotFoundError, StudioError
from studio.runs import queue
from studio.runs.decisions import Verdict, latest
from studio.ui.events.event_data import number, text
from studio.ui.events.field_values import remembers
from studio.ui.runs.actions import ACTIONS, updates
from studio.ui.runs.curves import MOST_COMPARED, curves
from studio.ui.runs.decision_card import DecisionPanel, card
from studio.ui.runs.other_machines import elsewhere
from studio.ui.runs.page_cache import curves_word
from studio.ui.runs.run_header import head
from studio.ui.runs.state import RunReader, RunSummary, comparable, epochs_of, turn
from studio.ui.runs.views import (
    checkpoint_list,
    exports,
    health,
    log,
    longer_note,
    probes,
    run_list,
    settings,
)
from studio.ui.shared.html import LOADING, empty, say
from studio.ui.shared.line_charts import ChartLook
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.shared.unchanged_parts import ShownParts, carry, word_of
from studio.ui.shell.change_notification import LOOK_AGAIN, mark, pulse
from studio.ui.shell.navigation import NEXT, go_to, link

SMOOTHING = 0.6
NOTHING_CHOSEN = empty("Choose a run", "Its progress, curves and log are shown here.")
OPENING = empty("Opening the run", "Its progress, curves and log follow.")
GONE = empty("This run was deleted", "Choose another one in the list.")
# No container is among them: Gradio's page goes through all that is in it, several times an event.
SHOWN = (
    *("beat", "list", "head", "health", "compare", "curves", "exports", "probes", "checkpoints"),
    *("longer_note", "elsewhere", "log", "settings", "decision"),
)

Link = tuple[str, int]
"""A run, and the stamp that tells one link to it from another."""


@dataclass
class RunsTab:
    """Components of the tab and what happens in it; everything shown is read from disk."""

    context: StudioContext
    reader: RunReader
    parts: dict[str, Any] = field(default_factory=dict)
    buttons: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw the two columns."""
        parts = self.parts
        self.chosen = remembers(
            gr.BrowserState(None, storage_key="studio-run", secret="studio-run"), str
        )
        self.seen = gr.Textbox("", visible=False)
        self.followed = gr.Textbox("", visible="hidden")
        with gr.Row(elem_id="runs", equal_height=False):
            with gr.Column(scale=1, min_width=260, elem_classes=["surface", "runs-side"]):
                parts["beat"] = gr.HTML(
                    js_on_load=on_load("run-changes"),
                    elem_id="run-beat",
                    min_height=0,
                    padding=False,
                )
                parts["list"] = gr.HTML(LOADING, js_on_load=on_load("run-list"), elem_id="run-list")
            with gr.Column(scale=3, min_width=320, elem_classes=["surface", "runs-detail"]):
                parts["head"] = gr.HTML(
                    LOADING, js_on_load=on_load("evaluation-link"), elem_id="run-head"
                )
                with gr.Column(elem_id="run-detail"):
                    self._actions()
                    parts["health"] = gr.HTML(elem_id="run-health", min_height=0)
                    self.decision = DecisionPanel(self.context)
                    parts["decision"] = self.decision.layout()
                    self._curves()
                    self._folded()

    def _actions(self) -> None:
        with gr.Row(elem_classes="actions"):
            for name, title, variant in ACTIONS:
                self.buttons[name] = gr.Button(
                    title, variant=variant, size="sm", min_width=0, elem_id=f"run-{name}"
                )

    def _curves(self) -> None:
        with gr.Row(elem_classes="curve-tools", equal_height=True):
            self.parts["compare"] = gr.Dropdown(
                [],
                label="Compare with",
                multiselect=True,
                max_choices=MOST_COMPARED,
                elem_id="run-compare",
                scale=3,
                min_width=220,
            )
            self.smoothing = gr.Slider(
                0, 0.95, SMOOTHING, step=0.05, label="Smoothing", elem_id="run-smoothing",
                min_width=140, buttons=[],
            )  # fmt: skip
            self.log_scale = gr.Checkbox(
                False, label="Log scale", elem_id="run-log-scale", container=False, min_width=100
            )
            self.parts["exports"] = gr.HTML(elem_id="run-exports", min_height=0)
        self.parts["curves"] = gr.HTML(elem_id="run-curves")

    def _folded(self) -> None:
        parts = self.parts
        with gr.Accordion("Probes: the same questions, step by step", open=False):
            parts["probes"] = gr.HTML(elem_id="run-probes")
        with gr.Accordion("Checkpoints: go back, or train longer", open=False):
            parts["checkpoints"] = gr.HTML(
                js_on_load=on_load("checkpoints"), elem_id="run-checkpoints"
            )
            with gr.Row(elem_classes=["actions", "longer"]):
                self.epochs = gr.Textbox(
                    label="Epochs in all", max_lines=1, elem_id="run-epochs", scale=0, min_width=140
                )
                self.extend_button = gr.Button(
                    "Train longer", size="sm", min_width=0, elem_id="run-extend", scale=0
                )
            parts["longer_note"] = gr.HTML(elem_id="run-longer-note", min_height=0)
        with gr.Accordion("Elsewhere: SLURM, Hugging Face Jobs", open=False):
            parts["elsewhere"] = gr.HTML(elem_id="run-elsewhere")
        with gr.Accordion("Log", open=False):
            parts["log"] = gr.HTML(elem_id="run-log", autoscroll=False)
        with gr.Accordion("Settings", open=False):
            parts["settings"] = gr.HTML(elem_id="run-settings")

    def wire(self) -> None:
        """Connect events; reads are quick and pass the queue by, what can be refused goes through it.

        Gradio shows messages of queued events alone, and only those tell listeners of a state. It
        must not check values (`preprocess`): of a page that was open while the studio was restarted
        it knows no choices, and would refuse every question about runs that are compared.
        """
        shell, parts = self.context.shell, self.parts
        shown = [self.chosen, *(self.parts[n] for n in SHOWN), *self.buttons.values()]
        looks = [self.parts["compare"], self.smoothing, self.log_scale]
        quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        quick["preprocess"] = False
        queued = {**quick, "queue": True, "concurrency_limit": 4}
        now = {"inputs": [self.chosen, *looks], "outputs": shown, **quick}
        refusable = {**now, **queued}
        seen = [self.chosen, self.seen, *looks, shell.show_run, self.followed]
        asking = {"js": hook("what-is-shown"), "preprocess": False, **LOOK_AGAIN}
        parts["beat"].tick(self.look, seen, shown, **asking)
        links = [shell.show_run, self.followed]
        arriving = {**now, "inputs": [self.chosen, *looks, *links]}
        shell.tab.select(self.arrive, **arriving, js=hook("with-recalled-look"))
        # One after the other: the answer to the last click has to come last.
        self.parts["list"].click(
            self.pick, [self.chosen, *looks], shown, **{**queued, "concurrency_limit": 1}
        )
        self.parts["checkpoints"].click(self.go_back, **refusable)
        self.parts["compare"].input(self.show, **now)
        for part in (self.smoothing, self.log_scale):
            part.input(self.show, **now, js=hook("with-kept-look"), trigger_mode="always_last")
        recall = hook("recall-look", SMOOTHING, False)
        shell.page.load(None, None, [self.smoothing, self.log_scale], js=recall, **quick)
        blank = hook("return-first", OPENING)  # until the answer is here: not the run before
        shell.show_run.change(None, None, parts["head"], js=blank, **quick)
        following = [*shown, self.followed]
        shell.show_run.change(self.follow, [shell.show_run, *looks], following, **quick)
        for name in ("save", "stop", "stop_now", "resume", "push"):
            self.buttons[name].click(getattr(self, name), **refusable)
        self.buttons["delete"].click(self.delete, **refusable, js=hook("confirm-run-deletion"))
        self.epochs.input(self.foretell, [self.chosen, self.epochs], parts["longer_note"], **quick)
        self.extend_button.click(self.extend, [self.chosen, self.epochs, *looks], shown, **queued)
        deciding = {**queued, "inputs": [self.chosen, self.decision.reason, *looks]}
        # A refusal is on the page before the run is drawn again: what is typed then is asked anew.
        deciding["trigger_mode"] = "always_last"
        for name in ("accept", "roll_back"):
            self.decision.buttons[name].click(
                getattr(self, name), outputs=[*shown, self.decision.reason], **deciding
            )
        self._wire_links(quick, queued)

    def _wire_links(self, quick: dict[str, Any], queued: dict[str, Any]) -> None:
        shell = self.context.shell
        self.parts["head"].click(_to("evaluate"), None, shell.tabs, **quick)
        for name, target, place in (
            ("clone", shell.clone_run, "train"),
            ("chat", shell.chat_with, "chat"),
        ):
            self.buttons[name].click(link, self.chosen, target, **queued).then(
                _to(place), None, shell.tabs, **quick
            )
        self.decision.buttons["next_round"].click(
            lambda run_id: link((run_id, NEXT)), self.chosen, shell.clone_run, **queued
        ).then(_to("train"), None, shell.tabs, **quick)

    def show(self, run_id: str | None, *looks: Any) -> tuple[Any, ...]:
        """Everything about the run, whatever is on the page now."""
        return self.poll(run_id, "", *looks)

    def open(self, run_id: str | None, *looks: Any) -> tuple[Any, ...]:
        """Show what one sees on coming here: the chosen run, else the newest."""
        runs = self.reader.list()
        if runs and run_id not in {item.run.run_id for item in runs}:
            return self._choose(runs[0].run.run_id, looks)
        return self.show(run_id, *looks)

    def look(
        self,
        run_id: str | None,
        seen: str,
        compare: list[str] | None = None,
        smoothing: float = SMOOTHING,
        log_scale: bool = False,
        target: Link | None = None,
        followed: str = "",
    ) -> tuple[Any, ...]:
        """Show what is not as `seen` by the page; all of it on one that was just opened."""
        if _under_way(target, followed):
            return (gr.skip(),) * self._width
        opened, looks = ShownParts(seen).words, (compare, smoothing, log_scale)
        return self.poll(run_id, seen, *looks) if opened else self.open(run_id, *looks)

    def arrive(
        self,
        run_id: str | None,
        compare: list[str] | None,
        smoothing: float,
        log_scale: bool,
        target: Link | None,
        followed: str,
    ) -> tuple[Any, ...]:
        """What one sees on opening the tab: the run of a link that is still being followed first.

        `follow` and this are asked at once, and answer in any order.
        """
        looks = (compare, smoothing, log_scale)
        if target and _under_way(target, followed):
            return self._choose(target[0], looks)
        return self.open(run_id, *looks)

    def follow(self, target: Link | None, *looks: Any) -> tuple[Any, ...]:
        """Show the run a link of another tab points at, and the link's stamp as followed."""
        stamp = str(target[1]) if target else ""
        return *self._choose(target[0] if target else None, looks), stamp

    def pick(self, event: gr.EventData, run_id: str | None, *looks: Any) -> tuple[Any, ...]:
        """Follow a click on a card, or on a button of the queue."""
        clicked, act = text(event, "run"), text(event, "act")
        supervisor = self.context.supervisor
        if act in ("pause", "go"):
            return self._act(supervisor.pause, run_id, looks, act == "pause", of_run=False)
        if act in ("up", "down"):
            by = -1 if act == "up" else 1
            return self._act(lambda _: supervisor.move(clicked, by), run_id, looks)
        return self._choose(clicked, looks)

    def _choose(self, run_id: str | None, looks: tuple[Any, ...]) -> tuple[Any, ...]:
        return run_id, *self.show(run_id, *looks)[1:]

    def poll(
        self,
        run_id: str | None,
        seen: str,
        compare: list[str] | None = None,
        smoothing: float = SMOOTHING,
        log_scale: bool = False,
    ) -> tuple[Any, ...]:
        """Show what is on disk and not yet on the page; nothing when it shows all there is.

        The choice itself is never written here: an answer on its way when another run is chosen
        must not undo that, and the next poll paints over it.

        Args:
            seen: The words the page carries; see `studio.ui.shared.unchanged_parts`.
        """
        runs, there = self.reader.list(), ShownParts(seen)
        word = pulse(self.context, runs)
        paused = queue.is_paused(self.context.workspace)
        chosen = next((item for item in runs if item.run.run_id == run_id), None)
        others = [item for item in runs if item.run.run_id in (compare or []) and item != chosen]
        look = ChartLook(smoothing, log_scale)
        page = word_of(word, run_id, look, [item.run.run_id for item in others])
        if there.has("beat", page):
            return (gr.skip(),) * self._width
        listed = there.part("list", run_list(runs, run_id, paused))
        if chosen is None:
            rest = (gr.skip(),) * (self._width - 4)
            head_ = GONE if run_id else NOTHING_CHOSEN
            return gr.skip(), carry("beat", page) + mark(word), listed, head_, *rest
        drawn, late = curves_word(there, chosen, others, look)
        if late:  # asked for again at the next beat
            page = word = ""
        fresh = not there.has("curves", drawn)
        return (
            gr.skip(),
            carry("beat", page) + mark(word),
            listed,
            *self._top(there, chosen, runs, compare, turn(chosen, runs, paused)),
            carry("curves", drawn) + curves(chosen, others, look) if fresh else gr.skip(),
            there.part("exports", exports(chosen, others)),
            there.part("probes", probes(chosen.diary)),
            there.part("checkpoints", checkpoint_list(chosen)),
            there.part("longer_note", longer_note(chosen)),
            there.part("elsewhere", elsewhere(chosen)),
            there.part("log", log(chosen)),
            there.part("settings", settings(chosen)),
            there.part("decision", card(chosen, self.context)),
            *_buttons(there, chosen),
        )

    def _top(
        self,
        there: ShownParts,
        chosen: RunSummary,
        runs: list[RunSummary],
        compare: list[str] | None,
        turn_: str,
    ) -> tuple[Any, Any, Any]:
        """Head, health and what to compare with; the head carries the words of what is no HTML."""
        choices = comparable(runs, chosen)
        carried = carry("compare", word_of(choices)) + carry("buttons", word_of(updates(chosen)))
        beside = gr.skip() if there.has("compare", word_of(choices)) else gr.update(choices=choices)
        left = [run_id for run_id in compare or [] if run_id in {value for _, value in choices}]
        if left != (compare or []):  # a run was deleted, or is the chosen one now
            beside = gr.update(choices=choices, value=left)
        decided = latest(self.context.workspace, chosen.run.run_id)
        return (
            there.part("head", carried + head(chosen, turn_, decided)),
            there.part("health", health(chosen.diary)),
            beside,
        )

    @property
    def _width(self) -> int:
        return 1 + len(SHOWN) + len(self.buttons)

    def save(self, run_id: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.save_now, run_id, looks)

    def stop(self, run_id: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.stop, run_id, looks)

    def stop_now(self, run_id: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.stop, run_id, looks, True)

    def resume(self, run_id: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.resume, run_id, looks)

    def push(self, run_id: str, *looks: Any) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.push, run_id, looks)

    def go_back(self, event: gr.EventData, run_id: str, *looks: Any) -> tuple[Any, ...]:
        """Resume from the checkpoint whose button was clicked, or take its weights."""
        supervisor = self.context.supervisor
        use, step = number(event, "use"), number(event, "step")
        if use is not None:
            return self._act(supervisor.use_checkpoint, run_id, looks, use)
        if step is not None:
            return self._act(supervisor.resume, run_id, looks, step)
        return (gr.skip(),) * self._width

    def extend(self, run_id: str, epochs: str, *looks: Any) -> tuple[Any, ...]:
        """Train an ended run for more epochs."""
        try:
            wanted = epochs_of(epochs)
        except InputError as error:
            say(error)
            return (gr.skip(),) * self._width
        return self._act(self.context.supervisor.extend, run_id, looks, wanted)

    def foretell(self, run_id: str | None, epochs: str) -> str:
        """Show what so many epochs would do to the learning rate, said before it is decided."""
        chosen = self.reader.get(run_id)
        if chosen is None:
            return ""
        try:
            return longer_note(chosen, epochs_of(epochs))
        except InputError as error:
            return longer_note(chosen, trouble=str(error) if (epochs or "").strip() else "")

    def accept(self, request: gr.Request, run_id: str, reason: str, *looks: Any) -> tuple[Any, ...]:
        return self._decide("accepted", request, run_id, reason, looks)

    def roll_back(
        self, request: gr.Request, run_id: str, reason: str, *looks: Any
    ) -> tuple[Any, ...]:
        return self._decide("rolled back", request, run_id, reason, looks)

    def _decide(
        self,
        verdict: Verdict,
        request: gr.Request,
        run_id: str,
        reason: str,
        looks: tuple[Any, ...],
    ) -> tuple[Any, ...]:
        """Keep a decision; the reason stays in its field when that is refused."""
        done = self.decision.decide(run_id, verdict, reason, request)
        return *self.show(run_id, *looks), "" if done else gr.skip()

    def delete(self, run_id: str | None, *looks: Any) -> tuple[Any, ...]:
        """Remove the run; None is what a refused confirmation sends."""
        if run_id is None:
            return (gr.skip(),) * self._width
        return self._act(self._delete, run_id, looks)

    def _delete(self, run_id: str) -> None:
        with contextlib.suppress(NotFoundError):  # another page was quicker
            self.context.runs.delete(run_id)

    def _act(
        self, action: Any, run_id: str | None, looks: tuple[Any, ...], *arguments: Any, of_run=True
    ) -> tuple[Any, ...]:
        try:
            action(*((run_id,) if of_run else ()), *arguments)
        except StudioError as error:
            say(error)
        return self.show(run_id, *looks)


def _buttons(there: ShownParts, chosen: RunSummary) -> list[Any]:
    changed = updates(chosen)
    return [gr.skip()] * len(changed) if there.has("buttons", word_of(changed)) else changed


def _to(place: str) -> Any:
    def open_tab() -> Any:
        return go_to(place)

    return open_tab


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    tab = RunsTab(context, RunReader(context.runs))
    tab.layout()
    tab.wire()


def _under_way(target: Link | None, followed: str) -> bool:
    """Whether the page has not yet the run that a link points at: what it calls chosen is old."""
    return target is not None and str(target[1]) != followed
