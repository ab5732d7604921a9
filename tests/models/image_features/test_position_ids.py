"""Positions with three axes, worked out by hand."""

import numpy as np

from studio.models.image_features.position_ids import grid_positions


def test_text_alone_counts_up_on_all_axes():
    found = grid_positions(np.zeros(4, dtype=bool), [], 2)
    assert found.tolist() == [[0, 1, 2, 3]] * 3


def test_an_image_spreads_over_its_grid_and_text_goes_on_behind_its_longer_side():
    pictured = np.array([False, False] + [True] * 6 + [False, False])
    time, height, width = grid_positions(pictured, [(1, 4, 6)], 2).tolist()
    assert time == [0, 1, 2, 2, 2, 2, 2, 2, 5, 6]
    assert height == [0, 1, 2, 2, 2, 3, 3, 3, 5, 6]
    assert width == [0, 1, 2, 3, 4, 2, 3, 4, 5, 6]


def test_what_follows_changes_no_position_before_it():
    pictured = np.array([False, True, True, True, True, False, True, False])
    whole = grid_positions(pictured, [(1, 4, 4), (1, 2, 2)], 2)
    assert (grid_positions(pictured[:6], [(1, 4, 4)], 2) == whole[:, :6]).all()
