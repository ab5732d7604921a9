"""The rate that is read off the losses of a range test."""

import math

import pytest

from studio.core.errors import ConfigError
from studio.runs.lr_range_result import RangeLosses, RangeResult, RateSpan
from studio.training.lr_range_test import range_test
from tests.training.one_step import OneStep


def taken(curve, steps=60):
    losses = RangeLosses(RateSpan(1e-5, 1.0, steps))
    for step in range(steps):
        losses.add(curve(losses.span.rate(step)))
        if losses.diverged:
            break
    return losses.result()


def test_the_rate_is_read_where_the_loss_falls_steepest_and_below_its_minimum():
    """A valley: falls most around 1e-3, is lowest at 1e-2, explodes after."""

    def valley(rate):
        place = math.log10(rate)
        fall = 2 - 1.8 / (1 + math.exp(-4 * (place + 3)))
        return fall + max(0.0, place + 1.5) ** 2 * 20

    found = taken(valley)
    assert 3e-4 < found.steepest < 6e-3
    assert found.suggested == min(found.steepest, found.tenth)
    assert found.diverged and len(found.points) < 60
    assert RangeResult.from_json(found.to_json()) == found


def test_no_number_stops_it_and_rising_losses_suggest_no_fall():
    found = taken(lambda rate: math.nan if rate > 1e-3 else 1.0)
    assert found.diverged and all(math.isfinite(point.loss) for point in found.points)
    assert taken(lambda rate: 1 + rate).steepest is None
    assert taken(lambda rate: math.nan).suggested is None


@pytest.mark.parametrize(
    ("span", "field"),
    [
        (RateSpan(1e-2, 1e-3), "optimizer.learning_rate"),
        (RateSpan(0, 1e-3), "optimizer.learning_rate"),
        (RateSpan(steps=3), "schedule.max_steps"),
    ],
)
def test_a_span_that_is_none_is_refused(tmp_path, span, field):
    one = OneStep(tmp_path)
    with pytest.raises(ConfigError) as caught:
        range_test(one.config(), one.workspace, span)
    assert caught.value.field == field and caught.value.remedy
