import pytest

from studio.evaluation.bradley_terry import Contestant
from studio.evaluation.intervals import Figure
from studio.evaluation.paired_tests import PairedFigure
from studio.evaluation.result_sentences import (
    change_text,
    figure_sentence,
    forgetting_text,
    paired_sentence,
    ranking_sentence,
    run_sentence,
    value_text,
    win_sentence,
)
from studio.evaluation.win_rate import Vote, win_rate
from studio.metrics import METRICS

EXACT, WORDS, PERPLEXITY = (METRICS[name] for name in ("exact_match", "words", "perplexity"))


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        (EXACT, 0.994, "99 %"),
        (EXACT, 0.999, "99.9 %"),
        (EXACT, 0.9999, "99.9 %"),
        (EXACT, 1.0, "100 %"),
        (EXACT, 0.0, "0 %"),
        (EXACT, 0.0004, "0.1 %"),
        (WORDS, 12.345, "12.3"),
        (EXACT, None, "–"),
    ],
)
def test_a_value(metric, value, text):
    assert value_text(metric, value) == text


def test_a_figure():
    assert (
        figure_sentence(EXACT, Figure(0.62, 0.55, 0.69, 200))
        == "Exact match 62 % (95 % interval 55 % to 69 %, 200 rows)."
    )
    assert figure_sentence(WORDS, Figure(3.0, None, None, 1)) == "Words 3 (1 row)."
    assert figure_sentence(EXACT, Figure(None, None, None, 0)).endswith("no row to measure it on.")


def test_a_change():
    before, after = Figure(0.0, 0.0, 0.02, 200), Figure(0.99, 0.97, 1.0, 200)
    assert change_text(EXACT, before, after) == "exact match 0 % → 99 %"
    assert change_text(METRICS["anls"], before, after) == "ANLS 0 % → 99 %"
    assert change_text(METRICS["yes_f1"], before, after) == "F1 of yes 0 % → 99 %"


@pytest.mark.parametrize(
    ("metric", "paired", "sentence"),
    [
        (
            EXACT,
            PairedFigure(0.12, 0.05, 0.19, 0.001, "better", 1200, 500),
            "Exact match is better by 12 points (95 % interval +5 to +19 points, 1,200 rows).",
        ),
        (
            PERPLEXITY,
            PairedFigure(1.5, 0.5, 2.5, 0.01, "worse", 90, 40),
            "Perplexity is worse by 1.5 (95 % interval +0.5 to +2.5, 90 rows).",
        ),
        (
            EXACT,
            PairedFigure(0.01, -0.03, 0.05, 0.6, "cannot tell", 200, 4321),
            "Exact match cannot tell the two apart: a difference of 1 point "
            "(95 % interval −3 to +5 points, 200 rows) needs about 4,400 rows.",
        ),
        (
            EXACT,
            PairedFigure(0.0, 0.0, 0.0, 1.0, "cannot tell", 200, None),
            "Exact match cannot tell the two apart: no difference "
            "(95 % interval 0 to 0 points, 200 rows).",
        ),
        (
            EXACT,
            PairedFigure(1.0, None, None, 1.0, "cannot tell", 1, None),
            "Exact match cannot tell the two apart: a difference of 100 points (1 row); "
            "more images would help.",
        ),
        (
            EXACT,
            PairedFigure(None, None, None, None, "cannot tell", 0, None),
            "Exact match: no row has a score of both models.",
        ),
    ],
)
def test_a_comparison(metric, paired, sentence):
    assert paired_sentence(metric, paired) == sentence


def test_what_a_run_learned_and_forgot():
    before, after = Figure(0.0, 0.0, 0.02, 200), Figure(0.99, 0.97, 1.0, 200)
    same = PairedFigure(-0.01, -0.03, 0.01, 0.5, "cannot tell", 200, 900)
    worse = PairedFigure(-0.12, -0.2, -0.05, 0.001, "worse", 200, 50)
    confused = PairedFigure(2.0, 1.0, 3.0, 0.001, "worse", 200, 50)
    unmeasured = PairedFigure(None, None, None, None, "cannot tell", 0, None)
    assert (
        run_sentence("report line", EXACT, before, after, [(EXACT, same)])
        == "report line 0 % → 99 %, forgot nothing measurable"
    )
    assert run_sentence("", EXACT, before, after) == "exact match 0 % → 99 %"
    assert (
        forgetting_text([(EXACT, worse), (PERPLEXITY, confused), (WORDS, same)])
        == "forgot: exact match −12 points, perplexity +2"
    )
    assert forgetting_text([]) == "forgetting was not measured"
    assert forgetting_text([(EXACT, unmeasured)]) == "forgetting was not measured"


def rated(wins, losses=0, ties=0):
    winners = ["B"] * wins + ["A"] * losses + [None] * ties
    return win_rate(
        [Vote(str(row), "ann", ("A", "B"), winner) for row, winner in enumerate(winners)], "A", "B"
    )


def test_a_win_rate():
    assert win_sentence(rated(0)) == "Nobody has judged B against A yet."
    assert win_sentence(rated(28, 2)).startswith("B wins 93 % against A (95 % sequence ")
    assert win_sentence(rated(28, 2)).endswith(" %, 30 rows); stop now: B is better.")
    assert win_sentence(rated(2, 28)).endswith("stop now: A is better.")
    assert win_sentence(rated(0, 0, 60)).endswith("stop now: they differ by less than 5 points.")
    even = rated(20, 20)
    assert win_sentence(even).endswith(" more votes to tell 55 % from chance.")
    ahead = rated(4, 1)
    assert win_sentence(ahead).endswith(
        f"from chance, {ahead.votes_at_this_rate} votes if it stays like this."
    )


def test_a_ranking():
    def one(name, best):
        return Contestant(name, Figure(1, 0, 2, 9), Figure(0.6, 0.5, 0.7, 9), best)

    assert ranking_sentence([]) == "Nobody has judged yet."
    assert ranking_sentence([one("new", 0.99), one("old", 0.01)]) == "new is the best of 2."
    assert (
        ranking_sentence([one("new", 0.6), one("old", 0.3), one("base", 0.1)])
        == "new leads, but old or base may be as good."
    )
    scattered = [one("new", 0.9), *(one(name, 0.04) for name in "abc")]
    assert ranking_sentence(scattered) == "new leads."
