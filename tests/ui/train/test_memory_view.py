"""A plan's memory: the bar, whether it fits, and planned beside measured."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from studio.ui.train.memory_view import GIB, Measurement, memory, size, where
from tests.ui.fake_planner import PLAN

ROOM = replace(PLAN, device_memory=20 * GIB)


def measured(peak: int | None) -> Measurement:
    return Measurement("key", "these settings", peak, 1.0)


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (310 * 2**20, "0.303 GiB"), (64 * 2**20, "64 MiB"), (9.12 * GIB, "9.12 GiB")],
)
def test_bytes_in_words(number, words):
    assert size(number) == words


def test_parts_fill_the_bar_up_to_the_device_s_memory():
    shown = memory(ROOM)
    widths = [
        float(found)
        for found in re.findall(r"<i class=\"part-\w+\" style=\"width:([\d.]+)%", shown)
    ]
    assert sum(widths) == pytest.approx(50, abs=0.1) and "✓ fits" in shown
    assert "limit" not in shown and 'class="part-reference none"' in shown


def test_what_does_not_fit_says_so_and_shows_where_the_memory_ends():
    shown = memory(PLAN)
    assert "✕ does not fit" in shown and '<u class="limit" style="left:80.00%">' in shown


def test_measured_stands_beside_planned():
    assert "(25 % more)" in memory(ROOM, measured(8 * GIB))
    assert "(50 % less)" in memory(ROOM, measured(20 * GIB))
    assert "memory ran out in the dry step" in memory(ROOM, measured(None))
    assert "Measured" not in memory(ROOM)


def test_a_peak_beyond_the_device_widens_the_bar():
    shown = memory(ROOM, measured(40 * GIB))
    assert '<u class="limit" style="left:50.00%">' in shown
    assert '<u class="peak" style="left:100.00%">' in shown


def test_without_a_plan_of_memory_nothing_is_shown():
    assert memory(replace(PLAN, memory=None)) == ""


def test_devices_in_words():
    assert [where(replace(PLAN, device=device)) for device in ("cuda", "mps", "cpu", "npu")] == [
        "GPU", "Apple GPU", "CPU", "npu",
    ]  # fmt: skip
