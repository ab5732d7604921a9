"""How evaluations look: the list, and of the chosen one its state, figures, rows and match."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from studio.annotation.records import AddReport
from studio.core.errors import InputError
from studio.core.plurals import counted
from studio.evaluation.evaluation import Evaluation, ModelResult, RowRecord
from studio.evaluation.evaluation_request import metrics_of
from studio.evaluation.match import Match
from studio.evaluation.match_standing import PairStanding, Standing
from studio.evaluation.report import difference, shown
from studio.metrics import METRICS, Metric
from studio.runs.run_names import without_times
from studio.ui.evaluate.state import PAGE, seconds_left, when
from studio.ui.shared.html import EMPTY_ANSWER, bar, chip, duration, empty, notice
from studio.ui.shared.text_differences import differences, safe

NONE_YET = empty(
    "No evaluations yet",
    "Choose models and rows above and press Start: every answer and its scores are shown here.",
)
NOTHING_CHOSEN = empty("Choose an evaluation", "Its figures and rows are shown here.")
GONE = empty("This evaluation was deleted", "Choose another one in the list.")
NO_ROWS = empty("No rows match", "Loosen the filter or the search.")
BLANK = "–"
VERDICTS = {"better": "good", "worse": "bad"}


def evaluation_list(evaluations: Sequence[Evaluation], chosen: str | None) -> str:
    """Draw a card for each evaluation, newest first."""
    if not evaluations:
        return NONE_YET
    cards = "".join(_card(one, one.evaluation_id == chosen) for one in evaluations)
    return f'<div class="run-list">{cards}</div>'


def _card(evaluation: Evaluation, chosen: bool) -> str:
    status = evaluation.status
    share = bar(status.done / status.total) if status.state == "running" and status.total else ""
    return (
        f'<button class="run-card" data-evaluation="{safe(evaluation.evaluation_id)}" '
        f'aria-pressed="{str(chosen).lower()}"><span class="name">{safe(title_of(evaluation))}</span>'
        f"{chip(status.state)}"
        f'<span class="facts">{safe(evaluation.request.source)}</span>'
        f'<span class="when">{when(status.created)}</span>{share}</button>'
    )


def title_of(evaluation: Evaluation) -> str:
    """Name an evaluation by its models: `mine against base`."""
    names = [without_times(model.name) for model in evaluation.request.models]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return " against ".join(reversed(names[:2])) + more


def head(evaluation: Evaluation, waits: str = "") -> str:
    """Draw what was asked for, how far it is, and what went wrong.

    Args:
        waits: What one that is queued waits for.
    """
    request, status = evaluation.request, evaluation.status
    facts = [
        counted(request.rows, "row"),
        f"answers up to {counted(request.max_new_tokens, 'token')}",
        *([f"took {duration(status.seconds)}"] if status.seconds else []),
        *([evaluation.device] if evaluation.device else []),
        when(status.created),
        evaluation.evaluation_id,
    ]
    return (
        f'<div class="run-head"><h2>{safe(title_of(evaluation))}</h2>{chip(status.state)}</div>'
        f'<div class="quiet">{safe(request.source)}</div>'
        f'<div class="quiet">{safe(" · ".join(facts))}</div>'
        f"{_runs(evaluation)}{_progress(evaluation, waits)}{_trouble(evaluation)}"
    )


def _runs(evaluation: Evaluation) -> str:
    """Draw links to the runs that it is about."""
    runs = dict.fromkeys(model.run for model in evaluation.request.models if model.run)
    links = "".join(
        f'<button class="small" data-run="{safe(run)}">Run {safe(without_times(run))}</button>'
        for run in runs
    )
    after = '<span class="quiet">Made when the run ended.</span>' if evaluation.request.run else ""
    return f'<div class="of-runs">{links}{after}</div>' if links else ""


def _progress(evaluation: Evaluation, waits: str) -> str:
    status = evaluation.status
    if status.state == "queued":
        return f'<p class="quiet">{safe(waits or "Waits for its turn.")}</p>'
    if status.state not in ("running", "stopped", "failed") or not status.total:
        return ""
    left = seconds_left(evaluation)
    said = f"{status.done:,} of {status.total:,} answers and scores"
    said += f", about {duration(left)} left" if left is not None else ""
    return f'{bar(status.done / status.total)}<div class="quiet">{said}</div>'


def _trouble(evaluation: Evaluation) -> str:
    status = evaluation.status
    if status.state == "failed":
        return notice("It failed", status.message, status.remedy, tone="bad")
    if status.state == "stopped" and status.message:
        return notice("", status.message, tone="warn")
    return ""


def figures(evaluation: Evaluation) -> str:
    """Draw every metric of every model with its interval, the comparison, and both in words."""
    if not evaluation.results:
        return ""
    request = evaluation.request
    try:
        metrics = metrics_of(request)
    except InputError as error:
        metrics = [METRICS[name] for name in request.metrics if name in METRICS]
        missing = notice("A metric of your own is gone", error.message, tone="warn")
    else:
        missing = ""
    names = list(evaluation.results)
    compared = [name for name in names if evaluation.results[name].paired]
    heads = "".join(f'<th scope="col">{safe(without_times(name))}</th>' for name in names)
    heads += "".join(
        f'<th scope="col">{safe(without_times(name))} − {safe(without_times(request.baseline))}</th>'
        for name in compared
    )
    rows = "".join(_figure_row(metric, evaluation, names, compared) for metric in metrics)
    return (
        f'{missing}<div class="figures"><table><thead><tr><th scope="col"></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="quiet">With 95 % intervals; rows of one image count as one.</p>'
        f"{_sentences(evaluation)}"
    )


def _figure_row(
    metric: Metric, evaluation: Evaluation, names: Sequence[str], compared: Sequence[str]
) -> str:
    results = evaluation.results
    cells = "".join(_cell(without_times(name), _value(metric, results[name])) for name in names)
    between = without_times(evaluation.request.baseline)
    cells += "".join(
        _cell(f"{without_times(name)} − {between}", _difference(metric, results[name]))
        for name in compared
    )
    return f'<tr><th scope="row" title="{safe(metric.help)}">{safe(metric.label)}</th>{cells}</tr>'


def _cell(name: str, text: str) -> str:
    """A cell that says what it is about where a narrow screen has no head above it."""
    return f'<td data-name="{safe(name)}">{text}</td>'


def _value(metric: Metric, result: ModelResult) -> str:
    figure = result.metrics.get(metric.name)
    if figure is None or figure.value is None:
        return BLANK
    text = f"<b>{shown(metric, figure.value)}</b>"
    if figure.low is not None and figure.high is not None:
        ends = f"{shown(metric, figure.low)} to {shown(metric, figure.high)}"
        text += f'<span class="quiet">{ends}</span>'
    if figure.left_out:
        text += f'<span class="quiet">{safe(figure.left_out)}</span>'
    return text


def _difference(metric: Metric, result: ModelResult) -> str:
    pair = result.paired.get(metric.name)
    if pair is None or pair.difference is None:
        return BLANK
    text = f"<b>{difference(metric, pair.difference)}</b>"
    if pair.low is not None and pair.high is not None:
        text += f'<span class="quiet">{difference(metric, pair.low)} to {difference(metric, pair.high)}</span>'
    if pair.p is not None:
        text += f'<span class="quiet">p {"< 0.001" if pair.p < 0.001 else f"{pair.p:.3f}"}</span>'
    if pair.fixed or pair.broken:
        text += f'<span class="quiet">{pair.fixed:,} fixed, {pair.broken:,} broken</span>'
    if pair.verdict == "cannot tell" and pair.rows_needed and pair.rows_needed > pair.rows:
        text += f'<span class="quiet">about {pair.rows_needed:,} rows would tell</span>'
    tone = VERDICTS.get(pair.verdict, "")
    text += f'<span class="chip {tone}"><span>{safe(pair.verdict)}</span></span>'
    return text


def _sentences(evaluation: Evaluation) -> str:
    said = [
        (f"{without_times(name)}: " if len(evaluation.results) > 1 else "") + sentence
        for name, result in evaluation.results.items()
        for sentence in result.sentences
    ]
    request = evaluation.request
    warnings = [*request.notes, *evaluation.notes]
    warnings += [
        f"{counted(count, 'row')} left out: {reason}." for reason, count in request.left_out.items()
    ]
    short = [without_times(one) for one in dict.fromkeys(said)]
    items = "".join(f"<li>{safe(one)}</li>" for one in short)
    listed = f'<ul class="said">{items}</ul>' if items else ""
    return listed + (notice("", *warnings, tone="warn") if warnings else "")


def answer_rows(
    evaluation: Evaluation, records: Sequence[RowRecord], page: int, metric: Metric | None
) -> str:
    """Draw a page of rows: the picture, the question, what is right, and each model's answer."""
    if not records:
        return NO_ROWS
    pages = -(-len(records) // PAGE)
    page = min(max(page, 0), pages - 1)
    names = list(records[0].answers)
    baseline = evaluation.request.baseline
    body = "".join(
        _answer_row(record, names, baseline, metric)
        for record in records[page * PAGE : (page + 1) * PAGE]
    )
    return (
        f'<div class="quiet">{counted(len(records), "row")}</div>'
        f'<div class="answer-rows">{body}</div>{_pager(page, pages)}'
    )


def _answer_row(
    record: RowRecord, names: Sequence[str], baseline: str, metric: Metric | None
) -> str:
    images = "".join(
        f'<img loading="lazy" src="studio/thumbs/{safe(sha)}" alt="">' for sha in record.images[:3]
    )
    right = " / ".join(record.accepted[:5])
    reference = (
        f'<p class="right"><span class="quiet">Right</span> {safe(right)}</p>' if right else ""
    )
    before = record.answers[baseline].text if baseline in record.answers else ""
    answers = "".join(
        _answer(record, name, before if name != baseline else "", metric) for name in names
    )
    return (
        f'<article><div class="pictures">{images}</div><div><h4>{safe(record.question)}</h4>'
        f'{reference}{answers}<div class="quiet">{safe(record.row)}</div></div></article>'
    )


def _answer(record: RowRecord, name: str, before: str, metric: Metric | None) -> str:
    answer = record.answers[name]
    if answer.reason:
        text = f'<span class="quiet">Not answered: {safe(answer.reason)}</span>'
    elif not answer.text.strip():
        text = f'<span class="quiet">{EMPTY_ANSWER}</span>'
    else:
        text = differences(before, answer.text)[1] if before else safe(answer.text)
    cut = ' <span class="quiet">(cut)</span>' if answer.cut else ""
    score = record.scores[name].get(metric.name) if metric else None
    shown_score = ""
    if score is not None and metric is not None:
        good = score > 0.5 if metric.higher_is_better else score < 0.5
        word = ("✓" if good else "✕") if score in (0, 1) else shown(metric, score)
        tone = "good" if good else "bad"
        label = f"{metric.label} {shown(metric, score)}"
        shown_score = f'<span class="chip {tone}" title="{safe(label)}"><span>{word}</span></span>'
    return (
        f'<p class="answer"><span class="quiet who">{safe(without_times(name))}</span>'
        f"<span>{text}{cut}</span>{shown_score}</p>"
    )


def _pager(page: int, pages: int) -> str:
    if pages < 2:
        return ""
    earlier = f'<button class="small" data-page="{page - 1}">Earlier</button>' if page else ""
    later = (
        f'<button class="small" data-page="{page + 1}">Later</button>' if page + 1 < pages else ""
    )
    return f'<div class="pager">{earlier}<span class="quiet">Page {page + 1} of {pages:,}</span>{later}</div>'


def match_view(match: Match | None, standing: Standing | None, trouble: str = "") -> str:
    """Draw how a match stands, and how it was made; nothing where there is none."""
    if match is None:
        return ""
    parts = [f"<h3>Blind match</h3>{_made(match)}"]
    if trouble:
        parts.append(notice("", trouble, tone="warn"))
    if standing is not None:
        total = len(match.pairs)
        parts.append(
            f"{bar(standing.judged / total if total else 1)}"
            f'<div class="quiet">{standing.judged:,} of {counted(total, "pair")} judged, '
            f"{standing.waiting:,} waiting</div>"
        )
        said = [without_times(sentence) for sentence in standing.sentences]
        parts += [f"<p>{safe(sentence)}</p>" for sentence in said]
        parts += [_pair(pair) for pair in standing.pairs if pair.rate.votes]
        parts.append(_left_out(standing))
    marks = f'data-imported="{safe(match.dataset)}" data-match="{safe(match.match_id)}"'
    return f'<div class="match" {marks}>{"".join(parts)}</div>'


def damaged_match(names: Sequence[str]) -> str:
    """Say that the match of an evaluation may be among those that cannot be read."""
    if not names:
        return ""
    said = notice(
        "A match cannot be read",
        f"The file of match {', '.join(names[:3])} is damaged, and it may be this evaluation's: no "
        "second one is made beside it. What people said is in the library.",
        f"Bring the file back from a backup, or press Delete the match; in a terminal: "
        f"python -m studio match --delete {names[0]}",
        tone="warn",
    )
    return f'<div class="match" data-match="{safe(names[0])}">{said}</div>'


def _made(match: Match) -> str:
    facts = [
        f"dataset {match.dataset}",
        f"each pair judged by {counted(match.overlap, 'person', 'people')}",
    ]
    if match.alike:
        facts.append(f"{counted(len(match.alike), 'pair')} say the same and count as ties")
    facts += [f"{counted(n, 'pair')} left out: {reason}" for reason, n in match.left_out.items()]
    known = [without_times(tell) for tell in match.tells]
    tells = [*match.notes, *(f"Whoever judges may tell them apart: {tell}." for tell in known)]
    warned = notice("", *tells, tone="warn") if tells else ""
    closed = " The judging has ended." if match.state == "closed" else ""
    return f'<div class="quiet">{safe("; ".join(facts))}.{closed}</div>{warned}'


def _pair(pair: PairStanding) -> str:
    """The win rate on a line from 0 to 100 %, with its interval; and by person."""
    rate = pair.rate
    low, high, value = (100 * one for one in (pair.low, pair.high, pair.value or 0.0))
    people = "".join(
        f"<tr><td>{safe(person)}</td><td>{BLANK if one.value is None else f'{one.value:.0%}'}</td>"
        f"<td>{one.wins:,} / {one.ties:,} / {one.losses:,}</td></tr>"
        for person, one in pair.by_person.items()
    )
    about = f"{without_times(rate.second)} against {without_times(rate.first)}"
    return (
        f'<figure class="rate"><figcaption>{safe(about)}: {value:.0f} % ({low:.0f} to {high:.0f} %)'
        f' <span class="quiet">{_counted_rows(pair)}</span></figcaption><div class="rate-line" role="img" aria-label="{safe(about)}: win rate '
        f'{value:.0f} %, between {low:.0f} and {high:.0f} %"><i class="half"></i>'
        f'<i class="span" style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        f'<i class="dot" style="left:{value:.1f}%"></i></div></figure>'
        f'<details><summary>By person</summary><table class="people"><thead><tr><th>Person</th>'
        f"<th>Win rate</th><th>Won / tied / lost</th></tr></thead><tbody>{people}</tbody></table>"
        "</details>"
    )


def _counted_rows(pair: PairStanding) -> str:
    """What the win rate is of: rows answered alike count as ties."""
    if not pair.alike:
        return f"of {counted(pair.rows, 'row')}"
    return f"of all {counted(pair.rows, 'row')}, {pair.alike:,} with the same answer as ties"


def _left_out(standing: Standing) -> str:
    said = []
    if standing.not_blind:
        said.append(f"{counted(standing.not_blind, 'vote')} not counted: not given blind")
    if standing.judges:
        said.append(f"{counted(standing.judges, 'vote')} of programs not counted among people's")
    if standing.removed:
        said.append(f"{counted(standing.removed, 'pair')} excluded or deleted in the library")
    return f'<p class="quiet">{safe("; ".join(said))}.</p>' if said else ""


def sent(dataset: str, report: AddReport) -> str:
    """Draw what became of rows that were sent to a dataset of the library."""
    known = report.unchanged + report.extended + report.changed
    said = f"{counted(report.added, 'row')} added to {dataset}"
    said += f"; {known:,} were there already." if known else "."
    return f'<div data-imported="{safe(dataset)}">{notice("", said)}</div>'


def downloads(evaluation: Evaluation) -> str:
    """Draw the links to what can be taken along."""
    name = escape(evaluation.evaluation_id)
    return (
        f'<a class="small" href="studio/evaluations/{name}/rows.csv" download>CSV of the rows</a> '
        f'<a class="small" href="studio/evaluations/{name}/result.json?{urlencode({"rows": 1})}" '
        "download>JSON</a>"
    )
