"""Team: the lead's figures, pairs to decide, the project's settings and guidelines, the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.annotation.labeling.project_settings import ProjectSettings
from studio.annotation.quality.project_changes import GUIDELINES, ProjectConflict, ProjectForm
from studio.annotation.records import ItemFilter
from studio.api.context import StudioContext
from studio.core.errors import ConflictError, InputError, StudioError
from studio.ui.events.field_values import remembers
from studio.ui.shared.html import empty, notice, told
from studio.ui.shared.page_scripts import hook, on_load
from studio.ui.team import queue, views
from studio.ui.team.project_form import Draft, Drafts, Filled

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
WAITING = QUIET | {"show_progress": "minimal"}
ROOT = '<div class="annotate tm-root" data-team></div>'
NUMBERS = ("overlap", "skip_limit", "qualification")
SHARES = ("repeat_share", "gold_share", "qualification_pass")
FLAGS = ("gold_feedback", "markdown", "show_authors")
FIELDS = (*NUMBERS, *SHARES, *FLAGS, "aspects")
LINES, MOST_LINES = 200, 10_000
SAME_FORM = [gr.skip()] * (len(FIELDS) + 2)
WORKING = empty("Working out the figures…", "")
UNSAVED = "Not saved yet: what you typed before. Save it, or reload the page to drop it."


def build(context: StudioContext) -> None:
    """Lay out the tab inside the current `gr.Blocks`."""
    actions = TeamActions(context)
    with gr.Row():
        dataset = gr.Dropdown([], label="Dataset", elem_id="team-dataset", scale=2)
        refresh = gr.Button("Refresh", min_width=110, scale=0, elem_id="team-refresh")
    with gr.Tabs():
        with gr.Tab("Figures"):
            shown = gr.HTML(WORKING, elem_id="team-figures")
        with gr.Tab("Decide", elem_id="team-decide") as decide:
            flagged = gr.HTML(elem_id="team-flagged", padding=False)
            gr.HTML(ROOT, js_on_load=on_load("adjudication"), apply_default_css=False)
        with gr.Tab("Queue") as order:
            queue_parts, queue_actions = queue.build(context, dataset)
        with gr.Tab("Project", elem_id="team-project"):
            fields, guidelines, filled, save, message = _project_form()
            name, clear = _clear_form()
        with gr.Tab("Log"):
            with gr.Row():
                who = gr.Textbox(label="Of one person", placeholder="everybody", max_length=200)
                lines = gr.Number(LINES, label="Lines", minimum=1, maximum=MOST_LINES)
            log = gr.HTML(elem_id="team-log")
    drafts = gr.State(Drafts())
    last = remembers(gr.BrowserState(None, storage_key="studio-team", secret="studio-team"), str)
    form = [dataset, drafts, filled, guidelines, *fields]
    everything = [shown, log, *fields, guidelines, filled, message, drafts]
    for opening in (context.shell.tab.select, refresh.click):
        opening(actions.choices, [dataset, last], dataset, **QUIET).then(
            actions.fill, form, everything, **WAITING
        )
    for looking in (decide.select, dataset.input):
        looking(actions.flagged, dataset, flagged, **QUIET)
    for looking in (order.select, dataset.input):
        looking(queue_actions.fill, dataset, queue_parts, **QUIET)
    # The choice that comes while an earlier one is under way must not be dropped.
    dataset.input(actions.fill, form, everything, trigger_mode="always_last", **WAITING)
    dataset.change(None, dataset, js=hook("adjudicate"))
    dataset.change(None, [dataset, last], last, js=hook("return-first-given"))
    save.click(actions.save, form, [message, filled, drafts], **QUIET)
    clear.click(actions.clear, name, message, **QUIET)
    for narrowing in (who.submit, who.blur, lines.change):
        narrowing(actions.log, [dataset, who, lines], log, **QUIET)


def _project_form() -> tuple:
    described = ProjectSettings.model_fields
    fields = []
    with gr.Row():
        for name in NUMBERS:
            fields.append(gr.Number(label=_label(name), info=described[name].description))
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
    # Until its values are there: what is typed before would be overwritten by them.
    for field in (*fields, guidelines):
        field.interactive = False
    # Beside the fields, so that what they were filled with always comes along with them.
    filled = gr.Textbox(visible="hidden", max_length=10_000, elem_id="team-filled")
    message = gr.HTML()
    save = gr.Button("Save", variant="primary", elem_id="team-save")
    return fields, guidelines, filled, save, message


def _clear_form() -> tuple:
    with gr.Row():
        name = gr.Textbox(label="Annotator", info="Let somebody on who failed the qualification.")
        clear = gr.Button("Let them label", min_width=150, scale=0, elem_id="team-clear")
    return name, clear


@dataclass(frozen=True)
class TeamActions:
    """What the tab's events do; all of it for leads only."""

    context: StudioContext

    def choices(self, chosen: str | None, last: str | None, request: gr.Request) -> Any:
        """The datasets with pairs; the one chosen stays, in a new page the last one comes back."""
        if not self.context.is_lead(request):
            return gr.Dropdown([], value=None)
        names = [found.name for found in self.context.store.datasets() if found.pairs]
        if chosen in names:  # or another one by now: that stays
            return gr.Dropdown(names)
        wanted = (name for name in (last, *names) if name in names)
        return gr.Dropdown(names, value=next(wanted, None))

    def flagged(self, dataset: str | None, request: gr.Request) -> str:
        """Say how many rows are flagged in the library; they are no pairs to decide."""
        if not dataset or not self.context.is_lead(request):
            return ""
        rows = self.context.store.count(ItemFilter(dataset=dataset, flagged=True))
        return views.flagged_rows(dataset, rows)

    def _shown(self, dataset: str | None) -> tuple:
        """Values for (figures, log, fields…, guidelines, filled, message), nothing typed."""
        team = self.context.store.team
        if not dataset:
            text = "Import rows with two answers each in Data; then ask people to compare them."
            nothing = empty("No pairs yet", text)
            return nothing, nothing, *SAME_FORM, ""
        stored, waiting = self._stored(dataset), team.queue_sizes(dataset)
        return (
            views.figures(
                team.quality(dataset),
                team.standings(dataset),
                sum(number for why, number in waiting.items() if why != "decided"),
            ),
            views.log(team.log(dataset=dataset)),
            *_in_form(stored),
            "",
        )

    def _stored(self, dataset: str) -> Draft:
        """Return what the form shows of a dataset where nothing is typed."""
        team = self.context.store.team
        settings, guidelines = team.settings(dataset), team.guidelines(dataset)
        values = [getattr(settings, name) for name in FIELDS[:-1]]
        values.append(", ".join(settings.aspects))
        filled = Filled(dataset, guidelines.version, tuple(values))
        return Draft(filled.values, guidelines.text, filled)

    def open(
        self,
        request: gr.Request,
        dataset: str | None,
        drafts: Drafts,
        filled: str | None,
        guidelines: str | None,
        *fields: Any,
    ) -> tuple:
        """Values for everything and the drafts; what was typed and not saved is shown again."""
        try:
            self._lead(request)
            left = Draft(fields, guidelines or "", Filled.read(filled))
            drafts = self._left(drafts, left)
            shown = self._shown(dataset)
        except StudioError as error:
            said = told(error)
            return said, said, *SAME_FORM, said, drafts
        draft = drafts.of(dataset) if dataset else None
        if draft is None:
            return *shown, drafts
        figures, log, *_ = shown
        return figures, log, *_in_form(draft), notice(UNSAVED, tone="warn"), drafts

    def fill(self, request: gr.Request, *form: Any) -> tuple:
        """`open` as the page gets it: what the form has already is not put into it again.

        So nothing that was typed meanwhile is overwritten; before the first values are there, the
        fields take no text at all.
        """
        _, _, filled, guidelines, *fields = form
        figures, log, *shown, said, drafts = self.open(request, *form)
        if shown in (SAME_FORM, [*fields, guidelines, filled]):
            return figures, log, *SAME_FORM, said, drafts
        *values, made_from = shown
        ready = [gr.update(value=value, interactive=True) for value in values]
        return figures, log, *ready, made_from, said, drafts

    def _left(self, drafts: Drafts, left: Draft) -> Drafts:
        """Return the drafts when the form is about to be filled anew: with what was typed in it."""
        dataset = left.filled.dataset
        if not dataset:
            return drafts
        return drafts.keep(left) if self._typed(left) else drafts.drop(dataset)

    def _typed(self, form: Draft) -> bool:
        return form.values != form.filled.values or form.guidelines != self._before(form)

    def _before(self, form: Draft) -> str:
        """Return the guidelines that the form was filled with."""
        return self.context.store.team.guidelines(form.filled.dataset, form.filled.seen).text

    def save(
        self,
        request: gr.Request,
        dataset: str | None,
        drafts: Drafts,
        filled: str | None,
        guidelines: str | None,
        *fields: Any,
    ) -> tuple:
        """Save what was changed in the form; returns (message, filled, drafts)."""
        try:
            lead = self._lead(request)
            form = Draft(fields, guidelines or "", Filled.read(filled))
            if not dataset:
                raise InputError("There is no dataset to change.", remedy="Import one in Data.")
            if form.filled.dataset != dataset:
                raise _of_another(form.filled.dataset, dataset)
            saved, said = self._save(lead, form)
        except ProjectConflict as error:
            shown = told(error) + views.differences(error.clashes, _typed_values(form))
            return shown, _as_told(form.filled, error).text, drafts
        except StudioError as error:
            return told(error), gr.skip(), drafts
        return notice(f"Saved. {said[0]}", *said[1:]), saved.text, drafts.drop(dataset)

    def _save(self, lead: str, form: Draft) -> tuple[Filled, list[str]]:
        """Return what the form is made from now, and what there is to say.

        Only what was changed is written: what a colleague changed meanwhile in another field stays,
        and in the same field is not written over (ProjectConflict).
        """
        team, dataset = self.context.store.team, form.filled.dataset
        before = zip(FIELDS, form.values, form.filled.values, strict=True)
        values = {name: (value, filled) for name, value, filled in before if value != filled}
        changed, seen = team.save_project(
            lead,
            dataset,
            ProjectForm(
                values={name: _setting(name, value) for name, (value, _) in values.items()},
                shown={name: _setting(name, filled) for name, (_, filled) in values.items()},
                text=None if form.guidelines == self._before(form) else form.guidelines,
                seen=form.filled.seen,
            ),
        )
        said = ["New answers are given under it; earlier ones stay."]
        gold = team.gold_pairs(dataset)
        if gold < changed.qualification:
            said.append(
                f"The qualification round asks for {changed.qualification} gold pairs and there "
                f"{'is 1' if gold == 1 else f'are {gold}'}: in Annotate, look back at an answer "
                "of yours and press O."
            )
        return Filled(dataset, seen, form.values), said

    def log(self, dataset: str | None, who: str, lines: float | None, request: gr.Request) -> str:
        """Show the log of one person, or of everybody."""
        try:
            self._lead(request)
            most = _whole(lines or LINES)
        except StudioError as error:
            return told(error)
        most = max(1, min(MOST_LINES, most))
        return views.log(self.context.store.team.log(who.strip(), dataset or "", most))

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


def _in_form(shown: Draft) -> tuple:
    """Values for (fields…, guidelines, filled)."""
    return *shown.values, shown.guidelines, shown.filled.text


def _whole(number: float) -> int:
    """Raises InputError when it is not a whole number."""
    if number != int(number):
        raise InputError(f"{number} is not a whole number.", remedy="Correct it.", field="lines")
    return int(number)


def _setting(name: str, value: Any) -> Any:
    """Return a setting as it is stored, of what is in its field."""
    if name != "aspects":
        return value
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def _typed_values(form: Draft) -> dict[str, Any]:
    """Return what is in the form, by name, as it would be stored."""
    named = zip(FIELDS, form.values, strict=True)
    values = {name: _setting(name, value) for name, value in named}
    return values | {GUIDELINES: form.guidelines}


def _as_told(filled: Filled, conflict: ProjectConflict) -> Filled:
    """Return what the form counts as filled with, now that its lead was told what others wrote."""
    stands = {one.name: one.stands for one in conflict.clashes}
    values = dict(zip(FIELDS, filled.values, strict=True))
    for name in values.keys() & stands.keys():
        values[name] = ", ".join(stands[name]) if name == "aspects" else stands[name]
    seen = conflict.guidelines.version if GUIDELINES in stands else filled.seen
    return Filled(filled.dataset, seen, tuple(values.values()))


def _of_another(filled: str, dataset: str) -> ConflictError:
    whose = f"of {filled!r}" if filled else "of no dataset yet"
    return ConflictError(
        f"The form shows the settings {whose}, and {dataset!r} is chosen: nothing was saved.",
        remedy="Press Refresh and look at the form again; what you typed is kept.",
    )


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
