"""The device that a plan is for, and its memory."""

import pytest

from studio.core.errors import ConfigError
from studio.training.planning.device_memory import GIB, Target
from studio.training.planning.dry_step_worker import dry_step
from studio.training.planning.preflight_plan import checked


@pytest.mark.parametrize(
    ("text", "size"), [("8", 8 * GIB), ("7.5GiB", 7.5 * GIB), ("512 mb", GIB // 2)]
)
def test_device_memory_is_read_as_gpus_are_sold(text, size):
    assert Target.parsed(text) == Target("cuda", size)


@pytest.mark.parametrize("text", ["much", "0GB", "-8", ""])
def test_device_memory_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="Write it as 8GB"):
        Target.parsed(text)


def test_a_plan_is_for_where_the_run_goes(runner):
    """A job's GPU; a share of main memory for each of several processes here."""
    engines = {"hf-jobs:l4x1": 24, "hf-jobs:l40sx4": 48, "hf-jobs:a100-large": 80}
    for engine, gigabytes in engines.items():
        start = checked(runner.config(launch={"engine": engine}), runner.workspace)
        assert start.target == Target.gpu(gigabytes) and not start.here
    alone = checked(runner.config(), runner.workspace).target
    two = checked(runner.config(launch={"processes": 2}, batch={"per_device": 2}), runner.workspace)
    assert two.here and two.target.memory == alone.memory // 2
    assert two.target.place == "a process's share of this machine"
    assert Target.gpu(8).shared(2) == Target.gpu(8)
    sent = runner.config(launch={"engine": "hf-jobs:l4x1"})
    with pytest.raises(ConfigError, match="this machine") as caught:
        dry_step(sent, runner.workspace)
    assert caught.value.field == "launch.engine"
