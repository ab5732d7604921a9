"""Answers that a model writes come into the library once, with how they were written."""

from dataclasses import replace
from typing import ClassVar

import pytest
from sqlalchemy import select

from studio.annotation import AnnotationStore
from studio.annotation.database.tables import Candidate
from studio.annotation.records import ItemFilter
from studio.core.errors import DataError, InputError, StoppedError
from studio.core.paths import EMBEDDED, Workspace
from studio.data.schema import Answer
from studio.evaluation import evaluation_worker
from studio.evaluation.evaluation import DrawnAnswers, RowAnswer
from studio.evaluation.evaluation_request import Wanted
from studio.evaluation.evaluation_store import EvaluationStore, request_stop
from studio.launch.candidates import Delivery, create_candidates, draws_of
from tests.evaluation.answered_evaluations import question


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path)


@pytest.fixture
def store(workspace):
    opened = AnnotationStore(workspace.database_url)
    yield opened
    opened.close()


class Session:
    """A model that writes what `say` gives; it notes the rows it was asked."""

    asked: ClassVar[list[list[int]]] = []

    def __init__(self, *_, **__):
        self.notes = {}

    def drawn(self, models, rows, draws, progress):
        Session.asked.append(list(rows))
        return {
            model.name: {
                n: DrawnAnswers(
                    tuple(RowAnswer(self.say(n, place)) for place, _ in enumerate(draws))
                )
                for n in rows
            }
            for model in models
        }

    def say(self, number, place):
        return f"answer {place} to {number}"

    def close(self):
        pass


@pytest.fixture(autouse=True)
def session(monkeypatch):
    Session.asked = []
    monkeypatch.setattr(evaluation_worker, "ModelSession", Session)
    return Session


def wanted(data="library:mine", count=3, **values):
    return Wanted(EMBEDDED, data=data, draws=draws_of(count), batch_size=1, **values)


def write(workspace, made):
    delivery = Delivery(workspace, made)
    evaluation_worker.compute(workspace, made.evaluation_id, deliver=delivery)
    return delivery.counts


def items(store):
    return store.browse(ItemFilter(dataset="mine"))


def test_rows_of_the_library_get_a_pair_and_the_answers_beside_it(workspace, store):
    rows = [question(number) for number in range(3)]
    answered = question(9)
    store.add_rows("mine", [answered, *[_without_answer(row) for row in rows]])
    made = create_candidates(workspace, wanted(), unanswered=True, store=store)
    counts = write(workspace, made)
    assert made.request.rows == 3 and (counts["pairs"], counts["answers"]) == (3, 9)
    found = {item.external_id: item for item in items(store)}
    assert len(found) == 4 and len(found["row-9"].candidates) == 1
    item = found["row-1"]
    assert len(item.candidates) == 3 and len(item.pairs) == 1
    assert {answer.author for answer in item.candidates} == {"base"}
    assert store.claim("ana", "mine") is not None
    assert EvaluationStore(workspace).get(made.evaluation_id).status.state == "finished"
    with pytest.raises(InputError, match="has an answer already"):
        create_candidates(workspace, wanted(), unanswered=True, store=store)


def _pictured(number):
    """A row with a picture of its own: rows of one picture are written to together."""
    return _without_answer(question(number, [f"{number:064x}"]))


def _without_answer(row):
    return replace(row, completion=None)


def test_how_an_answer_was_written_is_kept_with_it(workspace, store):
    store.add_rows("mine", [_without_answer(question(1))])
    write(workspace, create_candidates(workspace, wanted(), store=store))
    with store._database.read() as connection:
        kept = connection.execute(select(Candidate.decoding)).scalars().all()
    assert sorted(one["place"] for one in kept) == [0, 1, 2]
    assert kept[0]["temperature"] == 1.0 and kept[0]["model"] == EMBEDDED


def test_killed_between_writing_and_the_library_nothing_is_lost_or_doubled(
    workspace, store, monkeypatch
):
    store.add_rows("mine", [_pictured(number) for number in range(9)])
    made = create_candidates(workspace, wanted(), store=store)
    importing, calls = AnnotationStore.importing, []

    def failing(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise DataError("the disk is full")
        return importing(self, *arguments, **options)

    monkeypatch.setattr(AnnotationStore, "importing", failing)
    with pytest.raises(DataError):
        write(workspace, made)
    assert EvaluationStore(workspace).get(made.evaluation_id).status.state == "failed"
    assert sum(bool(item.pairs) for item in items(store)) == 4
    counts = write(workspace, made)
    assert sum(bool(item.pairs) for item in items(store)) == 9 and counts["pairs"] == 9
    assert all(len(item.candidates) == 3 for item in items(store))
    numbers = [number for chunk in Session.asked for number in chunk]
    assert sorted(numbers) == list(range(9))  # nothing was written twice


def test_it_stops_when_asked_and_goes_on(workspace, store, monkeypatch):
    store.add_rows("mine", [_pictured(number) for number in range(9)])
    made = create_candidates(workspace, wanted(), store=store)
    paths = workspace.evaluation(made.evaluation_id)
    monkeypatch.setattr(
        Session, "say", lambda self, n, place: (request_stop(paths), f"{place} to {n}")[1]
    )
    with pytest.raises(StoppedError):
        write(workspace, made)
    monkeypatch.undo()
    monkeypatch.setattr(evaluation_worker, "ModelSession", Session)
    write(workspace, made)
    assert all(item.pairs for item in items(store))


def test_answers_all_alike_make_no_pair_and_are_counted(workspace, store, monkeypatch):
    monkeypatch.setattr(Session, "say", lambda *_: "the same")
    store.add_rows("mine", [_without_answer(question(1))])
    counts = write(workspace, create_candidates(workspace, wanted(), store=store))
    assert (counts["pairs"], counts["repeats"]) == (0, 2)
    (item,) = items(store)
    assert len(item.candidates) == 1 and item.pairs == ()


def test_a_dataset_deleted_meanwhile_is_made_again_and_an_edited_row_left(workspace, store):
    store.add_rows("mine", [_without_answer(question(1))])
    made = create_candidates(workspace, wanted(), store=store)
    store.delete([item.id for item in items(store)])
    counts = write(workspace, made)
    assert counts["rows"] == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"count": 0}, "answers"),
        ({"count": 99}, "answers"),
        ({"count": 2, "temperature": 9}, "temperature"),
        ({"count": 2, "temperature": 0}, "temperature"),
        ({"count": 2, "top_p": 0}, "top_p"),
    ],
)
def test_numbers_out_of_bounds_are_refused_at_their_field(given, field):
    with pytest.raises(InputError) as caught:
        draws_of(**given)
    assert caught.value.field == field


def test_the_first_answer_can_be_the_likeliest():
    first, second = draws_of(2, temperature=0.7, greedy=True)
    assert (first.temperature, second.temperature) == (0.0, 0.7)
    assert Answer("a", decoding={"x": 1}) == Answer("a") and hash(Answer("a"))
