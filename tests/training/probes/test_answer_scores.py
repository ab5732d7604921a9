"""Generated answers are scored while a run trains, and decide what is best when they are to."""

import json
from typing import get_args

import pytest

from studio.config.schedule import ANSWER_METRICS, BestMetric
from studio.core.errors import ConfigError
from studio.data.schema import Answer, Message, Part, Row
from studio.metrics import METRICS
from studio.runs.curves import Diary
from studio.runs.event_log import read_events
from studio.training.probes.answer_scores import EVENT, AnswerScorer, _metrics
from tests.training.probes.test_probe_rounds import LONG

SCORED = LONG | {
    "schedule": {
        "max_steps": 4, "save_every": 2, "keep": 3, "evaluate_every": 2,
        "answer_rows": 2, "metric": "anls", "keep_best": True, "early_stopping": 5,
    },
    "probes": {"max_new_tokens": 6},
}  # fmt: skip


def row(answer, question="What is it?"):
    prompt = (Message("user", (Part("image"), Part("text", question))),)
    return Row("1", (), prompt, completion=Answer(answer))


def test_every_metric_that_can_decide_is_one_of_answers_where_more_is_better():
    for name in ANSWER_METRICS:
        assert METRICS[name].higher_is_better and not METRICS[name].from_log_probabilities
    assert set(ANSWER_METRICS) < set(get_args(BestMetric))


def test_the_metrics_suit_the_rows_and_the_one_that_decides_is_among_them():
    assert _metrics([row("yes"), row("no")], "loss")[0].name == "yes_no_accuracy"
    assert "chrf" in [one.name for one in _metrics([row("a cat")], "chrf")]
    with pytest.raises(ConfigError, match="no evaluation row has what json fields needs"):
        _metrics([row("a cat")], "json_fields")


def test_answers_are_scored_before_training_and_at_every_evaluation(shared_runner):
    run, outcome = shared_runner.run(shared_runner.config(**SCORED))
    assert outcome == "finished"
    diary = Diary(run.paths.events).refresh()
    assert [step for step, _ in diary.series["eval_anls"]] == [0, 2, 4]
    assert [step for step, _ in diary.series["eval_loss"]] == [2, 4]
    told = [event.values for event in read_events(run.paths.events).events if event.type == EVENT]
    assert len(told) == 1 and told[0]["rows"] == 2 and "anls" in told[0]["metrics"]
    silent = SCORED["schedule"] | {"answer_rows": None, "metric": "loss"}
    undisturbed, _ = shared_runner.run(shared_runner.config(**SCORED | {"schedule": silent}))
    before = dict(Diary(undisturbed.paths.events).refresh().series["loss"])
    assert dict(diary.series["loss"]) == pytest.approx(before, abs=1e-6)


def test_the_best_step_is_the_one_with_the_best_answers(shared_runner, monkeypatch):
    shares = iter([0.0, 1.0, 0.5])
    monkeypatch.setattr(AnswerScorer, "_scores", lambda self, model: {"eval_anls": next(shares)})
    run, _ = shared_runner.run(shared_runner.config(**SCORED))
    assert (run.paths.checkpoints / "checkpoint-2").is_dir()
    state = json.loads((run.paths.checkpoints / "checkpoint-4" / "trainer_state.json").read_text())
    assert (state["best_metric"], state["best_global_step"]) == (1.0, 2)
    assert [entry["eval_anls"] for entry in state["log_history"] if "eval_anls" in entry] == [
        1.0,
        0.5,
    ]
