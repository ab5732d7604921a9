"""Draws a chart with Pillow: a 384-pixel square, antialiased, identical for identical data.

The text is for people; every answer can be read from shapes and colours alone.
"""

from __future__ import annotations

import random
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from tools.tiny_vlm.chart import SCALE, Chart, Series

SIDE = 384
OVERSAMPLE = 2
PLOT = (44, 62, 364, 352)
"""Left, top, right and bottom of the plot, in pixels of the finished image."""

INK = {
    "red": "#e5484d",
    "blue": "#3b82f6",
    "green": "#2f9e63",
    "yellow": "#f4c20d",
    "purple": "#8b45c9",
}
PAPERS = ("#ffffff", "#fbfaf7", "#f6f8fb")
GRID, TEXT, TITLE = "#dfe3e8", "#7b8794", "#1f2933"
DOT_RADIUS = 20


def draw_chart(chart: Chart) -> Image.Image:
    """The chart as an RGB image of 384 x 384 pixels."""
    rng = random.Random(chart.look)
    paper = rng.choice(PAPERS)
    pen = _Pen(paper)
    pen.text((24, 22), chart.title, 20, TITLE, "lm")
    PAINTERS[chart.form](pen, chart, rng, paper)
    return pen.image.reduce(OVERSAMPLE)


class _Pen:
    """ImageDraw in finished-image pixels, drawing on an oversampled canvas."""

    def __init__(self, paper: str) -> None:
        self.image = Image.new("RGB", (SIDE * OVERSAMPLE, SIDE * OVERSAMPLE), paper)
        self._draw = ImageDraw.Draw(self.image)

    def rectangle(self, box: tuple[float, ...], fill: str, radius: float) -> None:
        self._draw.rounded_rectangle(
            _scaled(box), radius * OVERSAMPLE, fill, corners=(True, True, False, False)
        )

    def line(self, points: list[tuple[float, float]], fill: str, width: int) -> None:
        flat = [_scaled(point) for point in points]
        self._draw.line(flat, fill, width * OVERSAMPLE, joint="curve")

    def circle(self, centre: tuple[float, float], radius: float, fill: str) -> None:
        self._draw.circle(_scaled(centre), radius * OVERSAMPLE, fill)

    def slice(self, box: tuple[float, ...], start: float, end: float, fill: str, edge: str) -> None:
        self._draw.pieslice(_scaled(box), start, end, fill, edge, 2 * OVERSAMPLE)

    def text(self, at: tuple[float, float], text: str, size: int, fill: str, anchor: str) -> None:
        self._draw.text(_scaled(at), text, fill, _font(size * OVERSAMPLE), anchor)


def _scaled(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(number * OVERSAMPLE for number in numbers)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _height(value: float) -> float:
    """The y coordinate of a value on the axis, in pixels."""
    _, top, _, bottom = PLOT
    return bottom - (bottom - top) * value / SCALE


def _axis(pen: _Pen) -> None:
    left, _, right, _ = PLOT
    for value in range(0, SCALE + 1):
        pen.line([(left, _height(value)), (right, _height(value))], GRID, 1)
        pen.text((left - 10, _height(value)), str(value), 13, TEXT, "rm")


def _paint_bars(pen: _Pen, chart: Chart, rng: random.Random, paper: str) -> None:
    _axis(pen)
    left, _, right, _ = PLOT
    step = (right - left) / len(chart.series)
    width = min(56, step * 0.66)
    for place, series in enumerate(rng.sample(chart.series, len(chart.series))):
        middle = left + step * (place + 0.5)
        box = (middle - width / 2, _height(series.size), middle + width / 2, _height(0))
        pen.rectangle(box, INK[series.colour], 5)


def _paint_lines(pen: _Pen, chart: Chart, rng: random.Random, paper: str) -> None:
    _axis(pen)
    for series in rng.sample(chart.series, len(chart.series)):
        points = _points(series)
        pen.line(points, INK[series.colour], 9)
        for point in points:
            pen.circle(point, 12, INK[series.colour])


def _points(series: Series) -> list[tuple[float, float]]:
    left, _, right, _ = PLOT
    step = (right - left - 32) / (len(series.values) - 1)
    return [(left + 16 + step * i, _height(value)) for i, value in enumerate(series.values)]


def _paint_pie(pen: _Pen, chart: Chart, rng: random.Random, paper: str) -> None:
    left, top, right, bottom = PLOT
    radius = (bottom - top) / 2 - 4
    x, y = (left + right) / 2, (top + bottom) / 2
    angle = -90.0
    for series in rng.sample(chart.series, len(chart.series)):
        end = angle + series.size * 3.6
        pen.slice(
            (x - radius, y - radius, x + radius, y + radius), angle, end, INK[series.colour], paper
        )
        angle = end


def _paint_dots(pen: _Pen, chart: Chart, rng: random.Random, paper: str) -> None:
    _axis(pen)
    left, top, right, bottom = PLOT
    cells = [(column, row) for column in range(5) for row in range(4)]
    colours = [series.colour for series in chart.series for _ in range(series.size)]
    for colour, (column, row) in zip(colours, rng.sample(cells, len(colours)), strict=True):
        x = left + (right - left) * (column + 0.5 + rng.uniform(-0.2, 0.2)) / 5
        y = top + (bottom - top) * (row + 0.5 + rng.uniform(-0.2, 0.2)) / 4
        pen.circle((x, y), DOT_RADIUS, INK[colour])


PAINTERS = {"bar": _paint_bars, "line": _paint_lines, "pie": _paint_pie, "dot": _paint_dots}
