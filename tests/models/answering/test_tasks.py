"""Given answers scored in batches: the log-probabilities of a plain forward pass."""

import pytest

from studio.config.model import ModelConfig
from studio.core.errors import InputError
from studio.evaluation.evaluation_examples import example_of
from studio.models.answering import tasks
from studio.models.answering.settings import Contestant
from studio.models.likelihood import completion_log_probs
from studio.models.load import load_model
from tests.models.answering.asked import BASE, Asked, mixed, row

GIVEN = ("bar chart", "red 3 | blue 4 | green 5 and a long tail", "no")


def expected(asked, rows, answers, model=None) -> list[list[float]]:
    return [
        [
            completion_log_probs(
                model or asked.loaded.model,
                asked.loaded.processor,
                [example_of(one, asked.images)],
                [answer],
            )[0]
            for answer in given
        ]
        for one, given in zip(rows, answers, strict=True)
    ]


def assert_close(entries, wanted):
    assert not [entry.reason for entry in entries if entry.reason]
    for entry, totals in zip(entries, wanted, strict=True):
        assert entry.totals == pytest.approx(totals, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("size", [1, 2, 16])
def test_scores_are_those_of_one_answer_at_a_time(asked, charts, size):
    rows = mixed(charts)
    answers = [GIVEN[: 1 + number % 3] for number in range(len(rows))]
    answering = asked.answering(batch_size=size)
    found = answering.scores(rows, answers, BASE).by_name["base"]
    assert_close(found, expected(asked, rows, answers))
    assert found[0].tokens == [len(asked.loaded.processor.tokenizer(" bar chart")["input_ids"]) + 1]
    assert answering.encoded == len(charts)


def test_a_batch_of_scores_is_bounded_by_its_logits(asked, charts, monkeypatch):
    rows, answers = mixed(charts), [GIVEN] * len(mixed(charts))
    monkeypatch.setattr(tasks, "LOGITS", 1)
    found = asked.answering().scores(rows, answers, BASE).by_name["base"]
    assert_close(found, expected(asked, rows, answers))


def test_base_and_adapter_are_scored_on_the_same_features(store, charts, language_adapter):
    asked = Asked(load_model(ModelConfig()), store)
    rows, answers = [row([charts[0]], "Which?")], [GIVEN[:2]]
    wanted = expected(asked, rows, answers)
    answering = asked.answering()
    contestants = [Contestant("adapter", language_adapter), Contestant("base")]
    found = answering.scores(rows, answers, contestants).by_name
    assert_close(found["base"], wanted)
    answering.activate(contestants[0])
    assert_close(found["adapter"], expected(asked, rows, answers))
    assert found["adapter"] != found["base"] and answering.encoded == 1


def test_scores_are_kept_and_rows_that_cannot_be_scored_have_a_reason(asked, charts, tmp_path):
    rows = [row([charts[0]], "Which?"), row(["ab" * 32], "Gone?"), row([charts[1]], "None given?")]
    answers = [GIVEN[:2], GIVEN[:2], []]
    first = asked.answering(answers=tmp_path).scores(rows, answers, BASE)
    good, gone, nothing = first.by_name["base"]
    assert "not in this workspace" in gone.reason and len(good.totals) == 2
    assert not nothing.reason and not nothing.totals
    again = asked.answering(answers=tmp_path).scores(rows, answers, BASE)
    assert again.known == 2 and again.by_name["base"][0] == good


def test_scores_of_a_model_that_goes_through_the_plain_way(asked, charts, monkeypatch):
    rows, answers = mixed(charts), [GIVEN[:2]] * len(mixed(charts))
    wanted = expected(asked, rows, answers)
    monkeypatch.setattr(asked.loaded.model.generation_config, "no_repeat_ngram_size", 2)
    found = asked.answering(batch_size=4).scores(rows, answers, BASE)
    assert_close(found.by_name["base"], wanted)
    assert found.notes


def test_rows_and_answers_must_match(asked, charts):
    with pytest.raises(InputError):
        asked.answering().scores([row([charts[0]], "Which?")], [], BASE)
