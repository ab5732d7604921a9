"""Answers that a model writes come into the library once, with how they were written."""

import io
from dataclasses import replace
from typing import ClassVar

import pytest
from PIL import Image
from sqlalchemy import select

from studio.annotation import AnnotationStore
from studio.annotation.database.tables import Candidate
from studio.annotation.records import ItemFilter, TextChange
from studio.core.errors import DataError, InputError, NotFoundError, StoppedError
from studio.core.paths import EMBEDDED, Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer
from studio.evaluation import evaluation_worker
from studio.evaluation.candidate_pictures import NONE, pictured
from studio.evaluation.evaluation import AnswerLikelihoods, DrawnAnswers, RowAnswer
from studio.evaluation.evaluation_request import Wanted
from studio.evaluation.evaluation_store import EvaluationStore, request_stop
from studio.launch.candidates import (
    Delivery,
    Outcome,
    create_candidates,
    draws_of,
    outcome_of,
)
from tests.evaluation.answered_evaluations import question
from tests.evaluation.small_evaluations import run_with_adapter


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


def sample_picture():
    content = io.BytesIO()
    Image.effect_noise((60, 40), 90).convert("RGB").save(content, "PNG")
    return content.getvalue()


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
    assert sum(bool(item.pairs) for item in items(store)) == 1
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


def test_rows_whose_answers_are_alike_beside_others_are_told_with_the_remedy():
    *_, told = Outcome({"rows": 8, "answers": 32, "pairs": 2, "failed": 1}).sentences
    assert told.startswith("5 rows got no two different answers, so no pair: raise the temperature")
    assert "raise" not in " ".join(Outcome({"rows": 3, "answers": 6, "pairs": 3}).sentences)


def test_a_dataset_deleted_meanwhile_is_not_made_again_and_can_be_gone_on_with(workspace, store):
    store.add_rows("mine", [_without_answer(question(1))])
    made = create_candidates(workspace, wanted(), store=store)
    ids = [item.id for item in items(store)]
    store.delete(ids)
    with pytest.raises(NotFoundError, match="'mine' is gone"):
        write(workspace, made)
    status = EvaluationStore(workspace).get(made.evaluation_id).status
    assert status.state == "failed" and "--resume" in status.remedy
    store.restore(ids)
    assert write(workspace, made)["pairs"] == 1 and Session.asked == [[0]]


def test_a_row_edited_meanwhile_keeps_its_question_and_gets_no_answer_to_another(workspace, store):
    store.add_rows("mine", [_without_answer(question(1))])
    made = create_candidates(workspace, wanted(), store=store)
    (item,) = items(store)
    store.edit(TextChange(item.id, None, 0, "Another question?", "lea"))
    assert write(workspace, made)["changed"] == 1
    (item,) = items(store)
    assert item.question == "Another question?" and item.candidates == ()


def test_rows_with_answers_get_others_and_are_not_doubled(workspace, store):
    row = replace(question(1), completion=None, candidates=(Answer("answer 0 to 0", "ana"),))
    store.add_rows("mine", [row])
    counts = write(workspace, create_candidates(workspace, wanted(), store=store))
    (item,) = items(store)
    assert len(item.candidates) == 3 and counts["repeats"] == 1 and len(item.pairs) == 1


def test_the_system_prompt_of_a_run_is_asked_with_and_not_written_into_the_library(
    workspace, store, monkeypatch
):
    asked = []
    drawn = Session.drawn
    monkeypatch.setattr(
        Session,
        "drawn",
        lambda self, m, rows, *rest: (asked.extend(rows.values()), drawn(self, m, rows, *rest))[1],
    )
    run = run_with_adapter(workspace, system_prompt="Be brief.")
    monkeypatch.setattr(evaluation_worker, "check_model", lambda *_: None)
    store.add_rows("mine", [_without_answer(question(1))])
    made = create_candidates(workspace, wanted(adapters=(run.run_id,)), store=store)
    assert write(workspace, made)["changed"] == 0
    assert asked[0].prompt[0].text == "Be brief."
    (item,) = items(store)
    assert [turn.role for turn in item.prompt] == ["user"] and item.candidates[
        0
    ].author == run.run_id


def test_empty_answers_are_left_out_and_said(workspace, store, monkeypatch):
    monkeypatch.setattr(Session, "say", lambda *_: "")
    store.add_rows("mine", [_without_answer(question(1))])
    made = create_candidates(workspace, wanted(), store=store)
    write(workspace, made)
    assert items(store)[0].candidates == ()
    told = outcome_of(workspace, EvaluationStore(workspace).get(made.evaluation_id))
    assert told.counts["empty"] == 3 and "3 answers ended at once" in told.sentences[1]


def test_a_run_that_is_to_start_meanwhile_is_given_the_device(workspace, store):
    store.add_rows("mine", [_pictured(number) for number in range(5)])
    made = create_candidates(workspace, wanted(), store=store)
    waits = iter([False, True])
    delivery = Delivery(workspace, made)
    evaluation_worker.compute(
        workspace, made.evaluation_id, deliver=delivery, makes_way=lambda: next(waits)
    )
    assert EvaluationStore(workspace).get(made.evaluation_id).status.state == "queued"
    assert 0 < sum(bool(item.pairs) for item in items(store)) < 5
    write(workspace, made)
    assert all(item.pairs for item in items(store))


def test_writers_without_the_image_and_with_a_spoilt_one(workspace, store, monkeypatch):
    sha = ImageStore(workspace).add(sample_picture())
    seen = {}

    def drawn(self, models, rows, draws, progress):
        (row,) = rows.values()
        seen.update({model.name: row for model in models})
        return {m.name: {0: DrawnAnswers((RowAnswer(f"{m.name} says"),))} for m in models}

    monkeypatch.setattr(Session, "drawn", drawn)
    store.add_rows("mine", [_without_answer(question(1, [sha]))])
    made = create_candidates(workspace, wanted(count=1), store=store, recipe="corrupted-image")
    write(workspace, made)
    blurred = seen["base (spoilt image)"].images[0]
    assert seen["base"].images == (sha,) and blurred != sha
    assert ImageStore(workspace).open(blurred).size == ImageStore(workspace).open(sha).size
    (item,) = items(store)
    by_id = {one.id: one.author for one in item.candidates}
    assert item.images == (sha,) and by_id[item.pairs[0].source_choice_id] == "base"
    create_candidates(workspace, wanted(), store=store, recipe="with+without-image")
    assert pictured(seen["base"], NONE, ImageStore(workspace)).images == ()


def test_by_margin_the_adapter_s_best_meets_its_worst_and_answers_are_weighed_once(
    workspace, store, monkeypatch
):
    calls = []

    def likelihoods(self, models, rows, texts, progress):
        calls.append(list(rows))
        sign = {model.name: 1 if model.adapter else -1 for model in models}
        return {
            name: {
                n: AnswerLikelihoods(tuple(s * place for place, _ in enumerate(texts[n])), ())
                for n in rows
            }
            for name, s in sign.items()
        }

    monkeypatch.setattr(Session, "likelihoods", likelihoods, raising=False)
    monkeypatch.setattr(Session, "say", lambda self, n, place: "abc"[place] * 3)
    monkeypatch.setattr(evaluation_worker, "check_model", lambda *_: None)
    run = run_with_adapter(workspace)
    store.add_rows("mine", [_without_answer(question(1))])
    with pytest.raises(InputError, match="base and one adapter"):
        create_candidates(workspace, wanted(rule="margin"), store=store)
    asked = wanted(rule="margin", adapters=(run.run_id,), against="base")
    made = create_candidates(workspace, asked, store=store)
    write(workspace, made)
    (item,) = items(store)
    texts = {one.id: one.text for one in item.candidates}
    (pair,) = item.pairs
    assert {texts[pair.first_id], texts[pair.second_id]} == {"aaa", "ccc"} and calls == [[0]]


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


def test_questions_about_images_become_rows_that_can_be_answered(workspace, store, monkeypatch):
    monkeypatch.setattr(Session, "say", lambda self, n, place: ("What is it?", "Blue.")[place])
    store.add_rows("mine", [_pictured(1), _without_answer(question(2))])
    asked = wanted(count=2, dataset="asked")
    made = create_candidates(workspace, asked, store=store, questions=True)
    write(workspace, made)
    (item,) = store.browse(ItemFilter(dataset="asked"))
    assert (item.question, item.candidates) == ("What is it?", ())
    assert item.meta["question_written_by"] == "base" and item.source.startswith("questions ")
    done = EvaluationStore(workspace).get(made.evaluation_id)
    assert outcome_of(workspace, done).sentences == (
        "1 question about 1 image, each a row without an answer.",
        "1 text asked nothing: left out.",
    )
    assert create_candidates(workspace, wanted("library:asked"), unanswered=True).request.rows == 1
    store.add_rows("text", [_without_answer(question(2))])
    with pytest.raises(InputError, match="has an image"):
        create_candidates(workspace, wanted("library:text"), store=store, questions=True)


def test_rows_from_elsewhere_bring_their_answers_along(workspace, store):
    made = create_candidates(workspace, wanted("embedded:heldout", dataset="mine"), limit=2)
    write(workspace, made)
    assert [sum(one.reference for one in item.candidates) for item in items(store)] == [1, 1]
    assert all(len(item.candidates) == 4 for item in items(store))


def test_recipes_let_the_base_write_too_and_the_first_answer_be_the_likeliest(workspace, store):
    run = run_with_adapter(workspace)
    store.add_rows("mine", [_without_answer(question(1))])
    asked = wanted(adapters=(run.run_id,))
    made = create_candidates(workspace, asked, store=store, recipe="base+adapter")
    assert [model.name for model in made.request.models] == ["base", run.run_id]
    made = create_candidates(workspace, asked, store=store, recipe="greedy+hot")
    assert [draw.temperature for draw in made.request.draws] == [0.0, 1.0, 1.0]
    with pytest.raises(InputError, match="no recipe 'cold'"):
        create_candidates(workspace, asked, store=store, recipe="cold")


def test_the_first_answer_can_be_the_likeliest():
    first, second = draws_of(2, temperature=0.7, greedy=True)
    assert (first.temperature, second.temperature) == (0.0, 0.7)
    assert Answer("a", decoding={"x": 1}) == Answer("a") and hash(Answer("a"))
