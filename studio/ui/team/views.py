"""The figures of a dataset and the log as HTML. Everything from outside is escaped here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import unified_diff
from html import escape
from itertools import islice
from operator import attrgetter
from typing import Any

from studio.annotation.quality.annotator_figures import Person, Quality, RandomShare
from studio.annotation.quality.audit_log import LogLine
from studio.annotation.quality.confidence_interval import MeasuredFigure
from studio.annotation.quality.project_changes import GUIDELINES, Clash
from studio.api.upload_folders import without_folder
from studio.config.team_bounds import LEAST_COMMON_PAIRS
from studio.core.plurals import counted
from studio.ui.shared.html import code, duration, empty, flagged_address
from studio.ui.shared.line_charts import Line, chart

MOST_KAPPAS = 15
TOO_SHORT = "too short"
MOST_DIFFERENCES = 200
"""Lines of the difference between two texts that are shown."""
LEAST_BARS = 2
"""Hours or days from which a curve says more than a sentence."""


def figures(
    quality: Quality, standings: Mapping[str, str] | None = None, to_decide: int = 0
) -> str:
    """All figures of the dashboard.

    Args:
        standings: Of the people in a qualification round (`Team.standings`).
        to_decide: Pairs that wait for a lead.
    """
    if not quality.answers:
        text = "Figures appear with the first answers. Give people accounts and ask for labels."
        return empty("No answers yet", text)
    return (
        f'{dated(quality)}<div class="tm-figures">{"".join(_headline(quality, to_decide))}</div>'
        f"{_people(quality.people, standings or {})}{_kappas(quality)}{_reasons(quality)}"
        f'<div class="tm-plots">{_ranges("Left side chosen", quality.people, attrgetter("left"))}'
        f"{_ranges('Longer answer chosen', quality.people, attrgetter('longer'))}</div>"
        f'<div class="plots">{_plots(quality)}</div>'
    )


def flagged_rows(dataset: str, rows: int) -> str:
    """Point to the rows that are flagged in Data, by hand or by an import; nothing without any."""
    if not rows:
        return ""
    verb = "is" if rows == 1 else "are"
    return (
        f'<p class="quiet">{counted(rows)} of this dataset {verb} flagged in Data, by hand or '
        "because an import changed the question or an image after people had judged it: "
        f'<a href="{escape(flagged_address(dataset))}">look at them</a>, then exclude them, ask '
        "again, or take the flag away.</p>"
    )


def dated(quality: Quality) -> str:
    """Draw when the figures were measured, and over which period answers were given."""
    said = f"As of {_minute(quality.as_of)}"
    if quality.answered is not None:
        first, last = map(_minute, quality.answered)
        said += f", answers from {first} to {last}"
    zone = time.strftime("%Z", time.localtime(quality.as_of))
    return f'<p class="tm-dated">{escape(said)} ({escape(zone)}).</p>'


def _headline(quality: Quality, to_decide: int) -> list[str]:
    forecast = quality.forecast
    hours = "" if forecast.hours is None else f"{duration(3600 * forecast.hours)} of work"
    days = forecast.why if forecast.days is None else f"{forecast.days:g} days at last week's pace"
    return [
        _plain("Pairs done", f"{quality.done:,} of {quality.pairs:,}", _done(quality.golden)),
        _plain("Answers left", f"{forecast.answers:,}", f"{hours} · {days}".strip(" ·")),
        _plain("To decide", f"{to_decide:,}", "no majority, skipped too often, or flagged"),
        _figure("α nominal", quality.nominal, "pairs", number=True),
        _figure("α ordinal", quality.ordinal, "pairs", number=True),
        _figure("Percent agreement", quality.percent, "comparisons"),
        _figure("Gold accuracy", quality.gold, "gold answers"),
        _figure("Self-consistency", quality.consistency, "second answers"),
        _figure("Left side chosen", quality.left, "choices"),
        _figure("Longer answer chosen", quality.longer, "choices"),
        *_lengths(quality.lengths),
        _figure("Faster than reading", quality.too_fast, "answers"),
        *_by_lot(quality.by_lot),
    ]


def _by_lot(share: RandomShare | None) -> list[str]:
    """The figures that say how good it really is: the other pairs were chosen for being hard."""
    if share is None:
        return []
    note = f"{share.ranked:,} more are to pairs that a model chose, harder than most"
    return [
        _plain("Answers by lot", f"{share.answers:,}", note),
        _figure("α nominal, by lot", share.nominal, "pairs", number=True),
        _figure("Agreement, by lot", share.percent, "comparisons"),
        _figure("Longer chosen, by lot", share.longer, "choices"),
    ]


def _done(golden: int) -> str:
    said = "have all the answers they need"
    if not golden:
        return said
    which = "is gold and needs" if golden == 1 else "are gold and need"
    return f"{said}; {golden:,} of them {which} none"


def _lengths(lengths: tuple[float, float] | None) -> list[str]:
    if lengths is None:
        return []
    chosen, rejected = lengths
    note = "characters of the chosen and the rejected answer, medians"
    return [_plain("Length", f"{chosen:,.0f} · {rejected:,.0f}", note)]


def _plain(label: str, value: str, note: str) -> str:
    return _box(label, value, note)


def _figure(label: str, figure: MeasuredFigure, unit: str, *, number: bool = False) -> str:
    if figure.value is None:
        return _box(label, "–", figure.why)
    form = _two if number else _percent
    between = ""
    if figure.low is not None and figure.high is not None:
        between = f"95 %: {form(figure.low)} to {form(figure.high)} · "
    return _box(label, form(figure.value), f"{between}{figure.count:,} {unit}")


def _box(label: str, value: str, note: str) -> str:
    return (
        f'<div class="tm-figure"><span>{escape(label)}</span><b>{escape(value)}</b>'
        f"<small>{escape(note)}</small></div>"
    )


def _people(people: Sequence[Person], standings: Mapping[str, str]) -> str:
    head: tuple[str, ...] = ("Who", "Answers", "Skips", "Median", "Per hour", "Gold", "Consistent", "Left", "Longer", "Too fast", "Last answer")  # fmt: skip
    rows: list[tuple[str, ...]] = [
        (
            person.name,
            f"{person.answers:,}",
            f"{person.skips:,}",
            _or_dash(person.median_seconds, "{:g} s"),
            _rate(person.per_hour),
            *map(_short, (person.gold, person.consistency, person.left, person.longer)),
            f"{person.too_fast:,}",
            _ago(person.last_at),
        )
        for person in people
    ]
    if standings:
        head = (*head, "Qualification")
        rows = [(*row, standings.get(row[0], "–")) for row in rows]
    short = next((one.per_hour.why for one in people if one.per_hour.value is None), "")
    note = (
        f'<p class="tm-dated">Per hour, {TOO_SHORT}: {escape(_lower(short))}</p>' if short else ""
    )
    return "<h3>People</h3>" + table(head, rows) + note


def _kappas(quality: Quality) -> str:
    if not quality.kappas:
        return ""
    told = {two: one for two, one in quality.kappas.items() if one.count >= LEAST_COMMON_PAIRS}
    few = len(quality.kappas) - len(told)
    left_out = _few(few) if few else ""
    if not told:
        return f"<h3>Cohen's κ</h3>{left_out}"
    lowest = sorted(told.items(), key=_by_kappa)
    rows = [
        (str(one), str(two), figure.why if figure.value is None else _two(figure.value),
         f"{figure.count:,}")
        for (one, two), figure in lowest
    ]  # fmt: skip
    head = ("Who", "with whom", "κ", "Pairs in common")
    shown = "<h3>Cohen's κ, lowest first</h3>" + table(head, rows[:MOST_KAPPAS])
    shown += left_out
    if len(rows) <= MOST_KAPPAS:
        return shown
    more = f"<summary>{len(rows) - MOST_KAPPAS} more</summary>"
    return f"{shown}<details>{more}{table(head, rows[MOST_KAPPAS:])}</details>"


def _few(number: int) -> str:
    return (
        f'<p class="tm-dated">Pairs of people with fewer than {LEAST_COMMON_PAIRS} common pairs '
        f"are not listed: {number:,} of them.</p>"
    )


def _by_kappa(entry: tuple[tuple, MeasuredFigure]) -> float:
    value = entry[1].value
    return 2.0 if value is None else value


def _reasons(quality: Quality) -> str:
    if not quality.skip_reasons:
        return ""
    most = max(quality.skip_reasons.values())
    bars = "".join(
        f'<span>{escape(reason)}</span><i style="width:{100 * count / most:.0f}%"></i>'
        f"<b>{count:,}</b>"
        for reason, count in list(quality.skip_reasons.items())[:12]
    )
    return f'<h3>Why pairs are skipped</h3><div class="tm-bars">{bars}</div>'


def _plots(quality: Quality) -> str:
    unit, totals = quality.pace.unit, quality.pace.totals
    if len(totals) <= LEAST_BARS:
        return f'<p class="tm-dated">{escape(_short_pace(quality, unit))}</p>'
    points = [(place, float(total)) for place, total in totals]
    return chart(f"Answers, by {unit}", [Line("answers", points, dots=True)], unit=unit)


def _short_pace(quality: Quality, unit: str) -> str:
    """Draw what there is to say in place of a curve of one hour or one day."""
    first, last = quality.answered or (quality.as_of, quality.as_of)
    said = f"{quality.answers:,} answer{'' if quality.answers == 1 else 's'}"
    when = f"in {duration(last - first)}" if last - first >= 60 else "within a minute"
    return (
        f"Answers, by {unit}: {said} {when} ({_minute(first)}). "
        f"A curve appears once answers span more than one {unit}."
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _ranges(title: str, people: Sequence[Person], of: Callable[[Person], MeasuredFigure]) -> str:
    """Draw a share of each person as a dot with its interval, beside the half that chance gives."""
    known = [(person.name, of(person)) for person in people if of(person).value is not None]
    if not known:
        return ""
    lines = "".join(_range(name, figure) for name, figure in known)
    return f'<section><h3>{escape(title)}</h3><div class="tm-ranges">{lines}</div></section>'


def _range(name: str, figure: MeasuredFigure) -> str:
    low, value, high = (end or 0.0 for end in (figure.low, figure.value, figure.high))
    said = f"{_percent(value)} ({_percent(low)} to {_percent(high)})"
    return (
        f'<span>{escape(name)}</span><div class="tm-range" role="img" aria-label="{said}">'
        f'<i style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
        f'<b style="left:{100 * value:.1f}%"></b></div><span>{said}</span>'
    )


def differences(clashes: Sequence[Clash], typed: Mapping[str, Any]) -> str:
    """Draw what another lead changed meanwhile, beside what was typed.

    Args:
        typed: By name of the field.
    """
    rows = [
        (
            one.name.replace("_", " ").capitalize(),
            f"{_in_words(one.stands)} ({one.who or 'somebody else'})",
            _in_words(typed[one.name]),
        )
        for one in clashes
        if one.name != GUIDELINES
    ]
    shown = table(("Field", "Stands now", "You typed"), rows) if rows else ""
    texts = [(one.stands, typed[GUIDELINES], one.who) for one in clashes if one.name == GUIDELINES]
    for stands, mine, who in texts:
        lines = unified_diff(
            stands.splitlines(), mine.splitlines(), f"of {who}", "yours", lineterm="", n=1
        )
        said = [*islice(lines, MOST_DIFFERENCES)]
        more = ["…"] if len(said) == MOST_DIFFERENCES else []
        shown += code("\n".join(said + more), "Guidelines: theirs and yours")
    return shown


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return "empty" if value is None else str(value)


def log(lines: Sequence[LogLine]) -> str:
    """Draw what happened, newest first."""
    if not lines:
        return empty("Nothing yet", "Answers, decisions and changes of settings appear here.")
    shown = [replace(line, what=without_folder(line.what)) for line in lines]
    rows = [(_when(line.at), line.who, line.action, line.dataset, line.what) for line in shown]
    return table(("When", "Who", "What", "Dataset", ""), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a plain table of texts."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<div class="tm-scroll" tabindex="0"><table class="tm-votes"><tr>{top}</tr>{body}</table></div>'


def _short(figure: MeasuredFigure) -> str:
    return "–" if figure.value is None else f"{_percent(figure.value)} of {figure.count}"


def _rate(figure: MeasuredFigure) -> str:
    """Answers an hour, or that there is too little work to tell."""
    return TOO_SHORT if figure.value is None else f"{figure.value:,.0f}"


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _two(value: float) -> str:
    return f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _ago(at: float | None) -> str:
    """Return how long ago; the day, when that is more than one."""
    if at is None:
        return "–"
    passed = time.time() - at
    if passed < 90:
        return "just now"
    return f"{duration(passed)} ago" if passed < 86_400 else _when(at)[:10]


def _minute(at: float) -> str:
    return _when(at)[:16]


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
