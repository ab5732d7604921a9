"""The range test as the studio asks for it: step by step from another process, or an error."""

import pytest

from studio.config import files
from studio.errors import ConfigError
from studio.paths import Workspace
from studio.runs.lr_range import Point, RangeResult, Span
from studio.services.lr_range import range_test


def test_steps_come_one_by_one_and_the_result_last(tmp_path):
    config = files.parse(
        {
            "data": {"source": "embedded:sft", "train": "train[:2]"},
            "adapter": {"rank": 4},
            "batch": {"per_device": 2, "total": 2},
        }
    )
    *points, found = range_test(config, Workspace.locate(tmp_path), Span(1e-4, 1e-2, 10))
    assert all(isinstance(point, Point) for point in points) and len(points) == 10
    assert isinstance(found, RangeResult) and found.points == points


def test_a_span_that_is_none_is_refused_at_once(tmp_path):
    config = files.parse({"data": {"source": "embedded:sft", "train": "train[:2]"}})
    with pytest.raises(ConfigError) as caught:
        list(range_test(config, Workspace.locate(tmp_path), Span(1e-2, 1e-4)))
    assert caught.value.field == "optimizer.learning_rate"
