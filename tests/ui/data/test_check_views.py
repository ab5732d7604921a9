"""A check's report, its findings and the model's view of an image as HTML."""

from __future__ import annotations

import time
from dataclasses import replace

import gradio as gr

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.preflight.client import CheckStatus, Kept
from studio.preflight.report import (
    Piece,
    Rendering,
)
from studio.ui.data import check_views as look
from studio.ui.data.check_panel import CheckLook
from tests.ui.data.fake_checker import HOSTILE, clicked, drawn, report_of


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


def test_what_is_no_rows_has_no_buttons(panel):
    kept = panel.checker.reports["mine"]
    nothing = replace(kept.report, rows=0, findings=kept.report.findings[1:2])
    panel.checker.reports["mine"] = replace(kept, report=nothing)
    assert "<button" not in drawn(panel)


def test_an_image_is_shown_beside_what_the_model_gets(panel):
    sha = panel.context.store.browse()[0].images[0]
    state, strip, shown = panel.show_image(
        CheckLook("mine"), "other", None, clicked(image=sha), None
    )
    assert state.image == sha and 'aria-pressed="true"' in strip
    assert "160 × 120 pixels" in shown and "What embedded gets: 96 × 96 pixels, 1 tile" in shown
    panel.checker.refuse = ModelError("refused.")
    assert panel.show_image(state, "x", None, clicked(image=sha), None) == (gr.skip(),) * 3


def test_a_row_is_shown_as_the_model_reads_it_with_what_it_learns_marked():
    pieces = [Piece(f"User: {HOSTILE}\nAssistant:", False), Piece(" Red.<end>\n", True)]
    report = replace(report_of([1, 2]), rendering=Rendering(7, pieces))
    shown = look.report(Kept(report, time.time(), ModelConfig()), look.Exclusions({}), "", 2)
    assert "<mark> Red.&lt;end&gt;↵\n</mark>" in shown and "item 7" in shown
    assert "<img src=x" not in shown and "${alert" not in shown
