import pytest

from studio.core.errors import InputError
from studio.data.schema import Answer
from studio.metrics.metric_table import METRICS, metric_named, suggested_metrics
from tests.evaluation.row_makers import row_of
from tests.places import ROOT


def test_every_metric_is_declared_in_full():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.label and metric.help.endswith(".")
        assert (metric.counts is None) == (metric.combine_counts is None)
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_every_metric_is_explained():
    page = (ROOT / "docs" / "metrics.md").read_text()
    lines = [line.split(" | ")[:2] for line in page.splitlines() if line.startswith("| `")]
    assert [(name.strip("| `"), label) for name, label in lines] == [
        (metric.name, metric.label) for metric in METRICS.values()
    ]


def test_a_name_that_does_not_exist_lists_those_that_do():
    assert metric_named("anls") is METRICS["anls"]
    with pytest.raises(InputError, match="exact_match"):
        metric_named("bleu")


CHOICES = "Which?\nA. red\nB. blue"


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([row_of("blue"), row_of("red"), row_of("wide")], ["exact_match", "anls"]),
        ([row_of("blue"), row_of("12%")], ["exact_match", "relaxed_accuracy", "anls"]),
        ([row_of("a", "b", "c")], ["exact_match", "anls"]),
        ([row_of("a", "a", "c")], ["exact_match", "vqa_accuracy", "anls"]),
        ([row_of("A", question=CHOICES), row_of("B", question=CHOICES)], ["choice_accuracy"]),
        (
            [row_of("yes"), row_of("No.")],
            ["yes_no_accuracy", "yes_precision", "yes_recall", "yes_f1", "yes_rate"],
        ),
        ([row_of('{"a": 1}')], ["json_fields", "exact_match"]),
        ([row_of("The chart shows how the red bar grew in all years.")], ["chrf", "rouge_l"]),
    ],
)
def test_metrics_follow_what_most_rows_hold(rows, names):
    assert suggested_metrics(rows) == [*names, "perplexity", "evasive_rate", "words"]


def test_pairs_are_measured_by_their_preference():
    pair = row_of(chosen=Answer("blue"), rejected=Answer("red"))
    assert suggested_metrics([pair]) == [
        "preference_accuracy",
        "implicit_margin",
        "evasive_rate",
        "words",
    ]


def test_rows_without_answers_have_only_a_length():
    assert suggested_metrics([row_of()]) == ["evasive_rate", "words"]
    assert suggested_metrics([]) == ["evasive_rate", "words"]
