from studio.evaluation.bradley_terry import Contestant
from studio.evaluation.intervals import Figure
from studio.evaluation.win_rate import Vote, win_rate
from studio.evaluation.win_sentences import ranking_sentence, win_sentence


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
