"""Rows of a step, in the order of their sizes."""

from studio.training.fast_path.batching import StepSampler


def test_rows_move_within_their_step_only():
    sizes = [(9,), (1,), (5,), (3,), (8,), (2,), (7,)]
    order = list(StepSampler(range(7), 3, sizes))
    assert order == [1, 2, 0, 5, 3, 4, 6]
