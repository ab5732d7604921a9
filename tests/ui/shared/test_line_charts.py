"""Charts are inert text and numbers, whatever the names and values."""

import re

import pytest

from studio.ui.shared.line_charts import ChartLook, Line, chart


@pytest.mark.parametrize("value", [1e-4, -3.0, 0.0])
@pytest.mark.parametrize("log", [False, True])
def test_a_flat_line_has_ticks_around_it(value, log):
    drawn = chart("Flat", [Line("", [(1, value), (9, value)])], look=ChartLook(log=log))
    heights = {float(y) for y in re.findall(r",([\d.]+)", re.search('points="([^"]*)"', drawn)[1])}
    assert len(heights) == 1 and drawn.count("tick-y") >= 2
    assert 0 < heights.pop() < 100 or not value or log


def test_nothing_to_draw_gives_nothing():
    assert chart("Loss", [Line("training", [])]) == ""


def test_names_are_escaped():
    drawn = chart("<b>", [Line("<script>", [(1, 1.0), (2, 2.0)])])
    assert "<script>" not in drawn and "<b></b>" not in drawn
    assert "&lt;script&gt;" in drawn


def test_flat_and_single_point_curves_are_drawn():
    assert 'class="dot"' in chart("Loss", [Line("training", [(5, 2.0)])])
    assert "polyline" in chart("Loss", [Line("training", [(1, 2.0), (9, 2.0)])])


def test_axis_reaches_to_the_planned_end():
    assert 'data-right="200"' in chart("Loss", [Line("t", [(1, 2.0), (9, 1.0)])], last_step=200)


def test_summary_for_screen_readers_has_the_ends():
    drawn = chart("Accuracy", [Line("training", [(1, 0.5), (9, 1.0)])], percent=True)
    assert "Accuracy: training from 50 % to 100 %, steps 1 to 9" in drawn


def test_log_scale_spreads_decades_evenly():
    points = [(1, 1.0), (2, 10.0), (3, 100.0)]
    drawn = chart("Loss", [Line("t", points)], look=ChartLook(log=True))
    assert "0.00,100.00 50.00,50.00 100.00,0.00" in drawn


def test_log_scale_is_left_where_values_reach_zero():
    points = [(1, 0.0), (2, 10.0)]
    assert chart("Loss", [Line("t", points)], look=ChartLook(log=True)) == chart(
        "Loss", [Line("t", points)]
    )


def ticks(drawn):
    return re.findall('class="tick-y"[^>]*>([^<]*)<', drawn)


def test_small_numbers_are_written_alike_along_an_axis():
    drawn = chart("Learning rate", [Line("", [(1, 1e-4), (9, 0.0)])])
    assert ticks(drawn) == ["0", "2.5e-5", "5e-5", "7.5e-5", "1e-4"]


def test_a_narrow_log_scale_has_round_ticks():
    drawn = chart("Loss", [Line("", [(1, 1.43), (9, 0.571)])], look=ChartLook(log=True))
    assert ticks(drawn) == ["0.75", "1", "1.25"]


def test_ticks_that_are_close_together_are_told_apart():
    drawn = chart("Memory", [Line("", [(1, 1.0102), (2, 1.0181)])])
    labels = re.findall(r'class="tick-y"[^>]*>([^<]*)<', drawn)
    assert len(set(labels)) == len(labels) > 2 and labels[0].startswith("1.01")
