"""What came of a run, in one line."""

from studio.runs.curves import Diary
from studio.runs.event_log import EventLog
from studio.runs.outcome import results


def metrics(log, step, **values):
    log.append("metrics", step=step, **values)


def test_what_came_of_a_run(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    for step in range(1, 31):
        log.append("metrics", step=step, loss=float(step <= 10))
    log.append("evaluation", step=10, eval_loss=2.0)
    log.append("evaluation", step=30, eval_loss=1.0)
    loss, evaluation = results(Diary(log.path).refresh())
    assert (loss.before, loss.after, loss.best) == (1.0, 0.0, None)
    assert (evaluation.before, evaluation.after, evaluation.best) == (2.0, 1.0, None)
    log.append("evaluation", step=40, eval_loss=3.0)
    evaluation = results(Diary(log.path).refresh())[1]
    assert (evaluation.after, evaluation.best, evaluation.best_step) == (3.0, 1.0, 30)
