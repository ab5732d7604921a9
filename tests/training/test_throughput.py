"""Pace, memory and drift of a run."""

import pytest

from studio.runs.curves import Diary


def test_pace_memory_and_drift_are_recorded(shared_runner):
    run, _ = shared_runner.run(shared_runner.config(method="dpo", batch={"total": 8}))
    diary = Diary(run.paths.events).refresh()
    for name in ("samples_per_second", "tokens_per_second", "memory_gb", "drift", "logps/chosen"):
        assert len(diary.series[name]) == 2, name
    beta = run.config.dpo.beta
    chosen, rejected = diary.last("rewards/chosen"), diary.last("rewards/rejected")
    assert diary.last("drift") == pytest.approx(-(chosen + rejected) / 2 / beta)
