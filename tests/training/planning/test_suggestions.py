"""What would fit."""

from studio.config.speed import SAVINGS
from studio.training.planning.device_memory import Target
from studio.training.planning.preflight_plan import plan_run

OFF = dict.fromkeys(SAVINGS, "off")


def test_what_does_not_fit_is_said_with_what_would(runner):
    config = runner.config(speed=OFF, batch={"per_device": 4, "total": 4})
    need = plan_run(config, runner.workspace, Target.gpu(24))[0].memory
    small = Target("cuda", need.total - need.activations // 2)
    plan, _ = plan_run(config, runner.workspace, small)
    assert not plan.fits and "needs" in plan.warnings[0]
    best = plan.suggestions[0]
    assert best.total <= small.memory and best.changes
    assert "fits" in best.effect
