"""The panel that lets a model write answers: what it queues, refuses and shows."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from studio.annotation import AnnotationStore
from studio.config import RunConfig
from studio.core.errors import InputError
from studio.core.paths import Workspace, write_json
from studio.evaluation.evaluation import DrawnAnswers, RowAnswer
from studio.evaluation.evaluation_store import EvaluationStore, update_status
from studio.launch.candidates import Delivery
from studio.runs.checkpoints import MARKER
from studio.runs.store import RunStore
from studio.ui.data.candidates_panel import CandidatesPanel, writer_choices
from tests.evaluation.answered_evaluations import question

BASE = "base:embedded"


@pytest.fixture
def panel(tmp_path):
    workspace = Workspace.locate(tmp_path)
    store = AnnotationStore(workspace.database_url)
    store.add_rows("mine", [replace(question(n), completion=None) for n in range(3)])
    stopped, resumed = [], []
    context = SimpleNamespace(
        workspace=workspace,
        store=store,
        runs=RunStore(workspace),
        supervisor=SimpleNamespace(
            evaluations=SimpleNamespace(stop=stopped.append, resume=resumed.append)
        ),
        is_lead=lambda request: request != "annotator",
    )
    made = CandidatesPanel(context, None)
    made.stopped, made.resumed = stopped, resumed
    yield made
    store.close()


def start(
    panel, dataset="mine", writers=(BASE,), answers=3, temperature=1.0, unanswered=True, **more
):
    usual = {"recipe": "", "top_p": 1.0, "seed": 0, "longest": 128} | more
    return panel.start(
        dataset, list(writers), answers, temperature, unanswered, *usual.values(), None
    )


def queued(panel):
    return EvaluationStore(panel.context.workspace).list()


def test_writing_is_queued_shown_and_stopped(panel):
    told, begin, stop, _, _, timer = start(panel)
    (made,) = queued(panel)
    assert (len(made.request.draws), made.request.dataset, made.request.rows) == (3, "mine", 3)
    assert "starts in a moment" in told and timer.active
    assert (begin["visible"], stop["visible"]) == (False, True)
    refused, *rest = start(panel)
    assert "are being written to this dataset already" in refused
    assert rest == [gr.skip()] * 5 and len(queued(panel)) == 1
    panel.stop("mine", None)
    assert panel.stopped == [made.evaluation_id]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dataset": None}, "Which dataset?"),
        ({"writers": ()}, "Who writes?"),
        ({"writers": (BASE, "base:other/model")}, "2 different bases"),
        ({"answers": None}, "0 answers a row"),
        ({"temperature": 0}, "At temperature 0"),
        ({"dataset": "gone"}, "no dataset"),
        ({"top_p": 2}, "Top-p is 2"),
        ({"longest": 0.5}, "no whole number"),
        ({"recipe": "cold"}, "no recipe"),
        ({"recipe": "base+adapter"}, "needs something to compare"),
    ],
)
def test_what_cannot_be_written_is_refused_in_place(panel, given, said):
    told, *rest = start(panel, **given)
    assert said in told and rest == [gr.skip()] * 5 and queued(panel) == []


def test_runs_write_on_their_base_and_beside_it(panel):
    run = panel.context.runs.create(RunConfig(name="charts"))
    write_json(run.paths.adapter / MARKER, {"kind": "adapter", "step": 3})
    labels = dict(writer_choices(panel.context.runs.list()))
    assert labels[f"charts · {run.run_id}"] == run.run_id
    start(panel, writers=(BASE, run.run_id))
    assert [model.run for model in queued(panel)[0].request.models] == ["", run.run_id]


def test_what_was_written_is_shown_with_the_way_to_label_it(panel):
    start(panel)
    (made,) = queued(panel)
    paths = panel.context.workspace.evaluation(made.evaluation_id)
    update_status(paths, state="failed", message="The <disk> is full.", done=1, total=3)
    told, begin, _, resume, label, timer = panel.look("mine", None)
    assert "The &lt;disk&gt; is full" in told and "to 1 of 3 rows, is in the library" in told
    assert begin["visible"] and not label["visible"] and not timer.active and resume["visible"]
    drawn = DrawnAnswers((RowAnswer("a red bar"), RowAnswer("a blue line")))
    Delivery(panel.context.workspace, made)({"base": {0: drawn}})
    update_status(paths, state="finished", done=3)
    told, _, _, _, label, _ = panel.look("mine", None)
    assert 'data-imported="mine"' in told and label["visible"]
    assert label["value"] == "Label the 1 waiting pair"
    assert panel.look(None, None)[0] == ""


def test_annotators_let_no_model_write(panel):
    with pytest.raises(InputError):
        panel.start("mine", [BASE], 3, 1.0, True, "", 1.0, 0, 128, "annotator")
    assert queued(panel) == []


def test_what_has_stopped_goes_on_and_at_the_end_the_rows_are_drawn_again(panel):
    start(panel, recipe="with+without-image", answers=1)
    (made,) = queued(panel)
    assert [one.picture for one in made.request.models] == ["", "none"]
    *_, followed, again = panel.follow("mine", "", None)
    assert followed == made.evaluation_id and again == gr.skip()
    paths = panel.context.workspace.evaluation(made.evaluation_id)
    update_status(paths, state="stopped")
    *_, followed, again = panel.follow("mine", followed, None)
    assert followed == "" and again[0] is None
    assert panel.follow("mine", "", None)[-1] == gr.skip()
    panel.go_on("mine", None)
    assert panel.resumed == [made.evaluation_id]
