"""A device on which nothing fits."""

import pytest

from studio.core.errors import ConfigError
from studio.training.planning.device_memory import GIB, Target
from studio.training.planning.preflight_plan import plan_run


def test_a_device_too_small_for_any_plan_is_refused(runner):
    config = runner.config(method="dpo", batch={"per_device": 4, "total": 4})
    with pytest.raises(ConfigError) as caught:
        plan_run(config, runner.workspace, Target.parsed("64MB"))
    problem = caught.value.problems[0]
    assert caught.value.exit_code == 2 and problem.field == "model.id"
    assert "of 0.06 GiB: the smallest (batch.per_device: 1" in problem.message
    assert "gradient_checkpointing: true" in problem.message
    assert "smaller model" in problem.remedy
    needed = float(problem.message.split("needs ")[1].split()[0])
    roomy = Target("cuda", int((needed + 0.01) * GIB))
    plan, _ = plan_run(config, runner.workspace, roomy)
    assert any(item.total <= roomy.memory for item in plan.suggestions) or plan.fits
