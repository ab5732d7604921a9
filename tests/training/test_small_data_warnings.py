"""Rows too few or too much alike, told once."""

from dataclasses import replace

import pytest

from studio.runs.event_log import read_events
from studio.training.run_rows import load_run_data
from studio.training.small_data_warnings import narrow, report_narrow, small


@pytest.fixture(scope="module")
def config(shared_runner):
    return shared_runner.config(data={"source": "embedded:sft", "train": "train[:30]"})


@pytest.fixture(scope="module")
def data(shared_runner, config):
    return load_run_data(config, shared_runner.workspace, []).train


def same(data, rows=30):
    return replace(data, dataset=data.dataset.select([0] * rows), used=rows)


def test_few_rows_are_told_once(shared_runner, config, data):
    run = shared_runner.store.create(config)
    for rows in (data, data, same(data), same(data)):
        report_narrow(config, run.paths, rows)
    events = read_events(run.paths.events).events
    told = [event.values["id"] for event in events if event.type == "finding"]
    assert told == ["small-data", "narrow-data"]
    assert small(config, 99) is not None and small(config, 100) is None


def test_what_all_rows_share_is_named(data):
    assert narrow(data) is None
    finding = narrow(same(data))
    for words in ("100% have the same answer", "100% ask the same", "30 share 1 images"):
        assert words in finding.title
    assert finding.meaning and finding.remedy
    assert narrow(same(data, 19)) is None, "too few to judge"
