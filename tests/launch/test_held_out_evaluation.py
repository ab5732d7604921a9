"""A run measured at its end, kept with it, said in one sentence."""

from __future__ import annotations

import shutil
import time

import pytest

from studio.core.paths import Workspace, write_json
from studio.evaluation import evaluation_worker
from studio.evaluation.evaluation_store import EvaluationStore, request_stop
from studio.launch import evaluation_job, foreground_run
from studio.launch.evaluation_job import EvaluationJobs
from studio.launch.held_out_evaluation import _change, begin_attempt, evaluate_run, started_from
from studio.metrics import METRICS
from studio.runs import checkpoints, held_out_result
from studio.runs.event_log import EventLog
from studio.runs.held_out_result import HeldOutResult, ask_for_evaluation
from studio.runs.store import RunStore
from tests.evaluation.small_evaluations import run_with_adapter

HELD = {"evaluation": "evaluation[:12]"}


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


def held_out(workspace, rows=4, **data):
    """Make a run that holds rows out and wants to be measured on some of them."""
    run = run_with_adapter(workspace, **HELD, **data)
    text = run.paths.config.read_text()
    assert "held_out: 64" in text
    run.paths.config.write_text(text.replace("held_out: 64", f"held_out: {rows}"))
    run = RunStore(workspace).get(run.run_id)
    ask_for_evaluation(run.config, run.paths)
    return run


def test_before_and_after_are_kept_with_the_run(workspace):
    run = held_out(workspace)
    for values in ({"before": 2.0, "rows": 4}, {"after": 2.01, "rows": 4}):
        EventLog(run.paths.events).append("forgetting", step=0, **values)
    found = evaluate_run(workspace, run.run_id)
    assert found == held_out_result.read(run.paths)
    assert found.state == "measured" and found.rows == 4 and found.against == "base"
    assert found.paired["exact_match"]["rows"] == 4 and found.step == 3
    assert "→" in found.sentence and "on 4 held-out rows" in found.sentence
    assert found.sentence.endswith("forgot nothing measurable")
    kept = EvaluationStore(workspace).get(found.evaluation)
    assert kept.request.run == run.run_id and kept.status.state == "finished"


def test_only_what_was_measured_is_said(workspace):
    found = evaluate_run(workspace, held_out(workspace).run_id)
    assert "forg" not in found.sentence


def test_other_weights_are_not_praised_for_it(workspace):
    run = held_out(workspace)
    evaluate_run(workspace, run.run_id)
    marker = run.paths.adapter / checkpoints.MARKER
    write_json(marker, {"kind": "adapter", "step": 2, "base": "embedded"})
    assert held_out_result.read(run.paths) is None


def test_a_run_that_holds_nothing_out_or_says_none_is_not_measured(workspace):
    run = run_with_adapter(workspace)
    ask_for_evaluation(run.config, run.paths)
    assert held_out_result.read(run.paths) is None
    for word in ("none", "null", "0"):
        text = (
            held_out(workspace).paths.config.read_text().replace("held_out: 4", f"held_out: {word}")
        )
        other = run_with_adapter(workspace, f"other-{word}")
        other.paths.config.write_text(text)
        config = RunStore(workspace).get(other.run_id).config
        assert config.probes.held_out is None
        ask_for_evaluation(config, other.paths)
        assert held_out_result.read(other.paths) is None


def test_rows_that_are_gone_are_said_with_a_command(workspace, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "What?", "answer": "That."}\n')
    run = held_out(workspace, source=str(rows), train="train")
    rows.unlink()
    found = evaluate_run(workspace, run.run_id)
    assert found.state == "not measured" and str(rows) in found.sentence
    assert f"evaluate embedded --adapter {run.run_id}" in found.sentence


def test_it_goes_on_after_it_was_cut_short(workspace, monkeypatch):
    run = held_out(workspace)
    store = EvaluationStore(workspace)
    monkeypatch.setattr(evaluation_worker, "BATCHES_AT_ONCE", 0)  # every image by itself

    def stop(*_):
        (name,) = store.ids()
        request_stop(workspace.evaluation(name))

    with monkeypatch.context() as patch:
        patch.setattr(evaluation_worker._Task, "_tell", stop)
        first = evaluate_run(workspace, run.run_id)
    assert first.state == "not measured" and "was stopped" in first.sentence
    done = evaluate_run(workspace, run.run_id)
    assert done.state == "measured" and store.ids() == [done.evaluation]


def test_it_starts_from_what_it_goes_on_from(workspace):
    first = run_with_adapter(workspace, "first")
    run = held_out(workspace)
    text = run.paths.config.read_text()
    run.paths.config.write_text(
        text.replace("continue_from: null", f"continue_from: {first.run_id}")
    )
    config = RunStore(workspace).get(run.run_id).config
    assert started_from(config, workspace) == first.run_id
    assert evaluate_run(workspace, run.run_id).against == first.run_id
    shutil.rmtree(first.paths.root)
    assert started_from(config, workspace) == "base"


def test_one_process_at_a_time_and_not_for_ever(workspace):
    run = held_out(workspace)
    assert begin_attempt(run) and not begin_attempt(run)
    held_out_result.give_up(run.paths)
    assert begin_attempt(run)
    held_out_result.write(run.paths, HeldOutResult("measuring", 2, pid=2**22 + 1))
    assert not begin_attempt(run)  # its process died, twice
    found = held_out_result.read(run.paths)
    assert found.state == "not measured" and "unexpectedly 2 times" in found.sentence


def test_jobs_measure_a_finished_run_by_themselves(workspace, forked):
    run, jobs = held_out(workspace, rows=2), EvaluationJobs(workspace)
    jobs.step(False, [run])
    assert not jobs.busy
    for _ in range(12_000):
        jobs.step(True, [run])
        if held_out_result.read(run.paths).state not in ("wanted", "measuring"):
            break
        time.sleep(0.02)
    assert held_out_result.read(run.paths).state == "measured", run.paths.log.read_text()


def test_a_measuring_child_that_dies_is_tried_again_once(workspace, monkeypatch):
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(evaluation_job, "RUN_EVALUATOR", ("-c", script))
    run, jobs = held_out(workspace), EvaluationJobs(workspace)
    for _ in range(2_000):
        jobs.step(True, [run])
        if held_out_result.read(run.paths).state == "not measured":
            break
        time.sleep(0.01)
    assert "unexpectedly 2 times" in held_out_result.read(run.paths).sentence
    assert not jobs.busy


def test_a_foreground_run_waits_for_its_measures_and_says_them(workspace, monkeypatch, capsys):
    script = (
        "import sys; from pathlib import Path; from studio.core.paths import RunPaths;"
        "from studio.runs.held_out_result import HeldOutResult, write;"
        "write(RunPaths(Path(sys.argv[-1])), HeldOutResult('measured', step=3, sentence='chrF up'))"
    )
    monkeypatch.setattr(foreground_run, "RUN_EVALUATOR", ("-c", script))
    run = held_out(workspace)
    assert foreground_run.measure(run).sentence == "chrF up"
    assert "chrF up" in capsys.readouterr().err
    assert foreground_run.measure(run) is None  # it is measured by now


def test_names_of_metrics_stay_as_they_are_written(workspace):
    run = held_out(workspace)
    assert evaluate_run(workspace, run.run_id).sentence.startswith(("Exact match ", "chrF "))
    assert _change(METRICS["chrf"], 0.25, 0.996) == "chrF 25 % → 99.6 %"
    assert _change(METRICS["exact_match"], 0, 1) == "exact match 0 % → 100 %"
