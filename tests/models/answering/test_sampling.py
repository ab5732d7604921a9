"""Drawn answers: as likely as the model says, the same for a seed, whatever stands beside them."""

from collections import Counter

import numpy as np
import pytest
import torch

from benchmarks.candidates import log_probs
from studio.core.errors import InputError
from studio.models.answering.sampling import draw_tokens
from studio.models.answering.sampling_settings import Draw, stream_of
from tests.models.answering.asked import BASE, mixed, row

HOT = tuple(Draw(1.3, 0.95, seed) for seed in range(4))


def drawn(asked, rows, draws=HOT, **settings):
    found = asked.answering(**settings).samples(rows, draws, BASE).by_name["base"]
    assert not [one.reason for one in found if one.reason]
    return [[answer.text for answer in one.answers] for one in found]


def test_the_coldest_draw_is_the_greedy_answer(asked, charts):
    rows = mixed(charts)
    cold = drawn(asked, rows, (Draw(0.0), Draw(0.0, seed=5)))
    assert cold == [[text, text] for text in asked.singly(rows)]


def test_what_is_drawn_depends_on_the_seed_and_on_nothing_beside_it(asked, charts):
    rows = mixed(charts)
    wanted = drawn(asked, rows)
    assert len({text for texts in wanted for text in texts}) > len(rows)
    assert drawn(asked, rows, batch_size=1) == drawn(asked, rows[::-1])[::-1] == wanted
    assert drawn(asked, rows, tuple(Draw(1.3, 0.95, seed + 9) for seed in range(4))) != wanted


def test_a_family_without_the_fast_way_draws_the_same(asked, charts, monkeypatch):
    rows = [row([charts[0]], "Describe the image."), row([], "Hello?")]
    wanted = drawn(asked, rows)
    monkeypatch.setattr("studio.models.answering.answering.obstacle", lambda _: "it is another one")
    assert drawn(asked, rows) == wanted


def test_answers_are_kept_by_their_draws(asked, charts, tmp_path):
    rows = mixed(charts)[:3]
    wanted = drawn(asked, rows, answers=tmp_path)
    again = asked.answering(answers=tmp_path).samples(rows, HOT, BASE)
    assert again.known == len(rows)
    assert [[one.text for one in entry.answers] for entry in again.by_name["base"]] == wanted
    assert asked.answering(answers=tmp_path).samples(rows, HOT[:2], BASE).known == 0
    with pytest.raises(InputError):
        asked.answering().samples(rows, (), BASE)


def test_tokens_come_as_often_as_they_are_likely():
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    count = 4000
    for draw in (Draw(1.0), Draw(0.5), Draw(1.0, 0.8)):
        wanted = (logits[0] / draw.temperature).softmax(-1)
        if draw.top_p < 1:  # the two likeliest together reach it
            wanted = torch.where(torch.arange(4) < 2, wanted, torch.zeros(4))
            wanted = wanted / wanted.sum()
        generator = np.random.default_rng(stream_of(draw, 0, "prompt", ()))
        tokens = draw_tokens(logits.expand(count, 4), [draw] * count, [generator] * count)
        seen = Counter(tokens.tolist())
        for token, share in enumerate(wanted.tolist()):
            assert seen[token] / count == pytest.approx(share, abs=0.03)


def test_rows_without_a_draw_stay_greedy_beside_others():
    logits = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    tokens = draw_tokens(logits, [None, Draw(0.0)], [None, np.random.default_rng(1)])
    assert tokens.tolist() == [1, 1]


def test_log_probabilities_of_drawn_answers_are_those_of_separate_scoring(asked, charts):
    for one in (row([charts[0]], "Which?"), row(charts[:2], "First:", "Which one is higher?")):
        found = log_probs(asked.answering(), one, 24, HOT)
        assert len(found) == len(HOT)
        for drawn_as, scored_as in found:
            assert drawn_as == pytest.approx(scored_as, rel=1e-4, abs=1e-5)
