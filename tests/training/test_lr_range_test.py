"""The range test: rates that grow, a loss that is watched, a rate that can be used."""

import math

from studio.runs.event_log import read_events
from studio.runs.lr_range_result import RateSpan
from studio.training.lr_range_test import range_test
from tests.training.one_step import OneStep


def test_the_embedded_model_is_tested_with_its_own_rates_and_events(tmp_path):
    one, span, told = OneStep(tmp_path), RateSpan(1e-4, 10.0, 14), []
    config = one.config(
        data={"source": "embedded:sft", "train": "train[:4]"}, adapter={"lora_plus_ratio": 2}
    )
    found = range_test(config, one.workspace, span, told.append, tmp_path / "events.jsonl")
    assert found.points == [point for point in told if math.isfinite(point.loss)]
    assert [point.rate for point in found.points] == [
        span.rate(n) for n in range(len(found.points))
    ]
    events = read_events(tmp_path / "events.jsonl").events
    assert [event.values["rate"] for event in events] == [point.rate for point in told]
    losses = [point.loss for point in found.points]
    assert min(losses) < losses[0] and span.low <= found.suggested < 10
    assert not list(one.workspace.runs.iterdir())
