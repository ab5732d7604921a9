"""The check of a dataset, a panel of the Data tab: what the model sees, what is wrong, what to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr
from pydantic import ValidationError

from studio.annotation import ItemFilter
from studio.api.context import StudioContext
from studio.config.model import ImageConfig, ModelConfig
from studio.core.errors import InputError, StudioError
from studio.core.value_problems import sentence
from studio.preflight.client import Checker, Kept
from studio.preflight.report import Finding
from studio.ui.data import check_views as look
from studio.ui.events.event_data import text
from studio.ui.shared.html import say
from studio.ui.shared.page_scripts import on_load
from studio.ui.shell.navigation import link

POLL_SECONDS = 0.7
SHOWN_ROWS = 12
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class CheckLook:
    """What of a check is looked at.

    Attributes:
        finding: Id of the finding whose rows are shown; empty: the first rows of the dataset.
        image: sha256 of the image that is shown as the model sees it.
    """

    dataset: str = ""
    finding: str = ""
    image: str = ""


@dataclass
class CheckPanel:
    """Components of the panel and what happens in it.

    Attributes:
        shown_rows: Set to `link((dataset, title, item ids))` when somebody wants to see a finding's
            rows, to `link(None)` when rows have changed.
    """

    context: StudioContext
    checker: Checker
    shown_rows: gr.State
    state: gr.State = field(init=False)

    def layout(self) -> None:
        """Draw the panel, folded."""
        self.state = gr.State(CheckLook())
        self.timer = gr.Timer(POLL_SECONDS, active=False)
        with gr.Accordion("Check what a model sees", open=False, elem_id="check"):
            with gr.Row(elem_id="check-form"):
                self.dataset = gr.Dropdown(
                    [],
                    label="Dataset",
                    info="One of the library.",
                    min_width=180,
                    elem_id="check-dataset",
                )
                self.model = gr.Textbox(
                    "embedded",
                    label="Model",
                    info="A hub id, a folder, or embedded.",
                    min_width=180,
                    elem_id="check-model",
                )
                self.max_length = gr.Number(
                    None,
                    label="Maximum length",
                    info="Tokens; 0: none.",
                    precision=0,
                    minimum=0,
                    min_width=130,
                    elem_id="check-length",
                )
                self.longest_edge = gr.Number(
                    None,
                    label="Longest edge",
                    info="Pixels; 0: the model's own.",
                    precision=0,
                    minimum=0,
                    min_width=130,
                    elem_id="check-edge",
                )
                self.start_button = gr.Button(
                    "Check", variant="primary", min_width=90, scale=0, elem_id="check-start"
                )
                self.stop_button = gr.Button(
                    "Stop", visible=False, min_width=90, scale=0, elem_id="check-stop"
                )
            self.going = gr.HTML(elem_id="check-going")
            self.report = gr.HTML(js_on_load=on_load("check-report"), elem_id="check-report")
            self.strip = gr.HTML(js_on_load=on_load("check-report"), elem_id="check-strip")
            self.sight = gr.HTML(elem_id="check-sight")

    def wire(self) -> None:
        """Connect events; a check runs in the checker's own thread and child."""
        drawn = [self.state, self.report, self.strip, self.sight]
        running = [self.going, self.start_button, self.stop_button, self.timer]
        opened = {"outputs": [self.dataset, *running, *drawn], **QUICK}
        self.context.shell.tab.select(self.open, [self.state, self.dataset], **opened)
        self.dataset.change(self.choose, [self.state, self.dataset], drawn, **QUICK)
        form = [self.dataset, self.model, self.max_length, self.longest_edge]
        queued = {**QUICK, "queue": True, "concurrency_limit": 4}  # tells listeners, and people
        self.start_button.click(self.start, form, running, **queued)
        self.stop_button.click(self.stop, None, running, **QUICK)
        self.timer.tick(self.poll, [self.state, self.dataset], [*running, *drawn], **QUICK)
        self.report.click(self.act, self.state, [*drawn, self.shown_rows], **queued)
        self.strip.click(
            self.show_image,
            [self.state, self.model, self.longest_edge],
            [self.state, self.strip, self.sight],
            show_progress="minimal",
            concurrency_limit=2,
            api_visibility="private",
        )

    def open(self, state: CheckLook, dataset: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Show the datasets there are, and the last report of the chosen one."""
        self._check_lead(request)
        names = [one.name for one in self.context.store.datasets()]
        chosen = dataset if dataset in names else names[-1] if names else None
        state = state if state.dataset == chosen else CheckLook(chosen or "")
        return gr.update(choices=names, value=chosen), *self._running(), *self._drawn(state)

    def choose(self, state: CheckLook, dataset: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Show the last report of another dataset."""
        self._check_lead(request)
        return self._drawn(CheckLook(dataset or ""))

    def start(
        self,
        dataset: str | None,
        model: str,
        max_length: float | None,
        longest_edge: float | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """Begin a check; what was typed stays."""
        try:
            self._check_lead(request)
            if not dataset:
                raise InputError("There is no dataset to check.", remedy="Import one first.")
            length = int(max_length) if max_length else None
            self.checker.start(dataset, model_of(model, longest_edge), length)
        except StudioError as error:
            say(error)
        return self._running()

    def stop(self, request: gr.Request) -> tuple[Any, ...]:
        """End the check that runs."""
        self._check_lead(request)
        self.checker.stop()
        return self._running()

    def poll(self, state: CheckLook, dataset: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Show how the check goes; its report once it has ended."""
        self._check_lead(request)
        status = self.checker.status
        if status.state == "checking":
            return *self._running(), *(gr.skip(),) * 4
        return *self._running(), *self._drawn(CheckLook(dataset or state.dataset))

    def act(self, state: CheckLook, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Show a finding's rows, exclude them, or let them in again."""
        self._check_lead(request)
        action, name = text(event, "action"), text(event, "finding")
        finding = self._finding(state.dataset, name)
        if finding is None or action not in ("show", "exclude", "include"):
            return (gr.skip(),) * 5
        if action == "show":
            shown = link((state.dataset, title_of(name), self._rows(state.dataset, finding)))
            return *self._drawn(replace(state, finding=name, image="")), shown
        try:
            self._mark(action, state.dataset, finding, request)
        except StudioError as error:
            say(error)
        return *self._drawn(state), link(None)

    def _mark(self, action: str, dataset: str, finding: Finding, request: gr.Request) -> None:
        """Exclude or include the rows of a finding; the team's log tells who did."""
        changed = self.context.store.exclude(finding.rows, action == "exclude")
        who, details = self.context.user(request), {"rows": changed, "finding": finding.id}
        self.context.store.team.note(who, f"{action} rows", dataset, details)

    def show_image(
        self,
        state: CheckLook,
        model: str,
        longest_edge: float | None,
        event: gr.EventData,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """One image as the model gets it."""
        self._check_lead(request)
        image = text(event, "image")
        kept = self.checker.kept(state.dataset)
        try:
            seen_by = kept.model if kept else model_of(model, longest_edge)
            shown = self.checker.show(image, seen_by)
        except StudioError as error:
            say(error)
            return (gr.skip(),) * 3
        state = replace(state, image=image)
        return state, self._strip(state, kept), look.sight(shown, image, seen_by.id)

    def _running(self) -> tuple[Any, ...]:
        status = self.checker.status
        checking = status.state == "checking"
        return (
            look.going(status),
            gr.update(visible=not checking),
            gr.update(visible=checking),
            gr.Timer(active=checking),
        )

    def _drawn(self, state: CheckLook) -> tuple[Any, ...]:
        kept = self.checker.kept(state.dataset) if state.dataset else None
        if kept is None:
            return state, look.NOT_YET if state.dataset else "", "", ""
        store = self.context.store
        out = set(store.ids(ItemFilter(dataset=state.dataset, excluded=True)))
        excluded = {one.id: len(out.intersection(one.rows)) for one in kept.report.findings}
        rows_now = store.count(ItemFilter(dataset=state.dataset, excluded=False))
        drawn = look.report(kept, look.Exclusions(excluded), state.finding, rows_now)
        return state, drawn, self._strip(state, kept), gr.skip() if state.image else ""

    def _strip(self, state: CheckLook, kept: Kept | None) -> str:
        finding = (
            next((f for f in kept.report.findings if f.id == state.finding), None) if kept else None
        )
        where, title = ItemFilter(dataset=state.dataset), "The first rows"
        if finding:
            title = title_of(finding.id)
        if finding and finding.rows:
            first = tuple(finding.rows[: 4 * SHOWN_ROWS])  # some may be in the bin
            where = ItemFilter(ids=first)
        items = self.context.store.browse(where, limit=SHOWN_ROWS)
        return look.strip(items, state.image, title)

    def _rows(self, dataset: str, finding: Finding) -> tuple[int, ...]:
        """The rows of a finding; all that are checked when it is about the data as a whole."""
        where = ItemFilter(dataset=dataset, excluded=False)
        return tuple(finding.rows or self.context.store.ids(where))

    def _finding(self, dataset: str, name: str) -> Finding | None:
        kept = self.checker.kept(dataset)
        return next((f for f in kept.report.findings if f.id == name), None) if kept else None

    def _check_lead(self, request: gr.Request | None) -> None:
        if request is not None and not self.context.is_lead(request):
            raise InputError("Only leads see the data.", remedy="Open Annotate.")


def title_of(finding: str) -> str:
    """`near_duplicates` → `Near duplicates`."""
    return finding.replace("_", " ").capitalize()


def model_of(name: str, longest_edge: float | None = None) -> ModelConfig:
    """The model to check with; no longest edge, or 0, is the model's own. Raises InputError."""
    try:
        return ModelConfig(
            id=name.strip(), image=ImageConfig(longest_edge=int(longest_edge or 0) or None)
        )
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["loc"][0] != "id":
            raise InputError(
                f"A longest edge of {int(longest_edge or 0):,} pixels cannot be used.",
                remedy="Use 32 to 8,192, or leave it empty.",
                field="model.image.longest_edge",
            ) from None
        said = sentence("The model", problem) if name.strip() else "No model is given."
        raise InputError(
            said, remedy='Give a hub id, a folder, or "embedded".', field="model.id"
        ) from None


def build_check_panel(context: StudioContext, shown_rows: gr.State) -> CheckPanel:
    """Draw the panel where it is called, and connect it.

    Args:
        context: With the shell of the tab it is in.
        shown_rows: See `CheckPanel`; the tab listens to its `change`.
    """
    panel = CheckPanel(context, Checker(context.workspace), shown_rows)
    panel.layout()
    panel.wire()
    return panel
