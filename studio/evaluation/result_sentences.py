"""Results as one plain sentence each, for the page, the command and the cards."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.evaluation.bradley_terry import Contestant
from studio.evaluation.intervals import Figure
from studio.evaluation.paired_tests import PairedFigure
from studio.evaluation.win_rate import MARGIN, WinRate
from studio.metrics.metric import Metric


def value_text(metric: Metric, value: float | None) -> str:
    """Return a figure as people read it: `99 %`, `12.4`, `–` for none.

    A share is 0 % or 100 % only when it is exactly that.
    """
    if value is None:
        return "–"
    return _percent(value) if metric.percent else f"{value:.3g}"


def figure_sentence(metric: Metric, figure: Figure) -> str:
    """Return what one model reaches: `Exact match 62 % (95 % interval 55–69 %, 200 rows).`"""
    if figure.value is None:
        return f"{metric.label}: no row to measure it on."
    interval = _interval(metric, figure.low, figure.high)
    return f"{metric.label} {value_text(metric, figure.value)} ({interval}{_rows(figure.rows)})."


def change_text(metric: Metric, before: Figure, after: Figure) -> str:
    """Return a change without judging it: `exact match 0 % → 99 %`."""
    return f"{_lower(metric.label)} {_arrow(metric, before, after)}"


def paired_sentence(metric: Metric, paired: PairedFigure) -> str:
    """Return whether the second model differs from the first, by how much, and how sure that is."""
    if paired.difference is None:
        return f"{metric.label}: no row has a score of both models."
    size = _size(metric, paired.difference)
    seen = f"{_interval(metric, paired.low, paired.high, signed=True)}{_rows(paired.rows)}"
    if paired.verdict != "cannot tell":
        return f"{metric.label} is {paired.verdict} by {size} ({seen})."
    if not paired.difference:
        return f"{metric.label} cannot tell the two apart: no difference ({seen})."
    sentence = f"{metric.label} cannot tell the two apart: a difference of {size} ({seen})"
    if paired.rows_needed is None or paired.rows_needed <= paired.rows:
        return f"{sentence}; more images would help."
    return f"{sentence} needs about {_rounded(paired.rows_needed)} rows."


def forgetting_text(paired: Sequence[tuple[Metric, PairedFigure]]) -> str:
    """Return what got worse: `forgot nothing measurable`, or `forgot: ANLS −12 points`.

    Without a row to measure it on, that is said instead.
    """
    measured = [(metric, figure) for metric, figure in paired if figure.difference is not None]
    if not measured:
        return "forgetting was not measured"
    lost = [
        f"{_lower(metric.label)} {_signed(metric, figure.difference or 0.0)}"
        for metric, figure in measured
        if figure.verdict == "worse"
    ]
    return f"forgot: {', '.join(lost)}" if lost else "forgot nothing measurable"


def run_sentence(
    label: str,
    metric: Metric,
    before: Figure,
    after: Figure,
    forgetting: Sequence[tuple[Metric, PairedFigure]] | None = None,
) -> str:
    """Return a run's head: `report line 0 % → 99 %, forgot nothing measurable`.

    Args:
        label: What was learned, in the user's words; the metric's label when empty.
        forgetting: Comparisons on what the run did not train, if any were made.
    """
    learned = f"{label or _lower(metric.label)} {_arrow(metric, before, after)}"
    return learned if forgetting is None else f"{learned}, {forgetting_text(forgetting)}"


def win_sentence(rate: WinRate) -> str:
    """Return what the votes say so far and whether to go on."""
    if rate.value is None:
        return f"Nobody has judged {rate.second} against {rate.first} yet."
    seen = (
        f"{rate.second} wins {_percent(rate.value)} against {rate.first} "
        f"(95 % sequence {_percent(rate.low)} to {_percent(rate.high)}, {_rows(rate.rows)})"
    )
    if rate.better:
        return f"{seen}; stop now: {rate.better} is better."
    if rate.stop == "equal":
        return f"{seen}; stop now: they differ by less than {MARGIN * 100:.0f} points."
    more = f"{_rounded(rate.votes_needed)} more {_votes(rate.votes_needed)}"
    told = f"to tell {_percent(0.5 + MARGIN)} from chance"
    if rate.votes_at_this_rate is None:
        return f"{seen}; {more} {told}."
    likely = f"{_rounded(rate.votes_at_this_rate)} {_votes(rate.votes_at_this_rate)}"
    return f"{seen}; {more} {told}, {likely} if it stays like this."


def ranking_sentence(contestants: Sequence[Contestant]) -> str:
    """Return who leads among several and how sure that is."""
    if not contestants:
        return "Nobody has judged yet."
    first = contestants[0]
    if len(contestants) > 1 and first.best < 0.95:
        rivals = [one.name for one in contestants[1:] if one.best >= 0.05]
        if rivals:
            return f"{first.name} leads, but {_either(rivals)} may be as good."
        return f"{first.name} leads."
    return f"{first.name} is the best of {len(contestants)}."


def _arrow(metric: Metric, before: Figure, after: Figure) -> str:
    return f"{value_text(metric, before.value)} → {value_text(metric, after.value)}"


def _percent(share: float) -> str:
    points = round(share * 100)
    if points in (0, 100) and share not in (0, 1):
        return f"{min(max(share * 100, 0.1), 99.9):.1f} %"
    return f"{points} %"


def _size(metric: Metric, difference: float) -> str:
    number = _number(metric, difference)
    if not metric.percent:
        return number
    return f"{number} {'point' if number == '1' else 'points'}"


def _number(metric: Metric, difference: float) -> str:
    """A difference without its sign, in points where the metric is in percent."""
    if not metric.percent:
        return f"{abs(difference):.3g}"
    points = abs(difference) * 100
    return f"{points:.0f}" if points >= 1 else f"{points:.2g}"


def _sign(difference: float) -> str:
    return "−" if difference < 0 else "+" if difference > 0 else ""


def _signed(metric: Metric, difference: float) -> str:
    return f"{_sign(difference)}{_size(metric, difference)}"


def _interval(
    metric: Metric, low: float | None, high: float | None, *, signed: bool = False
) -> str:
    """The interval and a comma, or nothing where there is none."""
    if low is None or high is None:
        return ""
    if signed:
        return f"95 % interval {_sign(low)}{_number(metric, low)} to {_signed(metric, high)}, "
    return f"95 % interval {value_text(metric, low)} to {value_text(metric, high)}, "


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _votes(count: int) -> str:
    return "vote" if count == 1 else "votes"


def _rounded(count: int) -> str:
    """A number with two digits that count: it is an estimate."""
    if count < 100:
        return str(count)
    unit = 10 ** (int(math.log10(count)) - 1)
    return f"{math.ceil(count / unit) * unit:,}"


def _lower(label: str) -> str:
    """A label within a sentence; names such as ANLS and F1 stay as they are."""
    return label if label[1:2].isupper() or label[1:2].isdigit() else label[:1].lower() + label[1:]


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
