"""Finding the rows at once: what the plan allows, what a dry step allows, always divisors."""

import pytest

from studio.config.speed import SAVINGS
from studio.core.errors import ConfigError
from studio.training.planning import batch_finder
from studio.training.planning.batch_finder import find_batch_size, possible_sizes
from studio.training.planning.device_memory import GIB, Target
from studio.training.planning.dry_step import Measured
from studio.training.planning.preflight_plan import plan_run

OFF = dict.fromkeys(SAVINGS, "off")


@pytest.fixture(scope="module")
def config(shared_runner):
    rows = {"train": "train[:24]"}
    return shared_runner.config(data=rows, speed=OFF, batch={"per_device": 1, "total": 12})


def planned(runner, config, size):
    batch = config.batch.model_copy(update={"per_device": size})
    plan, _ = plan_run(config.model_copy(update={"batch": batch}), runner.workspace, Target.gpu(24))
    return plan.memory.total


def test_the_largest_divisor_whose_plan_fits(shared_runner, config):
    room = planned(shared_runner, config, 4) + 2**20
    found = find_batch_size(config, shared_runner.workspace, Target("cuda", room))
    assert (found.per_device, found.accumulation, found.total) == (4, 3, 12)
    assert found.fits and found.planned <= room < found.larger_planned and found.larger == 6
    assert found.planned == planned(shared_runner, config, 4)
    assert "4 rows at once × 3 accumulated = 12" in found.sentence


def test_everything_or_nothing_fits(shared_runner, config):
    roomy = find_batch_size(config, shared_runner.workspace, Target.gpu(24))
    assert (roomy.per_device, roomy.larger) == (12, None)
    tight = find_batch_size(config, shared_runner.workspace, Target("cuda", 2**20))
    assert tight.per_device == 1 and not tight.fits and "Even 1 row" in tight.sentence


def test_a_dry_step_that_runs_out_of_memory_means_the_next_smaller(
    shared_runner, config, monkeypatch
):
    asked = []

    def measure(config, workspace, stopped=None):
        asked.append(config.batch.per_device)
        return Measured(GIB, 0.5) if asked[-1] <= 4 else Measured(None, None)

    monkeypatch.setattr(batch_finder, "measure", measure)
    found = find_batch_size(config, shared_runner.workspace, confirm=True)
    assert asked == [12, 6, 4] and found.tried == [12, 6]
    assert (found.per_device, found.measured, found.seconds_per_step) == (4, GIB, 0.5)
    with pytest.raises(ConfigError, match="this machine"):
        find_batch_size(config, shared_runner.workspace, Target.gpu(8), confirm=True)


def test_sizes_keep_the_effective_batch(shared_runner):
    config = shared_runner.config(batch={"per_device": 1, "total": 24}, launch={"processes": 2})
    assert possible_sizes(config, rows=1000) == [1, 2, 3, 4, 6, 12]
    assert possible_sizes(config, rows=5) == [1, 2, 3, 4]
