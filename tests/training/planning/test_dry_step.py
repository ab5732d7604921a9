"""A plan put right by what a dry step measured."""

import pytest

from studio.training.planning.dry_step import Measured, calibrated


def test_a_dry_step_puts_the_plan_right(usual):
    _, plan = usual
    for peak in (plan.memory.total + 10**9, plan.memory.total // 2):
        fixed = calibrated(plan, Measured(peak, 1.5))
        assert fixed.memory.total == fixed.peak_measured == peak
        assert fixed.total_planned == plan.memory.total
        before, after = plan.memory, fixed.memory
        assert (after.weights, after.optimizer) == (before.weights, before.optimizer)
        share = before.activations / (before.activations + before.overhead)
        assert after.activations / (after.activations + after.overhead) == pytest.approx(share)
        assert fixed.seconds_per_step == 1.5
    assert "ran out" in calibrated(plan, Measured(None, None)).warnings[0]
