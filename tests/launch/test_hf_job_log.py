"""What a job prints: its losses become the run's curve, once."""

import pytest

from studio.core.paths import Workspace
from studio.launch.hf_job_log import JobLog, metrics_in
from studio.runs.curves import Diary
from studio.runs.event_log import read_events
from studio.runs.store import RunStore
from tests.launch.job_runs import job_config

LINES = [
    "Downloading …",
    "{'loss': '2.0', 'epoch': '0.1'}",
    "{'eval_loss': '1.75'}",
    "{'loss': 1.5}",
    "{'train_runtime': '9.0'}",
]


@pytest.fixture
def run(tmp_path):
    return RunStore(Workspace.locate(tmp_path)).create(job_config())


def test_steps_are_counted_by_losses():
    assert list(metrics_in(LINES, 5)) == [
        (5, {"loss": 2.0, "epoch": 0.1}),
        (5, {"eval_loss": 1.75}),
        (10, {"loss": 1.5}),
    ]


@pytest.mark.parametrize("line", ["{'loss': 'much'}", "{'loss': ", "{1, 2}", "{'a': print()}"])
def test_a_line_that_only_looks_like_numbers_is_none(line):
    assert list(metrics_in([line, "{'loss': '1'}"], 1)) == [(1, {"loss": 1.0})]


def test_a_log_that_is_read_again_adds_what_is_new(run):
    log = JobLog(run)
    log.take(LINES[:2])
    log.take(LINES[:4])
    JobLog(run).take(LINES)  # a monitor that was started again
    kinds = [event.type for event in read_events(run.paths.events).events]
    assert (kinds.count("metrics"), kinds.count("evaluation")) == (2, 1)
    diary = Diary(run.paths.events).refresh()
    assert diary.series["loss"] == [(1, 2.0), (2, 1.5)]
    assert diary.series["eval_loss"] == [(1, 1.75)]
    assert RunStore(Workspace.locate(run.paths.root.parent.parent)).get(run.run_id).status.step == 2
    log.take(LINES[:4])
    assert run.paths.log.read_text("utf-8").splitlines()[:4] == LINES[:4]
