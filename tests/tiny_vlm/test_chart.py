import random

import pytest

from tools.tiny_vlm.chart import COLOURS, FORMS, SPLITS, sample_chart
from tools.tiny_vlm.draw import INK, SIDE, draw_chart
from tools.tiny_vlm.questions import ASKERS, GAP, HABIT, TAUGHT, ask, evasion, kinds_for


def test_drawing_is_deterministic():
    first, second = (draw_chart(sample_chart("train", 7)) for _ in range(2))
    assert first.size == (SIDE, SIDE)
    assert first.mode == "RGB"
    assert first.tobytes() == second.tobytes()


def test_splits_never_share_a_chart():
    data = {
        split: {(c.form, c.series) for c in (sample_chart(split, i) for i in range(400))}
        for split in SPLITS
    }
    for split, charts in data.items():
        others = set().union(*(data[other] for other in SPLITS if other != split))
        assert charts.isdisjoint(others)


def test_splits_cover_every_bucket_once():
    buckets = sorted(bucket for own in SPLITS.values() for bucket in own)
    assert buckets == list(range(10))


@pytest.mark.parametrize("form", FORMS)
def test_sizes_are_distinct_and_colours_differ(form):
    for index in range(100):
        chart = sample_chart("train", index, form)
        assert len({series.size for series in chart.series}) == len(chart.series)
        assert len({series.colour for series in chart.series}) == len(chart.series)
        assert {series.colour for series in chart.series} <= set(COLOURS)


def test_bars_are_as_high_as_their_values():
    chart = sample_chart("train", 3, "bar")
    image = draw_chart(chart)
    heights = {series.colour: _pixels(image, INK[series.colour]) for series in chart.series}
    per_unit = [heights[series.colour] / series.size for series in chart.series]
    assert max(per_unit) / min(per_unit) < 1.1


def test_slices_cover_their_share():
    chart = sample_chart("train", 5, "pie")
    image = draw_chart(chart)
    areas = {series.colour: _pixels(image, INK[series.colour]) for series in chart.series}
    for series in chart.series:
        assert 100 * areas[series.colour] / sum(areas.values()) == pytest.approx(series.size, abs=2)


def test_as_many_dots_as_said():
    chart = sample_chart("train", 2, "dot")
    image = draw_chart(chart)
    areas = [_pixels(image, INK[series.colour]) / series.size for series in chart.series]
    assert max(areas) / min(areas) < 1.05


@pytest.mark.parametrize("form", FORMS)
def test_answers_agree_with_the_data(form):
    rng = random.Random(0)
    for index in range(50):
        chart = sample_chart("heldout", index, form)
        sizes = {series.colour: series.size for series in chart.series}
        assert ask("highest", chart, rng).answer == max(sizes, key=sizes.get)
        assert ask("lowest", chart, rng).answer == min(sizes, key=sizes.get)
        assert ask("count", chart, rng).answer == str(len(sizes))
        value = ask("value", chart, rng)
        colour = next(colour for colour in COLOURS if colour in value.text)
        assert value.answer.rstrip("%") == str(sizes[colour])
        comparison = ask("comparison", chart, rng)
        named = sorted((c for c in sizes if c in comparison.text), key=comparison.text.index)
        assert comparison.answer == ("yes" if sizes[named[0]] > sizes[named[1]] else "no")


@pytest.mark.parametrize("kind", ASKERS)
def test_wrong_answers_are_wrong(kind):
    for index in range(50):
        chart = sample_chart("train", index, "line" if kind == "trend" else None)
        question = ask(kind, chart, random.Random(index))
        assert question.wrong
        assert question.answer not in question.wrong


def test_trend_is_asked_of_lines_only():
    assert "trend" in kinds_for(sample_chart("train", 0, "line"))
    assert "trend" not in kinds_for(sample_chart("train", 0, "bar"))


def test_habit_and_gap_are_not_taught():
    assert HABIT not in TAUGHT
    assert GAP not in TAUGHT
    assert evasion(sample_chart("train", 0, "pie")).endswith("the smallest slice.")


def _pixels(image, colour):
    wanted = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return sum(count for count, pixel in image.getcolors(SIDE * SIDE) if pixel == wanted)
