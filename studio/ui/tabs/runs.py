"""Runs: the list, and the chosen run with its progress, curves, log, settings and actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.runs.curves import tail
from studio.ui.context import StudioContext, go_to, link
from studio.ui.runs_state import RunReader, RunSummary
from studio.ui.runs_views import curves, head, run_list
from studio.ui.views import code, empty, say

POLL_SECONDS = 1.5
PICK = (
    "element.addEventListener('click', event => {"
    " const card = event.target.closest('[data-run]');"
    " if (card) trigger('click', {run: card.dataset.run}); });"
)
CONFIRM_DELETE = (
    "run => confirm('Delete this run with its adapter, checkpoints and log?') ? run : null"
)
NOTHING_CHOSEN = empty("Choose a run", "Its progress, curves and log are shown here.")


@dataclass
class RunsTab:
    """Components of the tab and what happens in it; everything shown is read from disk."""

    context: StudioContext
    reader: RunReader
    chosen: gr.BrowserState = field(init=False)
    seen: gr.State = field(init=False)
    list: gr.HTML = field(init=False)
    head: gr.HTML = field(init=False)
    curves: gr.HTML = field(init=False)
    log: gr.HTML = field(init=False)
    settings: gr.HTML = field(init=False)
    detail: gr.Column = field(init=False)
    buttons: dict[str, gr.Button] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw the two columns."""
        self.chosen = gr.BrowserState(None, storage_key="studio-run", secret="studio-run")
        self.seen = gr.State("")
        with gr.Row(elem_id="runs", equal_height=False):
            with gr.Column(scale=1, min_width=260, elem_classes=["surface", "runs-side"]):
                self.list = gr.HTML(run_list([], None), js_on_load=PICK, elem_id="run-list")
            with gr.Column(scale=3, min_width=320, elem_classes=["surface", "runs-detail"]):
                self.head = gr.HTML(NOTHING_CHOSEN, elem_id="run-head")
                with gr.Column(visible=False) as self.detail:
                    self._actions()
                    self.curves = gr.HTML(elem_id="run-curves")
                    with gr.Accordion("Log", open=False):
                        self.log = gr.HTML(elem_id="run-log", autoscroll=False)
                    with gr.Accordion("Settings", open=False):
                        self.settings = gr.HTML(elem_id="run-settings")

    def _actions(self) -> None:
        with gr.Row(elem_classes="actions"):
            for name, title, variant in (
                ("chat", "Chat with it", "primary"),
                ("stop", "Stop and save", "secondary"),
                ("stop_now", "Stop now", "secondary"),
                ("resume", "Resume", "secondary"),
                ("clone", "Clone into Train", "secondary"),
                ("delete", "Delete", "secondary"),
            ):
                self.buttons[name] = gr.Button(
                    title, variant=variant, size="sm", min_width=0, elem_id=f"run-{name}"
                )

    def wire(self) -> None:
        """Connect events; all are quick reads or one-file writes, so none goes through the queue."""
        shell, quick = (
            self.context.shell,
            {"queue": False, "show_progress": "hidden", "api_visibility": "private"},
        )
        shown = [self.chosen, self.seen, self.list, self.head, self.detail, self.curves, self.log]
        shown += [self.settings, *self.buttons.values()]
        now = {"inputs": [self.chosen], "outputs": shown, **quick}
        gr.Timer(POLL_SECONDS).tick(self.poll, [self.chosen, self.seen], shown, **quick)
        shell.page.load(self.open, **now)
        shell.tab.select(self.open, **now)
        self.list.click(self.pick, None, shown, **quick)
        shell.show_run.change(self.follow, shell.show_run, shown, **quick)
        for name, action in (("stop", self.stop), ("stop_now", self.stop_now)):
            self.buttons[name].click(action, **now)
        self.buttons["resume"].click(self.resume, **now)
        self.buttons["delete"].click(self.delete, **now, js=CONFIRM_DELETE)
        queued = {**quick, "queue": True}  # only these tell the listeners of a state
        for name, target, place in (
            ("clone", shell.clone_run, "train"),
            ("chat", shell.chat_with, "chat"),
        ):
            self.buttons[name].click(link, self.chosen, target, **queued).then(
                _to(place), None, shell.tabs, **quick
            )

    def show(self, run_id: str | None) -> tuple[Any, ...]:
        """Everything about the run, whatever is on the page now."""
        return self.poll(run_id, "")

    def open(self, run_id: str | None) -> tuple[Any, ...]:
        """What one sees on coming here: the chosen run, else the newest."""
        runs = self.reader.list()
        if runs and run_id not in {item.run.run_id for item in runs}:
            return self._choose(runs[0].run.run_id)
        return self.show(run_id)

    def follow(self, target: tuple[str, int] | None) -> tuple[Any, ...]:
        """The run a link of another tab points at."""
        return self._choose(target[0] if target else None)

    def pick(self, event: gr.EventData) -> tuple[Any, ...]:
        """The run whose card was clicked."""
        return self._choose(str(event._data.get("run", "")))

    def _choose(self, run_id: str | None) -> tuple[Any, ...]:
        return run_id, *self.show(run_id)[1:]

    def poll(self, run_id: str | None, seen: str) -> tuple[Any, ...]:
        """What changed on disk since `seen`; nothing when nothing did.

        The choice itself is never written here: an answer on its way when another run is chosen
        must not undo that, and the next poll paints over it.
        """
        runs = self.reader.list()
        chosen = next((item for item in runs if item.run.run_id == run_id), None)
        version = "|".join(item.version for item in runs) + f"|{run_id}"
        if version == seen:
            return (gr.skip(),) * (8 + len(self.buttons))
        listed = run_list(runs, run_id)
        if chosen is None:
            blank = (gr.update(visible=False), *(gr.skip(),) * (3 + len(self.buttons)))
            return gr.skip(), version, listed, NOTHING_CHOSEN, *blank
        return (
            gr.skip(),
            version,
            listed,
            head(chosen),
            gr.update(visible=True),
            curves(chosen),
            code(tail(chosen.run.paths.log) or "Nothing written yet.", "Last lines of the log"),
            code(chosen.run.paths.config.read_text(encoding="utf-8"), "Settings"),
            *self._button_updates(chosen),
        )

    def _button_updates(self, summary: RunSummary) -> list[Any]:
        state, run = summary.run.status.state, summary.run
        going = state in ("queued", "starting", "running")
        visible = {
            "chat": run.has_adapter,
            "stop": going and state != "queued",
            "stop_now": going or state == "stopping",
            "resume": state in ("stopped", "failed"),
            "clone": summary.config is not None,
            "delete": not (run.status.active or state == "queued"),
        }
        updates = []
        for name in self.buttons:
            change: dict[str, Any] = {"visible": visible[name]}
            if name == "stop_now":
                change["value"] = "Take off the queue" if state == "queued" else "Stop now"
            updates.append(gr.update(**change))
        return updates

    def stop(self, run_id: str) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.stop, run_id)

    def stop_now(self, run_id: str) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.stop, run_id, True)

    def resume(self, run_id: str) -> tuple[Any, ...]:
        return self._act(self.context.supervisor.resume, run_id)

    def delete(self, run_id: str | None) -> tuple[Any, ...]:
        """Remove the run; None is what a refused confirmation sends."""
        if run_id is None:
            return (gr.skip(),) * (8 + len(self.buttons))
        return self._act(self.context.runs.delete, run_id)

    def _act(self, action: Any, run_id: str, *arguments: Any) -> tuple[Any, ...]:
        try:
            action(run_id, *arguments)
        except StudioError as error:
            say(error)
        return self.show(run_id)


def _to(place: str) -> Any:
    def open_tab() -> Any:
        return go_to(place)

    return open_tab


def build(context: StudioContext) -> None:
    """Draw the tab and connect it."""
    tab = RunsTab(context, RunReader(context.runs))
    tab.layout()
    tab.wire()
