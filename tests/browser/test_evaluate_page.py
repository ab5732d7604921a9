"""In a real browser: from a run that finished to a blind match, a verdict and a decision."""

from __future__ import annotations

import json
import threading

import pytest

from studio.api.context import close_context, open_context
from studio.config import RunConfig
from studio.core.paths import write_json
from studio.evaluation.evaluation import MetricResult, ModelResult, PairedResult
from studio.evaluation.evaluation_store import EvaluationStore, finish
from studio.evaluation.match import MatchStore
from studio.runs import held_out_result
from studio.runs.checkpoints import MARKER
from studio.runs.decisions import decisions
from studio.runs.held_out_result import HeldOutResult
from studio.runs.status import update_status
from studio.ui.runs import tab as runs_tab
from studio.ui.runs.decision_card import card
from tests.browser.annotate_steps import press, seen
from tests.evaluation.answered_evaluations import answered
from tests.ui.serving import opened, served

ROWS = 20
SENTENCE = "Exact match 0 % → 100 % on 20 held-out rows"


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    found = open_context(str(tmp_path_factory.mktemp("evaluate") / "workspace"))
    yield found
    close_context(found)


@pytest.fixture(scope="module")
def run(context):
    """A run that has ended, measured on its held-out rows as its evaluation says."""
    made = context.runs.create(RunConfig(name="charts"))
    update_status(made.paths, state="finished", step=10, total_steps=10, training_seconds=90.0)
    write_json(made.paths.adapter / MARKER, {"kind": "adapter", "step": 10})
    name = f"{made.run_id}@10"
    said = {"base": ["I cannot say"] * ROWS, name: [str(number) for number in range(ROWS)]}
    evaluation = answered(context.workspace, said, runs={name: made.run_id})
    before, after = (MetricResult(value, value, value, ROWS) for value in (0.0, 1.0))
    paired = {"exact_match": PairedResult(1.0, 1.0, 1.0, 1e-6, "better", ROWS, None, ROWS)}
    results = {
        "base": ModelResult({"exact_match": before}),
        name: ModelResult({"exact_match": after}, paired, sentences=("Exact match: better.",)),
    }
    paths = EvaluationStore(context.workspace).paths(evaluation)
    finish(paths, results, {}, "cpu", [])
    found = HeldOutResult(
        "measured", evaluation=evaluation.evaluation_id, step=10, against="base", sentence=SENTENCE
    )
    held_out_result.write(made.paths, found)
    return made


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def judge(page):
    """Judge every pair by keyboard: the answer that is a number is the better one."""
    for _ in range(ROWS + 3):  # with pairs that are shown again
        seen(page)
        left = page.inner_text(".an-answer[data-side=left]")
        press(page, "2" if "cannot" in left else "1")
        if page.locator(".an-work[hidden]").count():
            return
    raise AssertionError("The pairs did not end.")


def test_a_finished_run_is_judged_blind_and_accepted(window, context, run, monkeypatch):
    names = ("annotate", "runs", "evaluate")
    with served(context, names) as address, opened(window, address, 60) as page:
        open_tab(page, "Runs")
        page.wait_for_selector(f"#run-head:has-text('{SENTENCE}')")
        page.wait_for_selector("#run-decision:has-text('nobody has judged its answers')")
        page.locator("#run-head [data-evaluation]").click()
        page.wait_for_selector("#evaluation-figures .chip:has-text('better')")
        page.wait_for_url("**evaluation=*")
        page.reload()
        page.wait_for_selector("#evaluation-figures .chip:has-text('better')")
        page.wait_for_selector("#evaluate-metrics:has-text('Exact match')")  # of the rows chosen
        search = page.locator("#evaluation-search").locator("input, textarea")
        search.fill("row-7")
        page.wait_for_selector(".rows-shown:has-text('1 row'):not(:has-text('20 rows'))")
        search.fill("")
        page.wait_for_selector(".rows-shown:has-text('20 rows')")
        page.locator("#evaluation-filter input").click()
        page.get_by_role("option", name="Both wrong").click()
        page.wait_for_selector("#evaluation-rows:has-text('No rows match')")
        page.locator("#evaluation-blind").click()
        page.wait_for_selector("#evaluation-match:has-text('0 of 20 pairs judged')")
        page.locator("#evaluation-judge").click()
        judge(page)
        assert run.run_id not in page.content().split('id="run-')[0].split("an-work")[1]
        open_tab(page, "Evaluate")
        page.wait_for_selector("#evaluation-match:has-text('20 of 20 pairs judged')")
        page.wait_for_selector("#evaluation-match:has-text('is better')")
        open_tab(page, "Runs")
        page.wait_for_selector("#run-decision:has-text('wins 100 %')")
        again = threading.Event()  # the refusal is read before the run is drawn after it
        monkeypatch.setattr(runs_tab, "card", lambda *of: again.wait(20) and card(*of))
        page.locator("#run-accept").click()
        page.wait_for_selector(".toast-body:has-text('Why?')")
        page.locator("#run-reason").locator("input, textarea").fill("It reads charts")
        page.locator("#run-accept").dblclick()
        again.set()
        page.wait_for_selector("#run-head .chip:has-text('Accepted')")
        page.locator(".lineage summary").click()
        steps = page.locator(".lineage li .kind").all_inner_texts()
        assert steps == ["Base", "Data", "Run", "Evaluation", "Blind match", "Decision"]
    (made,) = decisions(context.workspace)
    (match,) = MatchStore(context.workspace).list()
    assert (made.run, made.verdict, made.reason) == (run.run_id, "accepted", "It reads charts")
    assert made.match == match.match_id and any("is better" in one for one in made.figures)
    assert json.loads(context.workspace.decisions.read_text())["step"] == 10
