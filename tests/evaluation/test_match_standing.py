"""Votes add up to who wins, with ties by one rule and an interval for every look."""

from dataclasses import replace

import pytest

from studio.evaluation.match import Match, MatchPair
from studio.evaluation.match_standing import standing_of
from studio.evaluation.win_rate import Vote

NAMES = ("base", "tuned")


def match(differ, alike=0, names=NAMES):
    pairs = tuple(MatchPair(f"r{n}", NAMES, f"r{n}") for n in range(differ))
    ties = tuple(MatchPair(f"t{n}", NAMES) for n in range(alike))
    return Match("m", "e", "rows", "match m", names, pairs, ties)


def votes(won, lost=0, person="ana", first=0):
    winners = ["tuned"] * won + ["base"] * lost
    return [Vote(f"r{first + n}", person, NAMES, winner) for n, winner in enumerate(winners)]


def test_answers_alike_pull_the_rate_towards_a_tie_and_never_over_it():
    standing = standing_of(match(30, 10), votes(24, 6))
    (pair,) = standing.pairs
    assert pair.rate.value == 0.8 and pair.value == pytest.approx(0.725)
    assert 0.5 < pair.low < pair.value < pair.high < pair.rate.high
    assert standing.stop and "tuned is better" in pair.sentence
    assert "10 of 40 rows got the same answer of both" in pair.sentence
    assert (standing.judged, standing.waiting) == (30, 0)


def test_before_the_first_vote_nothing_is_told():
    standing = standing_of(match(30, 10), [])
    assert standing.pairs[0].value is None and not standing.stop and standing.waiting == 30
    assert "Nobody has judged" in standing.sentences[0]
    assert "nothing to judge" in standing_of(match(0, 5), []).sentences[0]


def test_several_people_on_a_row_count_it_once():
    both = [*votes(10, person="ana"), *votes(0, 10, person="ben")]
    standing = standing_of(match(10), both)
    assert standing.judged == 10 and standing.pairs[0].rate.value == 0.5
    assert {who: rate.value for who, rate in standing.pairs[0].by_person.items()} == {
        "ana": 1.0,
        "ben": 0.0,
    }


def test_more_than_two_are_ranked():
    three = match(20, names=("base", "tuned", "old"))
    standing = standing_of(three, votes(18, 2))
    assert [one.name for one in standing.ranking] == ["tuned", "base"]
    assert len(standing.pairs) == 3 and "tuned" in standing.sentences[0]
    assert not standing.stop  # the third was not judged
    about = standing_of(replace(three, about="tuned"), votes(18, 2))
    assert len(about.pairs) == 2


def test_the_standing_is_plain_values_for_programs():
    told = standing_of(match(3), votes(2)).to_json()
    assert told["stop"] is False and told["pairs"][0]["rate"]["wins"] == 2
