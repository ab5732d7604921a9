"""Team: the lead's figures, pairs to decide, the project's settings and guidelines, the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.annotation.settings import ProjectSettings
from studio.errors import InputError, StudioError
from studio.ui import team_views
from studio.ui.context import StudioContext
from studio.ui.team_state import Draft, FormState
from studio.ui.views import empty, notice, told

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
WAITING = QUIET | {"show_progress": "minimal"}
ROOT = '<div class="annotate tm-root" data-team></div>'
ATTACH = "window.StudioTeam.attach(element.querySelector('[data-team]'))"
CHOOSE = "(dataset) => { window.StudioTeam.choose(dataset); }"
NUMBERS = ("overlap", "skip_limit", "qualification")
SHARES = ("repeat_share", "gold_share", "qualification_pass")
FLAGS = ("gold_feedback", "markdown", "show_authors")
FIELDS = (*NUMBERS, *SHARES, *FLAGS, "aspects")
LINES, MOST_LINES = 200, 10_000
UNSAVED = "Not saved yet: what you typed before. Save it, or reload the page to drop it."


def build(context: StudioContext) -> None:
    """Lay out the tab inside the current `gr.Blocks`."""
    actions = Actions(context)
    with gr.Row():
        dataset = gr.Dropdown([], label="Dataset", elem_id="team-dataset", scale=2)
        refresh = gr.Button("Refresh", min_width=110, scale=0, elem_id="team-refresh")
    with gr.Tabs():
        with gr.Tab("Figures"):
            shown = gr.HTML(elem_id="team-figures")
        with gr.Tab("Decide", elem_id="team-decide"):
            gr.HTML(ROOT, js_on_load=ATTACH, apply_default_css=False)
        with gr.Tab("Project", elem_id="team-project"):
            fields, guidelines, seen, save, message = _project_form()
            name, clear = _clear_form()
        with gr.Tab("Log"):
            with gr.Row():
                who = gr.Textbox(label="Of one person", placeholder="everybody", max_length=200)
                lines = gr.Number(LINES, label="Lines", precision=0, minimum=1, maximum=MOST_LINES)
            log = gr.HTML(elem_id="team-log")
    typed = gr.State(FormState())
    form = [dataset, typed, guidelines, seen, *fields]
    everything = [shown, log, *fields, guidelines, seen, message, typed]
    for opening in (context.shell.tab.select, refresh.click):
        opening(actions.choices, dataset, dataset, **QUIET).then(
            actions.open, form, everything, **WAITING
        )
    dataset.input(actions.open, form, everything, **WAITING)
    dataset.change(None, dataset, js=CHOOSE)
    save.click(actions.keep, form, [message, seen, typed], **QUIET)
    clear.click(actions.clear, name, message, **QUIET)
    for narrowing in (who.submit, who.blur, lines.change):
        narrowing(actions.log, [dataset, who, lines], log, **QUIET)


def _project_form() -> tuple:
    described = ProjectSettings.model_fields
    fields = []
    with gr.Row():
        for name in NUMBERS:
            fields.append(gr.Number(label=_label(name), info=described[name].description, precision=0))  # fmt: skip
    with gr.Row():
        for name in SHARES:
            info = described[name].description
            fields.append(gr.Slider(0, 1, step=0.01, label=_label(name), info=info))
    with gr.Row():
        for name in FLAGS:
            info = described[name].description
            fields.append(gr.Checkbox(label=_label(name), info=info, min_width=220))
        about = "Judged besides the choice; commas between."
        fields.append(gr.Textbox(label="Aspects", info=about, min_width=240))
    guidelines = gr.Textbox(label="Guidelines (Markdown)", lines=4, max_lines=24, max_length=60_000)
    seen = gr.State(0)
    message = gr.HTML()
    save = gr.Button("Save", variant="primary", elem_id="team-save")
    return fields, guidelines, seen, save, message


def _clear_form() -> tuple:
    with gr.Row():
        name = gr.Textbox(label="Annotator", info="Let somebody on who failed the qualification.")
        clear = gr.Button("Let them label", min_width=150, scale=0, elem_id="team-clear")
    return name, clear


@dataclass(frozen=True)
class Actions:
    """What the tab's events do; all of it for leads only."""

    context: StudioContext

    def choices(self, chosen: str | None, request: gr.Request) -> Any:
        if not self.context.is_lead(request):
            return gr.Dropdown([], value=None)
        names = [found.name for found in self.context.store.datasets() if found.pairs]
        return gr.Dropdown(names, value=chosen if chosen in names else next(iter(names), None))

    def show(self, dataset: str | None, request: gr.Request) -> tuple:
        """Values for (figures, log, fields…, guidelines, seen, message)."""
        try:
            self._lead(request)
            return self._shown(dataset)
        except StudioError as error:
            said = told(error)
            return said, said, *[gr.skip()] * (len(FIELDS) + 2), said

    def _shown(self, dataset: str | None) -> tuple:
        team = self.context.store.team
        if not dataset:
            text = "Import rows with two answers each in Data; then ask people to compare them."
            nothing = empty("No pairs yet", text)
            return nothing, nothing, *[gr.skip()] * (len(FIELDS) + 2), ""
        stored, waiting = self._stored(dataset), team.queue_sizes(dataset)
        return (
            team_views.figures(
                team.quality(dataset),
                team.standings(dataset),
                sum(number for why, number in waiting.items() if why != "decided"),
            ),
            team_views.log(team.log(dataset=dataset)),
            *stored.values,
            stored.seen,
            "",
        )

    def _stored(self, dataset: str) -> Draft:
        """What the form shows of a dataset: (fields…, guidelines) and their version."""
        team = self.context.store.team
        settings, guidelines = team.settings(dataset), team.guidelines(dataset)
        values = (getattr(settings, name) for name in FIELDS[:-1])
        aspects = ", ".join(settings.aspects)
        return Draft((*values, aspects, guidelines.text), guidelines.version)

    def open(
        self,
        request: gr.Request,
        dataset: str | None,
        typed: FormState,
        guidelines: str,
        seen: int,
        *fields: Any,
    ) -> tuple:
        """`show` and the form's new state; what was typed and not saved is shown instead."""
        left = typed.left((*fields, guidelines), seen)
        figures, log, *stored, version, said = self.show(dataset, request)
        if not dataset or said:
            return figures, log, *stored, version, said, left
        state, draft, unsaved = left.show(dataset, Draft(tuple(stored), version))
        said = notice(UNSAVED, tone="warn") if unsaved else ""
        return figures, log, *draft.values, draft.seen, said, state

    def keep(
        self,
        request: gr.Request,
        dataset: str | None,
        typed: FormState,
        guidelines: str,
        seen: int,
        *fields: Any,
    ) -> tuple:
        """`save`, and the form's new state."""
        message, seen = self.save(request, dataset, guidelines, seen, *fields)
        if dataset and self.context.is_lead(request):
            typed, _, _ = typed.show(dataset, self._stored(dataset))
        return message, seen, typed

    def log(self, dataset: str | None, who: str, lines: float | None, request: gr.Request) -> str:
        """The log of one person, or of everybody."""
        try:
            self._lead(request)
        except StudioError as error:
            return told(error)
        most = max(1, min(MOST_LINES, int(lines or LINES)))
        return team_views.log(self.context.store.team.log(who.strip(), dataset or "", most))

    def save(
        self, request: gr.Request, dataset: str | None, guidelines: str, seen: int, *fields: Any
    ) -> tuple:
        """Save settings and guidelines; returns (message, version of the guidelines on show)."""
        try:
            lead = self._lead(request)
            if not dataset:
                raise InputError("There is no dataset to change.", remedy="Import one in Data.")
            values = dict(zip(FIELDS, fields, strict=True))
            values["aspects"] = (values["aspects"] or "").split(",")
            team = self.context.store.team
            changed = team.change_settings(lead, dataset, values)
            if guidelines != team.guidelines(dataset).text:
                seen = team.write_guidelines(lead, dataset, guidelines, seen).version
        except StudioError as error:
            return told(error), seen
        said = ["New answers are given under it; earlier ones stay."]
        gold = team.gold_pairs(dataset)
        if gold < changed.qualification:
            said.append(
                f"The qualification round asks for {changed.qualification} gold pairs and there "
                f"{'is 1' if gold == 1 else f'are {gold}'}: in Annotate, look back at an answer "
                "of yours and press O."
            )
        return notice(f"Saved. {said[0]}", *said[1:]), seen

    def clear(self, name: str, request: gr.Request) -> str:
        try:
            self.context.store.team.clear(self._lead(request), name.strip())
        except StudioError as error:
            return told(error)
        return notice(f"{name.strip()} may label now.")

    def _lead(self, request: gr.Request) -> str:
        if not self.context.is_lead(request):
            raise InputError("Only a lead can see and do this.", remedy="Ask the lead.")
        return self.context.user(request)


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
