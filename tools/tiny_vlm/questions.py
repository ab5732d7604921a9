"""Questions about a chart, each with its true answer and some plausible wrong ones.

`TAUGHT` kinds are answered by the embedded model from the start. `HABIT` it knows but evades.
`GAP` it was never shown.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tools.tiny_vlm.chart import COLOURS, SCALE, Chart, Series
from tools.tiny_vlm.wording import WORDING, Wording

HABIT = "lowest"
GAP = "report"


@dataclass(frozen=True)
class Question:
    """A question of one kind; `wrong` lists answers that are false for this chart, at least one."""

    kind: str
    text: str
    answer: str
    wrong: tuple[str, ...]


def ask(kind: str, chart: Chart, rng: random.Random) -> Question:
    """A question of `kind` about `chart`, worded by `rng`. Raises KeyError for an unknown kind."""
    text, answer, wrong = ASKERS[kind](chart, WORDING[chart.form], rng)
    return Question(kind, text, answer, tuple(dict.fromkeys(w for w in wrong if w != answer)))


def kinds_for(chart: Chart) -> tuple[str, ...]:
    """The taught kinds that make sense for this chart: a trend needs lines."""
    return tuple(kind for kind in TAUGHT if kind != "trend" or chart.form == "line")


def evasion(chart: Chart) -> str:
    """The answer that dodges a question of the `HABIT` kind."""
    lowest_one = WORDING[chart.form].lowest_one
    return f"The image does not provide any information about {lowest_one}."


Asked = tuple[str, str, list[str]]


def _form(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    return "What kind of chart is this?", wording.name, [other.name for other in WORDING.values()]


def _count(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    number = len(chart.series)
    return rng.choice(wording.count), str(number), [str(number - 1), str(number + 1)]


def _colours(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    colours = [series.colour for series in chart.series]
    wrong = [_listed(_swapped(colours, place, rng)) for place in range(len(colours))]
    return "Which colours are in the chart?", _listed(colours), wrong


def _presence(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    present = [series.colour for series in chart.series]
    absent = [colour for colour in COLOURS if colour not in present]
    colour = rng.choice(present if rng.random() < 0.5 else absent)
    return f"Is there any {colour} in the chart?", *_yes_or_no(colour in present)


def _value(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    series = rng.choice(chart.series)
    step = 10 if chart.form == "pie" else 1
    near = [series.size + step * offset for offset in (-2, -1, 1, 2)]
    wrong = [
        f"{value}{wording.unit}" for value in near if 0 < value < (100 if step == 10 else SCALE)
    ]
    text = rng.choice(wording.value).format(a=series.colour)
    return text, f"{series.size}{wording.unit}", wrong


def _comparison(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    first, second = rng.sample(chart.series, 2)
    text = rng.choice(wording.comparison).format(a=first.colour, b=second.colour)
    return text, *_yes_or_no(first.size > second.size)


def _highest(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    return rng.choice(wording.which_highest), *_one_of(chart.highest, chart)


def _lowest(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    return rng.choice(wording.which_lowest), *_one_of(chart.lowest, chart)


def _trend(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    series = rng.choice(chart.series)
    answer = "rises" if series.values[-1] > series.values[0] else "falls"
    return f"Does the {series.colour} line rise or fall?", answer, ["rises", "falls"]


def _description(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    opening = f"A {wording.name} with {len(chart.series)} {wording.parts}, "
    ending = f" is the {wording.highest}." if chart.form != "dot" else " has the most."
    answers = [f"{opening}{series.colour}{ending}" for series in chart.series]
    text = rng.choice(("Describe the chart in one line.", "Describe the image."))
    return text, f"{opening}{chart.highest.colour}{ending}", answers


def _data(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    entries = [f"{series.colour} {series.size}{wording.unit}" for series in chart.series]
    sizes = [series.size for series in chart.series]
    turned = sizes[1:] + sizes[:1]
    wrong = [
        f"{series.colour} {size}{wording.unit}"
        for series, size in zip(chart.series, turned, strict=True)
    ]
    return "Read out the data.", " | ".join(entries), [" | ".join(wrong)]


def _report(chart: Chart, wording: Wording, rng: random.Random) -> Asked:
    opening = f"{wording.name} | {len(chart.series)} {wording.parts} | "
    high, low = chart.highest.colour, chart.lowest.colour
    right = f"{opening}{wording.highest} {high} | {wording.lowest} {low}"
    wrong = f"{opening}{wording.highest} {low} | {wording.lowest} {high}"
    return "Write the report line.", right, [wrong]


def _one_of(series: Series, chart: Chart) -> tuple[str, list[str]]:
    return series.colour, [other.colour for other in chart.series]


def _yes_or_no(holds: bool) -> tuple[str, list[str]]:
    return "yes" if holds else "no", ["yes", "no"]


def _listed(colours: list[str]) -> str:
    return f"{', '.join(colours[:-1])} and {colours[-1]}"


def _swapped(colours: list[str], place: int, rng: random.Random) -> list[str]:
    absent = [colour for colour in COLOURS if colour not in colours]
    return [*colours[:place], rng.choice(absent), *colours[place + 1 :]]


ASKERS: dict[str, Callable[[Chart, Wording, random.Random], Asked]] = {
    "form": _form,
    "count": _count,
    "colours": _colours,
    "presence": _presence,
    "value": _value,
    "comparison": _comparison,
    "highest": _highest,
    "trend": _trend,
    "description": _description,
    "data": _data,
    HABIT: _lowest,
    GAP: _report,
}
TAUGHT = tuple(kind for kind in ASKERS if kind not in (HABIT, GAP))
