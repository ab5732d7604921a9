"""Every metric, declared once, and which of them suit given rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from studio.core.errors import InputError
from studio.data.schema import Row
from studio.metrics import (
    answer_length,
    chart_answers,
    document_answers,
    json_fields,
    log_probabilities,
    multiple_choice,
    text_overlap,
    vqa_accuracy,
    yes_no,
)
from studio.metrics.evasiveness import evasive_score
from studio.metrics.exact_match import exact_match_score
from studio.metrics.metric import Metric

_DECLARED = (
    Metric(
        "exact_match",
        "Exact match",
        "Share of answers equal to an accepted one, without regard to case, spaces and a full stop.",
        "answers",
        exact_match_score,
        "share",
    ),
    Metric(
        "relaxed_accuracy",
        "Relaxed accuracy",
        "Share of answers that are right as ChartQA counts: numbers within 5 %, texts exactly.",
        "answers",
        chart_answers.relaxed_score,
        "share",
    ),
    Metric(
        "anls",
        "ANLS",
        "Mean closeness in spelling to an accepted answer; less than half as close counts as 0.",
        "answers",
        document_answers.anls_score,
    ),
    Metric(
        "vqa_accuracy",
        "VQA accuracy",
        "Mean agreement with the people who answered: three equal answers make one fully right.",
        "people's answers",
        vqa_accuracy.vqa_score,
    ),
    Metric(
        "choice_accuracy",
        "Multiple choice",
        "Share of questions with lettered choices for which the right one is named.",
        "choices",
        multiple_choice.choice_score,
        "share",
    ),
    Metric(
        "yes_no_accuracy",
        "Yes/no accuracy",
        "Share of yes-no questions answered rightly.",
        "yes or no",
        yes_no.accuracy_score,
        "share",
    ),
    Metric(
        "yes_precision",
        "Precision of yes",
        "Share of the model's yes that are right.",
        "yes or no",
        yes_no.accuracy_score,
        "precision",
        counts=yes_no.confusion,
        combine_counts=yes_no.precision,
    ),
    Metric(
        "yes_recall",
        "Recall of yes",
        "Share of the questions with answer yes to which the model says yes.",
        "yes or no",
        yes_no.accuracy_score,
        "recall",
        counts=yes_no.confusion,
        combine_counts=yes_no.recall,
    ),
    Metric(
        "yes_f1",
        "F1 of yes",
        "Harmonic mean of precision and recall of yes.",
        "yes or no",
        yes_no.accuracy_score,
        "f1",
        counts=yes_no.confusion,
        combine_counts=yes_no.f1,
    ),
    Metric(
        "yes_rate",
        "Yes-rate",
        "Share of yes-no questions to which the model says yes, right or not.",
        "yes or no",
        yes_no.yes_score,
        "share",
        higher_is_better=None,
    ),
    Metric(
        "json_fields",
        "JSON fields",
        "Mean share of values of a JSON answer that are right; missing and extra keys count as wrong.",
        "JSON",
        json_fields.json_score,
    ),
    Metric(
        "chrf",
        "chrF",
        "Overlap of runs of one to six characters with the accepted answer, over all rows.",
        "answers",
        text_overlap.chrf_score,
        "corpus",
        counts=text_overlap.chrf_counts,
        combine_counts=text_overlap.chrf,
    ),
    Metric(
        "rouge_l",
        "ROUGE-L",
        "Mean overlap of words in the same order with the accepted answer.",
        "answers",
        text_overlap.rouge_l_score,
    ),
    Metric(
        "evasive_rate",
        "Evasive answers",
        "Share of answers that plead missing information or refuse.",
        "nothing",
        evasive_score,
        "share",
        higher_is_better=False,
    ),
    Metric(
        "characters",
        "Characters",
        "Mean length of an answer in characters.",
        "nothing",
        answer_length.characters_score,
        higher_is_better=None,
        percent=False,
    ),
    Metric(
        "words",
        "Words",
        "Mean length of an answer in words.",
        "nothing",
        answer_length.words_score,
        higher_is_better=None,
        percent=False,
    ),
    Metric(
        "preference_accuracy",
        "Preference accuracy",
        "Share of pairs whose chosen answer is the likelier one; equally likely ones count half.",
        "pairs",
        log_probabilities.preference_score,
    ),
    Metric(
        "implicit_margin",
        "Implicit margin",
        "Mean by how much the chosen answer gained on the rejected one, in log-probability.",
        "pairs",
        log_probabilities.implicit_margin,
        percent=False,
    ),
    Metric(
        "perplexity",
        "Perplexity",
        "How many tokens the model hesitates between, on average, when it reads the right answer.",
        "references",
        log_probabilities.row_perplexity,
        "corpus",
        higher_is_better=False,
        percent=False,
        counts=log_probabilities.perplexity_counts,
        combine_counts=log_probabilities.perplexity,
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _DECLARED}

LONG_ANSWER = 8
"""Words of a reference answer above which overlap says more than equality."""

_YES_NO = ("yes_no_accuracy", "yes_precision", "yes_recall", "yes_f1", "yes_rate")


def metric_named(name: str) -> Metric:
    """Return a metric by its name.

    Raises:
        InputError: There is none; the sentence lists them.
    """
    if name not in METRICS:
        raise InputError(
            f"There is no metric {name!r}.", remedy=f"Choose of: {', '.join(METRICS)}."
        )
    return METRICS[name]


def suggested_metrics(rows: Sequence[Row]) -> list[str]:
    """Return the names of the metrics that suit rows, the main one first.

    A kind of answer counts where most rows with an answer are of it, numbers from a fifth on. Rows without any answer are only measured for
    evasiveness and length.
    """
    answered = [row for row in rows if row.accepted]
    names: list[str] = []
    if answered:
        names += _main_metrics(answered)
    if any(row.chosen is not None and row.rejected is not None for row in rows):
        names += ["preference_accuracy", "implicit_margin"]
    if answered:
        names.append("perplexity")
    return [*names, "evasive_rate", "words"]


def _main_metrics(rows: Sequence[Row]) -> list[str]:
    if _share(json_fields.is_json(row.accepted[0]) for row in rows) > 0.5:
        return ["json_fields", "exact_match"]
    if _share(_has_choice(row) for row in rows) > 0.5:
        return ["choice_accuracy"]
    if _share(yes_no.right_answer(row.accepted) is not None for row in rows) > 0.5:
        return list(_YES_NO)
    if _share(len(row.accepted[0].split()) > LONG_ANSWER for row in rows) > 0.5:
        return ["chrf", "rouge_l"]
    names = ["exact_match"]
    if _share(bool(vqa_accuracy.people_answers(row.accepted, row)) for row in rows) > 0.5:
        names.append("vqa_accuracy")
    if _share(chart_answers.read_number(row.accepted[0].strip()) is not None for row in rows) > 0.2:
        names.append("relaxed_accuracy")
    return [*names, "anls"]


def _has_choice(row: Row) -> bool:
    return multiple_choice.choice_score("", row.accepted, row) is not None


def _share(facts: Iterable[bool]) -> float:
    given = list(facts)
    return sum(given) / len(given)
