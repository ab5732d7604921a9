"""Line charts as HTML and SVG that redraw without flicker and follow light and dark.

The lines are an SVG stretched to the place there is; words and numbers are HTML laid over it in
percent, so that they keep their size. assets/web/shared/curve-crosshair.js adds the crosshair, assets/web/runs/curve-picture.js draws
the same charts into a picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from studio.runs.curve_thinning import Points
from studio.runs.curves import smooth

SMOOTH_FROM = 20
TICKS = 4
Form = Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """One curve; `tone` is a colour token of base.css (`accent`, `chosen`, `rejected`, `tie`)."""

    label: str
    points: Points
    tone: str = "accent"
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True)
class ChartLook:
    """How curves are drawn.

    Attributes:
        smoothing: Weight of the moving average, 0 (as recorded) to below 1.
        log: Logarithmic vertical axis, where all values are above 0.
    """

    smoothing: float = 0.0
    log: bool = False


@dataclass(frozen=True)
class _Scale:
    left: float
    right: float
    low: float
    high: float
    log: bool = False

    def x(self, step: float) -> float:
        return 100 * (step - self.left) / ((self.right - self.left) or 1)

    def y(self, value: float) -> float:
        low, high, value = map(self._flat, (self.low, self.high, value))
        return 100 - 100 * (value - low) / ((high - low) or 1)

    def _flat(self, value: float) -> float:
        return math.log10(value) if self.log else value


def chart(
    title: str,
    lines: list[Line],
    *,
    last_step: int = 0,
    percent: bool = False,
    look: ChartLook | None = None,
    unit: str = "step",
) -> str:
    """A figure with a title, direct labels and about four ticks a side; empty without points.

    Args:
        last_step: Where the horizontal axis ends at least, so that the curve shows how far it is.
        percent: Values are shares, drawn on 0 to 1 and written in percent.
        unit: What the horizontal axis counts.
    """
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    look = look or ChartLook()
    scale = _scale(lines, last_step, percent, look.log)
    form = as_percent if percent else number
    drawn = "".join(_paths(line, scale, look.smoothing) for line in lines)
    data = json.dumps(
        [{"label": line.label, "tone": line.tone, "points": _short(line.points)} for line in lines],
        separators=(",", ":"),
    )
    return (
        f'<figure class="plot"><figcaption>{escape(title)}{_legend(lines, form)}</figcaption>'
        f'<div class="plot-body" data-lines="{escape(data)}" data-left="{scale.left:g}" '
        f'data-right="{scale.right:g}" data-percent="{int(percent)}" '
        f'data-unit="{escape(unit)}">'
        f'{_ticks(scale, form)}<svg viewBox="0 0 100 100" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(_summary(title, lines, form))}">{drawn}</svg>'
        '<div class="plot-cross" hidden></div><div class="plot-tip" hidden></div></div></figure>'
    )


def _short(points: Points) -> list[list[float]]:
    """Six digits, more than the tip shows: half as much to send."""
    return [[step, float(f"{value:.6g}")] for step, value in points]


def _scale(lines: list[Line], last_step: int, percent: bool, log: bool) -> _Scale:
    left = min(line.points[0][0] for line in lines)
    right = max(*(line.points[-1][0] for line in lines), last_step, 1)
    if percent:
        return _Scale(left, right, 0.0, 1.0)
    values = [value for line in lines for _, value in line.points]
    low, high = min(values), max(values)
    if low == high:  # a flat line, in the middle
        low, high = min(0.0, 2 * low), max(0.0, 2 * high) or float(not low)
    if log and low > 0:
        return _Scale(left, right, low, max(high, low * 1.01), log=True)
    if low >= 0 and low < 0.35 * high:
        low = 0.0
    step = _nice((high - low) / TICKS or abs(high) or 1.0)
    return _Scale(left, right, math.floor(low / step) * step, math.ceil(high / step) * step)


def _nice(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * size for size in (1, 2, 2.5, 5, 10) if power * size >= rough * 0.999)


def _stops(low: float, high: float, whole: bool = False) -> list[float]:
    step = _nice((high - low) / TICKS or 1.0)
    if whole:
        step = max(1, round(step))
    first = math.ceil(low / step - 1e-6)
    last = math.floor(high / step + 1e-6)
    return [index * step for index in range(first, last + 1)]


def _log_stops(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    sizes = (1, 2, 5) if high / low < 1000 else (1,)
    stops = [size * 10.0**power for power in decades for size in sizes]
    inside = [stop for stop in stops if low * 0.999 <= stop <= high * 1.001]
    if len(inside) < 2:
        inside = [stop for stop in _stops(low, high) if stop > 0]
    return inside if len(inside) > 1 else [low, high]


def _ticks(scale: _Scale, form: Form) -> str:
    stops = (_log_stops if scale.log else _stops)(scale.low, scale.high)
    parts = [
        f'<i class="grid" style="top:{scale.y(value):.2f}%"></i>'
        f'<span class="tick-y" style="top:{scale.y(value):.2f}%">{label}</span>'
        for value, label in zip(stops, _labels(stops, form), strict=True)
    ]
    parts += [
        f'<span class="tick-x" style="left:{scale.x(step):.2f}%">{step:,.0f}</span>'
        for step in _stops(scale.left, scale.right, whole=True)
    ]
    return "".join(parts)


def _labels(stops: list[float], form: Form) -> list[str]:
    """Return the ticks in words, with more digits where they would read alike."""
    labels = [form(stop) for stop in stops]
    for digits in range(4, 9):
        if len(set(labels)) == len(labels):
            break
        labels = [f"{stop:.{digits}g}" for stop in stops]
    return labels


def _paths(line: Line, scale: _Scale, smoothing: float) -> str:
    colour = f"var(--studio-{line.tone})"
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    if len(line.points) == 1 or line.dots:
        marks = "".join(
            f'<path d="M{scale.x(s):.2f} {scale.y(v):.2f}h0" stroke="{colour}" class="dot"/>'
            for s, v in line.points
        )
        return marks + (_path(line.points, scale, colour, dash) if len(line.points) > 1 else "")
    if not smoothing or len(line.points) < SMOOTH_FROM:
        return _path(line.points, scale, colour, dash)
    return _path(line.points, scale, colour, dash, "raw") + _path(
        smooth(line.points, smoothing), scale, colour, dash
    )


def _path(points: Points, scale: _Scale, colour: str, dash: str, kind: str = "line") -> str:
    steps = " ".join([f"{scale.x(step):.2f},{scale.y(value):.2f}" for step, value in points])
    return f'<polyline class="{kind}" points="{steps}" stroke="{colour}"{dash}/>'


def _legend(lines: list[Line], form: Form) -> str:
    return "".join(
        f'<span class="key{" dashed" if line.dashed else ""}" '
        f'style="--tone:var(--studio-{line.tone})">{escape(line.label)} '
        f"<b>{form(line.points[-1][1])}</b></span>"
        for line in lines
    )


def _summary(title: str, lines: list[Line], form: Form) -> str:
    ends = ", ".join(
        f"{line.label} from {form(line.points[0][1])} to {form(line.points[-1][1])}"
        for line in lines
    )
    return f"{title}: {ends}, steps {lines[0].points[0][0]} to {lines[0].points[-1][0]}"


def number(value: float) -> str:
    """Return a value in about three digits."""
    if value and (abs(value) >= 1e7 or abs(value) < 0.001):
        digits, power = f"{value:.2e}".split("e")
        return f"{float(digits):g}e{int(power)}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def as_percent(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.3g} %"
