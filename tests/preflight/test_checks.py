"""Each kind of finding that needs neither image nor model."""

from __future__ import annotations

import re

import pytest

from studio.preflight.checks.answers import EmptyAnswers
from studio.preflight.checks.balance import Balance
from studio.preflight.checks.language import Languages, language_of
from studio.preflight.checks.leakage import Leakage
from studio.preflight.checks.length import length_bias, length_findings
from studio.preflight.checks.repeats import Repeats
from studio.preflight.checks.special_tokens import SpecialTokens
from studio.preflight.checks.unreadable import Unreadable
from studio.preflight.image_fingerprints import Pictures
from studio.preflight.token_summary import histogram
from tests.places import ROOT
from tests.preflight.conftest import look, row


def test_the_same_answer_twice_is_found_whatever_surrounds_it():
    found = look(
        EmptyAnswers(),
        row(chosen="Three.", rejected="Three. "),
        row(chosen="Three", rejected="Four"),
        row(chosen="three", rejected="Three"),
    )
    assert found["identical_answers"].rows == [1]
    assert found["identical_answers"].severity == "error"


def test_empty_answers_and_questions_and_half_pairs_are_named():
    found = look(
        EmptyAnswers(),
        row(completion="  "),
        row(question=" ", completion="x"),
        row(chosen="only one"),
        row(completion="good"),
    )
    assert found["empty_answers"].rows == [1]
    assert found["empty_questions"].rows == [2]
    assert found["incomplete_pairs"].rows == [3]
    assert "unanswered" not in found


def test_two_empty_answers_are_empty_not_identical():
    found = look(EmptyAnswers(), row(chosen="", rejected=""))
    assert set(found) == {"empty_answers"}


def test_rows_before_any_answer_are_no_fault_but_single_ones_are():
    assert look(EmptyAnswers(), row(), row())["unanswered"].severity == "info"
    found = look(EmptyAnswers(), row(), row(completion="x"))
    assert (found["unanswered"].severity, found["unanswered"].rows) == ("warning", [1])


def test_repeated_rows_count_from_the_second_on(store):
    repeats = Repeats(Pictures(store))
    pair = {"chosen": "a", "rejected": "b"}
    found = look(
        repeats, row("Q?", **pair), row("Q?", **pair), row(" q? ", **pair), row("other", **pair)
    )
    assert found["duplicates"].rows == [2]
    assert found["near_duplicates"].rows == [3]
    assert repeats.count == 2


def test_opposite_preferences_contradict(store):
    found = look(
        Repeats(Pictures(store)),
        row("Q?", chosen="a", rejected="b"),
        row("Q?", chosen="B", rejected="A"),
        row("Q?", chosen="a", rejected="c"),
        row("Other?", chosen="b", rejected="a"),
    )
    assert found["contradictions"].rows == [1, 2]


def test_different_answers_to_the_same_question_are_told(store):
    found = look(
        Repeats(Pictures(store)), row("Q?", completion="1"), row("Q?", completion="2"), row("R?")
    )
    assert found["different_answers"].rows == [1, 2]


def test_a_question_in_two_splits_leaks_when_there_is_no_image(store):
    rows = [row("What is this?"), row("Something else"), row("what is this?")]
    found = look(Leakage(Pictures(store)), *rows, splits=("train", "test", "test"))
    assert found["leakage"].rows == [3] and found["leakage"].severity == "error"
    assert look(Leakage(Pictures(store)), *rows) == {}


def test_special_tokens_in_any_text_are_named():
    found = look(
        SpecialTokens(["<image>", "<end_of_utterance>", " "]),
        row("What is <image> here?"),
        row("Fine?", chosen="a", rejected="b<end_of_utterance>"),
        row("<images> < image >", completion="x y"),
    )
    assert found["special_tokens"].reasons == {
        1: "contains <image>",
        2: "contains <end_of_utterance>",
    }


def test_no_special_tokens_find_nothing():
    assert look(SpecialTokens([]), row("anything <image>")) == {}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many bars are there in the chart?", "en"),
        ("Welche Farbe hat der höchste Balken im Diagramm?", "de"),
        ("Quelle est la couleur de la barre la plus haute ?", "fr"),
        ("图中最高的柱子是什么颜色？", "zh"),
        ("Какого цвета самый высокий столбец?", "ru"),
        ("42 %", ""),
        ("blue", ""),
        ("", ""),
    ],
)
def test_languages_are_told_only_where_the_text_tells(text, language):
    assert language_of(text) == language


def test_an_answer_in_another_language_is_a_warning_and_a_mix_is_not():
    english = "How many bars are there in the chart?"
    german = "Wie viele Balken sind in diesem Diagramm zu sehen?"
    check = Languages()
    found = look(
        check,
        *[row(english, completion="There are three bars in the chart.")] * 3,
        row(english, completion=german),
        row(german, completion="In diesem Diagramm sind drei Balken zu sehen."),
    )
    assert (found["answer_language"].rows, found["answer_language"].severity) == ([4], "warning")
    assert (found["language_mix"].rows, found["language_mix"].severity) == ([5], "info")
    assert "German" in found["language_mix"].message
    assert check.shares == {"en": 0.8, "de": 0.2}


def test_one_answer_for_nearly_everything_is_a_warning():
    rows = [row(str(n), completion="Yes" if n < 15 else f"no {n}") for n in range(24)]
    found = look(Balance([]), *rows)
    assert found["one_answer"].rows == list(range(1, 16))
    assert found["little_data"].rows == []


def test_enough_rows_and_mixed_answers_are_fine():
    assert look(Balance([]), *[row(str(n), completion=str(n)) for n in range(100)]) == {}


def test_length_bias_is_counted_in_tokens_both_ways():
    bias = length_bias([(10, 4), (10, 4), (3, 3), (2, 4)])
    assert (bias.pairs, bias.chosen_longer, bias.mean_gap) == (4, 0.5, 2.5)
    longer = [(9, 4)] * 15 + [(1, 2)] * 5
    (warning,) = length_findings(length_bias(longer), longer, range(len(longer)))
    assert "longer one in 75 %" in warning.message and warning.rows == list(range(15))
    shorter = [(4, 9)] * 20
    (warning,) = length_findings(length_bias(shorter), shorter, range(len(shorter)))
    assert "shorter one in 100 %" in warning.message and "longer answer" in warning.remedy
    assert list(length_findings(length_bias([]), [], [])) == []


def test_length_bias_without_pairs_is_unknown():
    bias = length_bias([])
    assert (bias.chosen_longer, bias.mean_gap) == (None, None)


def test_unreadable_rows_keep_their_reasons():
    bad = Unreadable()
    bad.add(4, "damaged image: broken data stream.", "image")
    bad.add(2, "there is no image file 'x.png'", "image")
    bad.add(9, "not valid JSON")
    images, others = bad.findings()
    assert images.rows == [2, 4] and images.reasons[4] == "damaged image: broken data stream"
    assert others.rows == [9] and "not valid JSON" in others.message
    assert len(bad) == 3


def test_every_finding_is_in_the_documentation():
    sources = (ROOT / "studio" / "preflight").rglob("*.py")
    found = {
        name
        for path in sources
        for name in re.findall(r'Finding\(\s*"(\w+)",', path.read_text(encoding="utf-8"))
    }
    table = (ROOT / "docs" / "data.md").read_text(encoding="utf-8").partition("| finding |")[2]
    table = table.partition("\n\n")[0]
    named = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line)}
    assert len(found) > 20 and named == found


def test_histogram_bins_hold_every_row_once():
    import numpy as np

    totals = np.array([7, 7, 8, 250, 999, 1000])
    bins = histogram(totals)
    assert sum(one.rows for one in bins) == 6
    assert all(one.end - one.start == 50 for one in bins)
    assert bins[0].start <= 7 and bins[-1].end > 1000 and bins[-1].rows
    assert [one.rows for one in histogram(np.array([71] * 5)) if one.rows] == [5]
