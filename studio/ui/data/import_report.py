"""What an import did, what is to be decided about changed rows, and what can be done next."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any
from urllib.parse import quote

import gradio as gr

from studio.annotation.library.dataset_next_steps import NextSteps
from studio.annotation.library.import_job import ImportStatus
from studio.annotation.library.imported_labels import GivenLabels, check_names
from studio.core.errors import InputError
from studio.core.plurals import counted
from studio.data.sources.registry import LIBRARY
from studio.ui.data import views as look
from studio.ui.data.import_form import (
    ImportForm,
    check_lead,
    drop_area,
    images_offer,
    labels_wait,
    refusal,
)
from studio.ui.data.source_tables import said
from studio.ui.shared.page_scripts import hook
from studio.ui.shell.navigation import Shell, go_to, link

Changes = dict[str, Any]
IMPORTED = "#data-report [data-imported]"
DECISIONS = {
    "update": ("Update them", "data-changed-update"),
    "keep": ("Keep what is here", "data-changed-keep"),
    "new": ("Bring them in as new rows", "data-changed-new"),
}
STEPS = ("train", "decide_these", "label_these", "write_these", "write")
"""Parts that lead on from the report."""
WRITE = (
    "Let a model write some, to be labelled, or bring some in: answers that a model or people have "
    "written elsewhere come in by importing the same rows again "
    "under their ids: with a column “answer” (one of them, to train on), or with “candidates”, each "
    'under the name of whoever wrote it ({"model A": "…", "model B": "…"}), to be labelled. The '
    "rows that are here are given them."
)


@dataclass
class ImportReportPanel:
    """The panel above the rows: it appears on the page that began an import, when that has ended.

    Attributes:
        begun: Number of the import that this page began last; 0 before.
        shown: Number of the import that is shown.
        dataset: The dataset that it went into.
    """

    form: ImportForm
    parts: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> None:
        """Draw the panel, hidden."""
        parts = self.parts
        self.begun, self.shown, self.dataset = gr.State(0), gr.State(0), gr.State("")
        parts |= {"begun": self.begun, "shown": self.shown, "dataset": self.dataset}
        with gr.Column(visible=False, elem_classes="surface", elem_id="data-done") as parts["done"]:
            parts["report"] = gr.HTML(elem_id="data-report")
            with gr.Row(visible=False, elem_classes="actions", elem_id="data-changed") as parts[
                "changed"
            ]:
                self.decide = {
                    name: gr.Button(
                        words,
                        size="sm",
                        min_width=0,
                        variant="primary" if name == "update" else "secondary",
                        elem_id=element,
                    )
                    for name, (words, element) in DECISIONS.items()
                }
            parts["bring_new"] = self.decide["new"]
            parts["labels_as"] = gr.Textbox(
                label="Who they are here",
                info="One line each: the name in the file = the name here. The same name is the same "
                "person; give another one to somebody else. Without a line their labels stay out.",
                visible=False,
                elem_id="data-labels-as",
            )
            parts["labels_refused"] = gr.HTML(elem_id="data-labels-refused", min_height=0)
            parts["labels_too"] = _step("data-labels-too")
            parts["write"] = gr.HTML(elem_id="data-write", visible=False)
            with gr.Row(elem_classes="actions", elem_id="data-steps"):
                parts["train"] = _step("data-step-train")
                parts["decide_these"] = _step("data-step-decide")
                parts["label_these"] = _step("data-step-label")
                parts["write_these"] = _step("data-step-write")
                self.more = gr.Button(
                    "Import more", size="sm", min_width=0, elem_id="data-import-more"
                )
                self.close = gr.Button("Close", size="sm", min_width=0, elem_id="data-done-close")

    def wire(self, shell: Shell, going: gr.HTML, panel: gr.Column, quick: dict[str, Any]) -> None:
        """Connect the buttons; `panel` holds the import form."""
        hidden, seen = partial(gr.update, visible=False), partial(gr.update, visible=True)
        self.close.click(hidden, None, self.parts["done"], **quick)
        self.more.click(seen, None, panel, **quick).then(hidden, None, self.parts["done"], **quick)
        for name, button in self.decide.items():
            button.click(
                _deciding(self, name),
                self.shown,
                [going, self.parts["report"], self.begun, self.parts["changed"]],
                **quick,
            )
        labels = [self.parts[name] for name in ("labels_too", "labels_as", "labels_refused")]
        self.parts["labels_too"].click(
            self.bring_labels,
            [self.shown, self.parts["labels_as"]],
            [going, self.parts["report"], self.begun, *labels],
            **quick,
        )
        # In the queue: the page does not hear of a link's change in an answer that came at once.
        asked = [shell.train_on, shell.tabs]
        self.parts["train"].click(self.train, self.dataset, asked, **{**quick, "queue": True})
        decide = partial(go_to, "team")
        self.parts["decide_these"].click(decide, None, shell.tabs, **{**quick, "queue": True})
        labelling = hook("label-dataset", IMPORTED)
        annotate = partial(go_to, "annotate")
        self.parts["label_these"].click(annotate, None, shell.tabs, js=labelling, **quick)

    def ended(self, status: ImportStatus, begun: int, request: gr.Request) -> Changes:
        """Show what an import did on the pages of whoever began it."""
        asked = self.form.ended(status.number)
        report = status.report
        if report is None or asked is None or asked.person != self.form.context.user(request):
            return {}
        if begun not in (0, status.number):  # this page has begun another one since, or before
            return {}
        changes: Changes = {} if begun == 0 else {"form": gr.update(visible=False), "result": ""}
        if asked.upload and not self.form.has(asked):
            changes["area"] = drop_area(f"{status.number}-{asked.upload}")
            if begun:
                changes |= {"upload": "", "typed_source": ""}
        offer = images_offer(report.bad, bool(asked.upload), done=True)
        held = report.next or self.form.context.store.next_steps(report.dataset)
        return {
            **changes,
            "done": gr.update(visible=True),
            "report": look.report(report, offer),
            "shown": status.number,
            "dataset": report.dataset,
            "changed": gr.update(visible=report.asks),
            "bring_new": gr.update(visible=report.changed_count > 0),
            "labels_too": _labels_too(report.given_labels),
            "labels_as": _labels_as(report.given_labels),
            "labels_refused": "",
            **self._steps(report.dataset, held, report.asks),
        }

    def counted_anew(self, number: int, dataset: str, request: gr.Request) -> Changes:
        """Say what can be done next with the rows as they are now: answered, judged or deleted."""
        check_lead(self.form.context, request)
        if not dataset:
            return {}
        status = self.form.importer.status
        asks = status.number == number and status.report is not None and status.report.asks
        return self._steps(dataset, self.form.context.store.next_steps(dataset), asks)

    def decided(self, changed: str, number: int, request: gr.Request) -> tuple[Any, ...]:
        """Repeat the import with what was decided about changed rows."""
        going, refused, begun = self.form.repeat(request, number, {"on_change": changed})
        if refused:
            return gr.skip(), refused, gr.skip(), gr.skip()
        return going, gr.skip(), begun, gr.update(visible=False)

    def bring_labels(self, number: int, typed: str, request: gr.Request) -> tuple[Any, ...]:
        """Repeat the import with the labels that came with the rows, under the names typed."""
        status = self.form.importer.status
        report = status.report if status.number == number else None
        names = report.given_labels.refused if report else {}
        try:
            options = {"labels": True, "labels_as": _renamed(typed, names)}
        except InputError as error:
            return *(gr.skip(),) * 5, refusal(error)
        going, refused, begun = self.form.repeat(request, number, options)
        if refused:
            return gr.skip(), refused, *(gr.skip(),) * 4
        return going, gr.skip(), begun, *(gr.update(visible=False),) * 2, ""

    def train(self, dataset: str) -> tuple[Any, Any]:
        """Go to Train with the rows of the dataset, by the method that they are made for."""
        held = self.form.context.store.next_steps(dataset)
        method = "dpo" if held.preferences else "sft"
        return link((f"{LIBRARY}{dataset}", method)), go_to("train")

    def _steps(self, dataset: str, held: NextSteps, asks: bool) -> Changes:
        """Return the buttons that lead on; while something is asked, none stands out."""
        rows = counted(held.preferences, "pair") if held.preferences else counted(held.answers)
        train = f"Train on {'this' if rows.startswith('1 ') else 'these'} {rows}"
        label = f"Label {'this' if held.waiting == 1 else 'these'} {counted(held.waiting, 'pair')}"
        trains = bool(held.preferences or held.answers)
        waits = held.waiting > 0
        return {
            "train": gr.update(
                visible=trains, value=train, variant="secondary" if asks else "primary"
            ),
            "decide_these": gr.update(
                visible=held.to_decide > 0,
                value=f"Decide {counted(held.to_decide, 'pair')}",
                variant="secondary" if trains or asks else "primary",
            ),
            "label_these": gr.update(
                visible=waits,
                value=label,
                variant="secondary" if trains or held.to_decide or asks else "primary",
            ),
            "write_these": gr.update(
                visible=held.unanswered > 0,
                value=f"Write answers to {counted(held.unanswered)} with a model",
                variant="secondary" if trains or waits or held.to_decide or asks else "primary",
            ),
            "write": gr.update(
                visible=held.unanswered > 0
                or held.to_decide > 0
                or (waits and self._has_annotators()),
                value=self._decide(held)
                + self._write(held)
                + (self._link(dataset) if waits else ""),
            ),
        }

    def _decide(self, held: NextSteps) -> str:
        if not held.to_decide:
            return ""
        verb = "waits" if held.to_decide == 1 else "wait"
        return said(
            f"{counted(held.to_decide, 'pair')} {verb} for a decision",
            "No majority, skipped too often, or flagged. Nothing is trained on a pair without a "
            f"majority until a lead decides it: Team, “Decide”, dataset {held.dataset}.",
            tone="",
        )

    def _write(self, held: NextSteps) -> str:
        if not held.unanswered:
            return ""
        verb = "has" if held.unanswered == 1 else "have"
        return said(f"{counted(held.unanswered)} {verb} no answer yet", WRITE, tone="")

    def _has_annotators(self) -> bool:
        return getattr(self.form.context, "accounts", None) is not None

    def _link(self, dataset: str) -> str:
        """Draw the address under which annotators find the pairs of a dataset."""
        if not self._has_annotators():
            return ""
        address = escape(f"annotate/?dataset={quote(dataset, safe='')}")
        return (
            f'<p class="quiet">Annotators find these pairs at <a href="{address}">{address}</a> '
            "of this studio.</p>"
        )


def _labels_too(given: GivenLabels) -> Any:
    """Return the button that brings labels which were left out."""
    if given.refused:
        words = "Bring the labels under these names"
    else:
        words = f"Bring the {counted(sum(given.found.values()), 'label')} too"
    return gr.update(visible=labels_wait(given), value=words)


def _labels_as(given: GivenLabels) -> Any:
    """Return the field that says who the people are whose names somebody here has."""
    lines = [f"{name}={name}" for name in given.refused]
    return gr.update(visible=bool(lines), value="\n".join(lines), lines=max(1, len(lines)))


def _renamed(typed: str, names: Collection[str]) -> dict[str, str]:
    """Read lines OLD=NEW; a name may hold a `=` itself. Raises InputError."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, (typed or "").splitlines())):
        old = next((n for n in sorted(names, key=len)[::-1] if line.startswith(f"{n}=")), None)
        if old is None:
            raise InputError(
                f"{line[:80]!r} does not begin with a name of the file and “=”.",
                remedy=f"The names are {', '.join(list(names)[:8])}.",
                field="labels_as",
            )
        found[old] = line.removeprefix(f"{old}=").strip()
    check_names(found)
    return found


def _deciding(panel: ImportReportPanel, changed: str) -> Callable[..., tuple[Any, ...]]:
    def decide(number: int, request: gr.Request) -> tuple[Any, ...]:
        return panel.decided(changed, number, request)

    return decide


def _step(name: str) -> gr.Button:
    return gr.Button(visible=False, size="sm", min_width=0, elem_id=name)
