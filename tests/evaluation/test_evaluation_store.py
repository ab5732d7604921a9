"""Evaluations on disk: found, listed, deleted, damaged."""

from __future__ import annotations

import pytest

from studio.core.errors import BusyError, ConflictError, InputError, NotFoundError
from studio.core.paths import Workspace
from studio.evaluation.evaluation import AnswerLikelihoods, RowAnswer
from studio.evaluation.evaluation_store import (
    ANSWER,
    LIKELIHOOD,
    EvaluationStore,
    append_answers,
    began,
    hold,
    read_answers,
    request_stop,
)
from tests.evaluation.small_evaluations import evaluation


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


def test_it_comes_back_as_it_was_asked_for(workspace):
    made = evaluation(workspace)
    store = EvaluationStore(workspace)
    again = store.get(made.evaluation_id[:-1])
    assert again == made and again.status.state == "queued" and again.request.rows == 4
    assert [one.evaluation_id for one in store.list()] == [made.evaluation_id]
    for name in ("", "nobody", "../runs", "x" * 400, "a\0"):
        with pytest.raises(NotFoundError, match="no evaluation"):
            store.get(name)


def test_a_damaged_one_is_said_and_does_not_hide_the_others(workspace):
    store = EvaluationStore(workspace)
    whole, damaged = evaluation(workspace), evaluation(workspace)
    for content in ("{", "[]", '{"request": {"models": 3}}', '{"request": {"models": []}}'):
        store.paths(damaged).record.write_text(content)
        with pytest.raises(InputError, match="is damaged"):
            store.get(damaged.evaluation_id)
        assert [one.evaluation_id for one in store.list()] == [whole.evaluation_id]
    store.delete(damaged.evaluation_id)
    assert store.ids() == [whole.evaluation_id]


def test_one_that_goes_on_is_not_deleted(workspace):
    store = EvaluationStore(workspace)
    made = evaluation(workspace)
    began(store.paths(made))
    with pytest.raises(ConflictError, match="going on"):
        store.delete(made.evaluation_id)
    with hold(store.paths(made)), pytest.raises(BusyError):
        hold(store.paths(made))


def test_a_waiting_one_that_is_stopped_waits_no_more(workspace):
    store = EvaluationStore(workspace)
    made = evaluation(workspace)
    request_stop(store.paths(made))
    assert store.get(made.evaluation_id).status.state == "stopped"


def test_answers_are_kept_in_order_and_torn_lines_passed_over(workspace):
    made = evaluation(workspace)
    paths = EvaluationStore(workspace).paths(made)
    append_answers(paths, ANSWER, "base", {0: RowAnswer("drei\n", 2), 1: RowAnswer(cut=True)})
    with paths.answers.open("ab") as handle:
        handle.write(b'{"kind": "answer", "model": "ba')
    append_answers(paths, LIKELIHOOD, "base", {0: AnswerLikelihoods((-1.5, -2.0), (2, 3))})
    append_answers(paths, ANSWER, "base", {0: RowAnswer("another")})
    with paths.answers.open("ab") as handle:
        handle.write(b'{"kind": "answer", "row": 2, "model": "base", "colour": 3}\n7\n')
    answers, likelihoods = read_answers(paths)
    assert answers == {("base", 0): RowAnswer("drei\n", 2), ("base", 1): RowAnswer(cut=True)}
    assert likelihoods == {("base", 0): AnswerLikelihoods((-1.5, -2.0), (2, 3))}
