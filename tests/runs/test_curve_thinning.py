"""Curves with fewer points keep their spikes and ends."""

import random

from studio.runs.curve_thinning import Thinned


def test_thinning_keeps_the_spike_and_the_ends():
    points = [(step, 0.0) for step in range(10_000)]
    points[7_321] = (7_321, 9.0)
    kept = Thinned(500).update(points)
    assert len(kept) <= 500
    assert (7_321, 9.0) in kept
    assert kept[0] == points[0] and kept[-1] == points[-1]
    assert kept == sorted(kept)


def test_a_growing_curve_is_thinned_as_if_from_scratch():
    chance = random.Random(3)
    points, growing = [], Thinned(50)
    for step in range(3000):
        points.append((step, chance.random()))
        if step % 7 == 0:
            kept = growing.update(points)
            assert kept == Thinned(50).update(points) and len(kept) <= 50
    assert max(points, key=lambda point: point[1]) in growing.update(points)
    mirrored = [(step, -value) for step, value in points]
    assert growing.update(mirrored) == Thinned(50).update(mirrored)
