"""Rows and labels as writers get them: pairs in a fair order, names taken out."""

from __future__ import annotations

from studio.annotation.export.export_contents import (
    Contents,
    beside,
    source_meta,
    without_names,
)
from studio.data.schema import Answer, Message, Part, Row

PROMPT = (Message("user", (Part("text", "Which?"),)),)


def row(number: int, chosen: str, rejected: str, **meta) -> Row:
    known = {"pair": number, "votes": 1, **meta}
    answers = {"chosen": Answer(chosen, "person:ana"), "rejected": Answer(rejected, "model-a")}
    return Row(f"r{number}", (), PROMPT, meta=known, **answers)


def record(pair: int, annotator: str, first: str, second: str) -> dict:
    answers = [{"text": first, "author": "person:ana"}, {"text": second, "author": "model-a"}]
    return {"pair": pair, "annotator": annotator, "answers": answers}


def test_answers_stand_as_people_saw_them_and_the_winner_is_named_by_its_place():
    said = record(1, "ben", "worse", "better")
    contents = Contents("n", "preferences", (row(1, "better", "worse"),), (said,))
    (pair,) = contents.pairs
    assert [answer.text for answer in pair.answers] == ["worse", "better"]
    assert pair.preferred == 1 and pair.said == (said,)


def test_without_labels_the_better_answer_is_not_always_the_first():
    rows = tuple(row(n, f"better {n}", f"worse {n}") for n in range(20))
    pairs = Contents("n", "preferences", rows).pairs
    assert {pair.preferred for pair in pairs} == {0, 1}
    for pair, one in zip(pairs, rows, strict=True):
        assert pair.answers[pair.preferred] == one.chosen
    assert [pair.preferred for pair in Contents("n", "preferences", rows).pairs] == [
        pair.preferred for pair in pairs
    ]


def test_names_are_taken_out_of_labels_and_of_authors_and_models_stay():
    labels = (record(1, "ana", "a", "b"), record(1, "ben", "a", "b"))
    contents = without_names(Contents("n", "preferences", (row(1, "a", "b"),), labels))
    first, second = contents.records
    assert {first["annotator"], second["annotator"]} == {"annotator-1", "annotator-2"}
    assert first["answers"][0]["author"] == f"person:{first['annotator']}"
    assert contents.rows[0].chosen.author == f"person:{first['annotator']}"
    assert contents.rows[0].rejected.author == "model-a"
    assert "ana" not in repr(contents).replace("annotator", "")


def test_a_column_of_the_source_never_overwrites_what_a_format_writes():
    known = beside(source_meta(row(1, "a", "b", votes=2, image="x")), {"image": "y"})
    assert known == {"source_image": "x", "image": "y"}
