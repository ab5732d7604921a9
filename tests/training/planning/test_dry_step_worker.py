"""What a dry step tries."""

from studio.runs.lr_range_result import RateSpan
from studio.training.lr_range_test import short_run
from studio.training.planning.dry_step_worker import _two_steps


def test_what_is_tried_here_is_tried_by_one_process_at_the_whole_batch(runner):
    config = runner.config(
        launch={"processes": 2, "engine": "hf-jobs:l4x4"}, batch={"per_device": 2, "total": 8}
    )
    short = short_run(config, RateSpan())
    assert (short.accumulation, short.launch.engine) == (4, "local")
    two = _two_steps(config, 2, 2)
    assert (two.accumulation, two.launch.processes) == (2, 1)
