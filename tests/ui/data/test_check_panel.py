"""The check panel's looks and handlers, with a real store, a kept report and no browser."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from studio.annotation import AnnotationStore, ItemFilter
from studio.config.model import ModelConfig
from studio.core.errors import InputError, ModelError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from studio.preflight.client import CheckStatus, Kept, ShownImage
from studio.preflight.report import (
    Bin,
    Finding,
    LengthBias,
    Piece,
    Rendering,
    Report,
    Tokens,
    Truncation,
)
from studio.ui.data import check_views as look
from studio.ui.data.check_panel import CheckLook, CheckPanel, model_of
from tests.preflight.conftest import drawing, saved
from tests.ui.tab_context import Context

HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{constructor}}"


class FakeChecker:
    """Keeps one report and remembers what it was asked."""

    def __init__(self, report: Report | None) -> None:
        self.reports = {"mine": Kept(report, time.time() - 90, ModelConfig())} if report else {}
        self.status = CheckStatus()
        self.asked: list = []
        self.refuse: Exception | None = None

    def kept(self, dataset: str) -> Kept | None:
        return self.reports.get(dataset)

    def start(self, dataset, model, max_length) -> None:
        if self.refuse:
            raise self.refuse
        self.asked.append((dataset, model.id, max_length, model.image.longest_edge))
        self.status = CheckStatus(1, "checking", dataset, "rows", 30, 60, seconds=3)

    def stop(self) -> None:
        self.asked.append("stop")

    def show(self, image, model) -> ShownImage:
        if self.refuse:
            raise self.refuse
        return ShownImage(39, (160, 120), 1, 96, 96, "data:image/png;base64,AA==", None)


def report_of(ids: list[int]) -> Report:
    return Report(
        source="mine",
        model="embedded",
        rows=len(ids),
        numbers="items",
        findings=[
            Finding("identical_answers", "error", ids[:2], f"2 rows say {HOSTILE}.", "Leave out."),
            Finding("length_bias", "warning", [], "Longer.", "Bring others."),
            Finding("shrunk_images", "info", ids, "All are shrunk.", "Crop."),
        ],
        tokens=Tokens(60, 70, 90, 0.55, 39, 39, [Bin(50, 70, 3), Bin(70, 90, 1)]),
        length_bias=LengthBias(4, 0.75, 5.5),
        truncation=Truncation(70, True, 0.25, 1, 0),
        duplicates=1,
    )


@pytest.fixture
def panel(tmp_path):
    workspace = Workspace.locate(tmp_path / "workspace")
    images, store = ImageStore(workspace), AnnotationStore(workspace.database_url)
    shas = [images.add(saved(drawing(seed))) for seed in range(2)]
    prompt = (Message("user", (Part("image"), Part("text", HOSTILE))),)
    store.add_rows("mine", [Row(str(n), (shas[n % 2],), prompt, Answer(f"a{n}")) for n in range(4)])
    checker = FakeChecker(report_of(store.ids()))
    yield CheckPanel(Context(workspace, store, images), checker, gr.State(None))
    store.close()


def clicked(**data) -> SimpleNamespace:
    return SimpleNamespace(_data=data)


def drawn(panel: CheckPanel) -> str:
    return panel.choose(CheckLook(), "mine", None)[1]


def test_opening_shows_the_last_report_of_the_newest_dataset(panel):
    dataset, going, _, _, timer, state, report, strip, _ = panel.open(CheckLook(), None, None)
    assert dataset["value"] == "mine" and state == CheckLook("mine")
    assert going == "" and timer.active is False
    assert "1 error, 1 warning, 1 note" in report and "2 min ago" in report
    assert "has changed" not in report
    assert strip.count("data-image") == 2


def test_a_dataset_without_a_report_shows_none(panel):
    panel.checker.reports.clear()
    assert panel.choose(CheckLook(), "mine", None) == (CheckLook("mine"), look.NOT_YET, "", "")
    assert panel.choose(CheckLook("mine"), None, None) == (CheckLook(), "", "", "")


def test_findings_come_with_their_buttons_and_figures(panel):
    report = drawn(panel)
    assert report.index("✕") < report.index("Longer.") < report.index("All are shrunk.")
    assert "Show the 2 rows" in report and report.count('data-action="exclude"') == 1
    assert report.count("Show all 4 rows") == 2, "of all rows, and of the data as a whole"
    assert report.count("<button disabled>Exclude them</button>") == 2
    assert report.count(look.EVERY_ROW) == 2
    for figure in ("60", "95 % ≤ 70 · max 90", "55%", "75%", "+6 tokens on average"):
        assert figure in report
    assert 'style="left:50.00%"><i>70</i>' in report


def test_text_from_the_data_is_inert(panel):
    _, report, strip, _ = panel.choose(CheckLook(), "mine", None)
    for shown in (report, strip, look.going(CheckStatus(1, "failed", error=HOSTILE))):
        assert "<img src=x" not in shown and "${" not in shown and "{{" not in shown


def test_show_hands_the_rows_to_the_tab(panel):
    ids = tuple(panel.context.store.ids()[:2])
    state, report, strip, _, shown = panel.act(
        CheckLook("mine"), clicked(action="show", finding="identical_answers"), None
    )
    assert shown[0] == ("mine", "Identical answers", ids)
    assert state.finding == "identical_answers" and 'aria-current="true"' in report
    assert "Identical answers" in strip


def test_a_finding_about_the_data_as_a_whole_shows_every_row(panel):
    panel.context.store.exclude(panel.context.store.ids()[3:])
    _, report, strip, _, shown = panel.act(
        CheckLook("mine"), clicked(action="show", finding="length_bias"), None
    )
    assert shown[0] == ("mine", "Length bias", tuple(panel.context.store.ids()[:3]))
    assert 'aria-current="true"' in report and strip.count("data-image") == 2


def test_what_is_no_rows_has_no_buttons(panel):
    kept = panel.checker.reports["mine"]
    nothing = replace(kept.report, rows=0, findings=kept.report.findings[1:2])
    panel.checker.reports["mine"] = replace(kept, report=nothing)
    assert "<button" not in drawn(panel)


def test_exclude_is_a_mark_in_the_library_and_can_be_undone(panel):
    ids = panel.context.store.ids()
    excluded = ItemFilter(excluded=True)
    *_, shown = panel.act(
        CheckLook("mine"), clicked(action="exclude", finding="identical_answers"), None
    )
    assert shown[0] is None, "the tab draws the rows again"
    assert panel.context.store.ids(excluded) == ids[:2]
    report = drawn(panel)
    assert "✓ Excluded" in report and "Let them in again" in report
    assert "2 rows now" in report
    panel.act(CheckLook("mine"), clicked(action="include", finding="identical_answers"), None)
    assert panel.context.store.ids(excluded) == []
    assert "has changed" not in drawn(panel)
    logged = [
        (line.who, line.action, line.dataset, line.what) for line in panel.context.store.team.log()
    ]
    rows = "rows: 2, finding: identical_answers"
    assert logged == [("ana", "include rows", "mine", rows), ("ana", "exclude rows", "mine", rows)]


@pytest.mark.parametrize(
    "data", [{}, {"action": "delete", "finding": "identical_answers"}, {"action": "exclude"}]
)
def test_foreign_clicks_change_nothing(panel, data):
    assert panel.act(CheckLook("mine"), clicked(**data), None) == (gr.skip(),) * 5
    assert panel.context.store.count(ItemFilter(excluded=True)) == 0


def test_a_check_is_started_watched_and_stopped(panel):
    going, start, stop, timer = panel.start("mine", " embedded ", 1500.0, 96.0, None)
    assert panel.checker.asked == [("mine", "embedded", 1500, 96)]
    assert "Reading 30 of 60 rows · 3 s left" in going and timer.active
    assert not start["visible"] and stop["visible"]
    assert panel.poll(CheckLook("mine"), "mine", None)[4:] == (gr.skip(),) * 4
    panel.stop(None)
    assert panel.checker.asked[-1] == "stop"
    panel.checker.status = replace(panel.checker.status, state="done")
    going, _, _, timer, _, report, *_ = panel.poll(CheckLook("mine"), "mine", None)
    assert going == "" and not timer.active and "1 error" in report


@pytest.mark.parametrize(
    ("dataset", "model", "edge"),
    [(None, "embedded", 0), ("mine", "  ", 0), ("mine", "embedded", 7)],
)
def test_what_cannot_be_checked_is_said_and_nothing_starts(panel, dataset, model, edge):
    panel.start(dataset, model, None, edge, None)
    assert panel.checker.asked == []


def test_an_image_is_shown_beside_what_the_model_gets(panel):
    sha = panel.context.store.browse()[0].images[0]
    state, strip, shown = panel.show_image(
        CheckLook("mine"), "other", None, clicked(image=sha), None
    )
    assert state.image == sha and 'aria-pressed="true"' in strip
    assert "160 × 120 pixels" in shown and "What embedded gets: 96 × 96 pixels, 1 tile" in shown
    panel.checker.refuse = ModelError("refused.")
    assert panel.show_image(state, "x", None, clicked(image=sha), None) == (gr.skip(),) * 3


def test_annotators_see_nothing(panel):
    panel.context.lead = False
    asked = SimpleNamespace(username="ana")
    for call in (
        lambda: panel.open(CheckLook(), None, asked),
        lambda: panel.choose(CheckLook(), "mine", asked),
        lambda: panel.act(CheckLook("mine"), clicked(action="show", finding="x"), asked),
        lambda: panel.show_image(CheckLook("mine"), "embedded", None, clicked(image="0"), asked),
        lambda: panel.stop(asked),
        lambda: panel.poll(CheckLook(), "mine", asked),
    ):
        with pytest.raises(InputError, match="Only leads"):
            call()


def test_an_empty_model_is_refused():
    with pytest.raises(InputError, match="No model"):
        model_of("   ")
    with pytest.raises(InputError, match="longest edge of 9,000"):
        model_of("embedded", 9000)
    assert model_of("embedded", 0) == ModelConfig()


def test_a_row_is_shown_as_the_model_reads_it_with_what_it_learns_marked():
    pieces = [Piece(f"User: {HOSTILE}\nAssistant:", False), Piece(" Red.<end>\n", True)]
    report = replace(report_of([1, 2]), rendering=Rendering(7, pieces))
    shown = look.report(Kept(report, time.time(), ModelConfig()), look.Exclusions({}), "", 2)
    assert "<mark> Red.&lt;end&gt;↵\n</mark>" in shown and "item 7" in shown
    assert "<img src=x" not in shown and "${alert" not in shown


def test_a_finding_about_the_model_excludes_no_rows():
    about = [Finding("no_end_token", "warning", [], "No end.", "Put one.")]
    report = replace(report_of([1, 2]), findings=about)
    shown = look.report(Kept(report, time.time(), ModelConfig()), look.Exclusions({}), "", 2)
    assert "No end." in shown and "data-action" not in shown and "Exclude" not in shown
