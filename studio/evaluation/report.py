"""From answers to figures: every metric of every model, compared with the baseline, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from studio.core.plurals import counted
from studio.data.schema import Row
from studio.evaluation.evaluation import (
    AnswerLikelihoods,
    EvaluationRequest,
    MetricResult,
    ModelResult,
    PairedResult,
    RowAnswer,
    RowRecord,
)
from studio.evaluation.evaluation_store import Answered, Likelihoods
from studio.evaluation.intervals import image_clusters
from studio.evaluation.paired_tests import metric_figure, paired_figure
from studio.metrics import Metric, RowScores, score_log_probabilities, score_rows
from studio.metrics.log_probabilities import AnswerLogProbability, PairLogProbabilities

Scores = dict[str, RowScores]


def scored_texts(row: Row, metrics: Sequence[Metric]) -> tuple[str, ...]:
    """Return the answers to a row whose likelihoods the metrics need: the pair, the reference."""
    needs = {metric.needs for metric in metrics}
    texts: list[str] = []
    if "pairs" in needs and row.chosen is not None and row.rejected is not None:
        texts += [row.chosen.text, row.rejected.text]
    if "references" in needs and row.accepted:
        texts.append(row.accepted[0])
    return tuple(texts)


def wants_answers(metrics: Sequence[Metric]) -> bool:
    """Return whether a metric is scored from generated answers."""
    return any(metric.of_answers for metric in metrics)


def results_of(
    request: EvaluationRequest,
    metrics: Sequence[Metric],
    rows: Sequence[Row],
    answers: Answered,
    likelihoods: Likelihoods,
) -> dict[str, ModelResult]:
    """Compute what each model came to.

    Raises:
        InputError: A metric of the user's own fails, or a log-probability is no number.
    """
    clusters = image_clusters(rows)
    scores = {
        model.name: model_scores(model.name, request, metrics, rows, answers, likelihoods)
        for model in request.models
    }
    found: dict[str, ModelResult] = {}
    for name, own in scores.items():
        said = [answers.get((name, number)) for number in range(len(rows))]
        paired: dict[str, PairedResult] = {}
        if request.baseline and name != request.baseline:
            before = scores[request.baseline]
            paired = {one: _paired(before[one], own[one], clusters) for one in own}
        result = ModelResult(
            metrics={one: _metric(own[one], clusters, said) for one in own},
            paired=paired,
            empty=tuple(
                row.external_id
                for row, one in zip(rows, said, strict=True)
                if one is not None and not one.reason and not one.text
            ),
            cut=sum(one is not None and one.cut for one in said),
            failed=_failed(name, rows, answers, likelihoods),
        )
        found[name] = result
    return {
        name: replace(one, sentences=sentences_of(request, metrics, found, name))
        for name, one in found.items()
    }


def row_records(
    request: EvaluationRequest,
    metrics: Sequence[Metric],
    rows: Sequence[Row],
    answers: Answered,
    likelihoods: Likelihoods,
) -> list[RowRecord]:
    """Return every row with each model's answer and scores."""
    scores = {
        model.name: model_scores(model.name, request, metrics, rows, answers, likelihoods)
        for model in request.models
    }
    return [
        RowRecord(
            row=row.external_id,
            images=row.images,
            question=row.question,
            accepted=row.accepted,
            answers={name: answers.get((name, number), RowAnswer()) for name in scores},
            scores={
                name: {one: made.scores[number] for one, made in own.items()}
                for name, own in scores.items()
            },
        )
        for number, row in enumerate(rows)
    ]


def model_scores(
    name: str,
    request: EvaluationRequest,
    metrics: Sequence[Metric],
    rows: Sequence[Row],
    answers: Answered,
    likelihoods: Likelihoods,
) -> Scores:
    """Score one model by every metric; a row that it could not answer has no score."""
    numbers = range(len(rows))
    said = [answers.get((name, number)) for number in numbers]
    found: Scores = {}
    for metric in metrics:
        if metric.from_log_probabilities:
            values = [
                _log_probabilities(metric, row, name, number, request, metrics, likelihoods)
                for number, row in enumerate(rows)
            ]
            found[metric.name] = score_log_probabilities(metric, values)
            continue
        texts = [one.text if one is not None else "" for one in said]
        missing = [one is None or bool(one.reason) for one in said]
        found[metric.name] = _without(score_rows(metric, texts, rows), missing)
    return found


def _without(scores: RowScores, missing: Sequence[bool]) -> RowScores:
    if not any(missing):
        return scores
    counts = scores.counts.copy()
    counts[np.array(missing)] = np.nan
    kept = (None if gone else one for one, gone in zip(scores.scores, missing, strict=True))
    return RowScores(scores.metric, tuple(kept), counts)


def _log_probabilities(
    metric: Metric,
    row: Row,
    name: str,
    number: int,
    request: EvaluationRequest,
    metrics: Sequence[Metric],
    likelihoods: Likelihoods,
) -> PairLogProbabilities | AnswerLogProbability | None:
    own = _by_text(row, metrics, likelihoods.get((name, number)))
    if metric.needs == "references":
        if not row.accepted or row.accepted[0] not in own:
            return None
        total, tokens = own[row.accepted[0]]
        return AnswerLogProbability(total / max(1, tokens), tokens)
    if row.chosen is None or row.rejected is None or row.chosen.text not in own:
        return None
    chosen, rejected = own[row.chosen.text][0], own[row.rejected.text][0]
    if not request.baseline:
        return PairLogProbabilities(chosen, rejected)
    before = _by_text(row, metrics, likelihoods.get((request.baseline, number)))
    if row.chosen.text not in before:
        return None
    references = before[row.chosen.text][0], before[row.rejected.text][0]
    return PairLogProbabilities(chosen, rejected, *references)


def _by_text(
    row: Row, metrics: Sequence[Metric], found: AnswerLikelihoods | None
) -> dict[str, tuple[float, int]]:
    if found is None or found.reason:
        return {}
    values = zip(found.totals, found.tokens, strict=True)
    return dict(zip(scored_texts(row, metrics), values, strict=True))


def _metric(
    scores: RowScores, clusters: np.ndarray, said: Sequence[RowAnswer | None]
) -> MetricResult:
    figure = metric_figure(scores, clusters)
    why = scores.why_left_out
    failed = sum(one is not None and bool(one.reason) for one in said)
    if failed and scores.left_out:
        lacking = scores.left_out - failed
        parts = [f"{counted(failed)} could not be answered."]
        if lacking > 0:
            parts.append(f"{counted(lacking)} lack what it needs.")
        why = " ".join(parts)
    return MetricResult(figure.value, figure.low, figure.high, figure.rows, why)


def _paired(first: RowScores, second: RowScores, clusters: np.ndarray) -> PairedResult:
    made = paired_figure(first, second, clusters)
    fixed = broken = 0
    sign = -1 if second.metric.higher_is_better is False else 1
    for before, after in zip(first.scores, second.scores, strict=True):
        if before is not None and after is not None:
            fixed += sign * (after - before) > 0
            broken += sign * (after - before) < 0
    return PairedResult(
        made.difference,
        made.low,
        made.high,
        made.p,
        made.verdict,
        made.rows,
        made.rows_needed,
        fixed,
        broken,
    )


def _failed(
    name: str, rows: Sequence[Row], answers: Answered, likelihoods: Likelihoods
) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, row in enumerate(rows):
        for known in (answers.get((name, number)), likelihoods.get((name, number))):
            if known is not None and known.reason:
                found[row.external_id] = known.reason
    return found


def sentences_of(
    request: EvaluationRequest,
    metrics: Sequence[Metric],
    results: Mapping[str, ModelResult],
    name: str,
) -> tuple[str, ...]:
    """Say in words what a model came to."""
    own = results[name]
    said = [
        compared(metric, request.baseline, results[request.baseline], own)
        for metric in metrics
        if metric.name in own.paired
    ]
    if own.empty:
        some = ", ".join(own.empty[:5]) + (", …" if len(own.empty) > 5 else "")
        are = "is" if len(own.empty) == 1 else "are"
        said.append(f"{counted(len(own.empty), 'answer')} of {request.rows:,} {are} empty: {some}.")
    if own.cut:
        are = "is" if own.cut == 1 else "are"
        said.append(
            f"{counted(own.cut, 'answer')} reached the longest length, "
            f"{request.max_new_tokens:,} tokens, and {are} cut."
        )
    if own.failed:
        first = next(iter(own.failed.values()))
        said.append(f"{counted(len(own.failed))} could not be answered; the first: {first}")
    return tuple(said)


def compared(metric: Metric, baseline: str, before: ModelResult, after: ModelResult) -> str:
    """Say whether a model is better than the baseline by one metric, and how sure that is."""
    pair = after.paired[metric.name]
    values = before.metrics[metric.name].value, after.metrics[metric.name].value
    if pair.difference is None or values[0] is None or values[1] is None:
        return f"{metric.label}: no row has a score of both."
    change = f"{shown(metric, values[0])} → {shown(metric, values[1])}"
    sure = ""
    if pair.low is not None and pair.high is not None:
        low, high = (difference(metric, end) for end in (pair.low, pair.high))
        sure = f", 95 % interval {low} to {high}"
        if pair.verdict == "cannot tell" and pair.low * pair.high > 0:
            sure += f", but p {pair.p:.2g}: too few images differ to rely on the interval"
    points = " points" if metric.percent else ""
    facts = f"{change} ({difference(metric, pair.difference)}{points}{sure}; {counted(pair.rows)})"
    if pair.verdict != "cannot tell":
        return f"{metric.label}: {pair.verdict} than {baseline}, {facts}."
    if not pair.difference:
        return f"{metric.label}: as {baseline}, {facts}."
    needed = ""
    if pair.rows_needed is not None and pair.rows_needed > pair.rows:
        needed = f" About {pair.rows_needed:,} rows would tell a difference of this size."
    return f"{metric.label}: cannot tell from {baseline}, {facts}.{needed}"


def shown(metric: Metric, value: float) -> str:
    """Write a value as people read it; 100 % only where nothing is missing."""
    if not metric.percent:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    percent = 100 * value
    near_end = 0 < percent < 1 or 99 < percent < 100
    return f"{percent:.1f} %" if near_end else f"{percent:.0f} %"


def difference(metric: Metric, value: float) -> str:
    """Write a difference with its sign; of shares in percentage points."""
    if metric.percent:
        return f"{100 * value:+.1f}".replace("-", "−")
    return f"{value:+.3g}".replace("-", "−")
