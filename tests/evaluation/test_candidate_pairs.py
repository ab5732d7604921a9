"""Of what models wrote to a row, the two that differ most are for a person to choose from."""

from studio.evaluation.candidate_pairs import candidate_row
from studio.evaluation.evaluation import DrawnAnswers, RowAnswer
from tests.evaluation.answered_evaluations import question


def made(**texts):
    drawn = {name: DrawnAnswers(tuple(map(RowAnswer, said))) for name, said in texts.items()}
    decoding = {name: [{"place": n} for n, _ in enumerate(said)] for name, said in texts.items()}
    return candidate_row(question(1), drawn, decoding)


def test_the_two_that_differ_most_are_paired_and_the_rest_stands_alone():
    found = made(base=["It is a red bar", "It is a red line", "Nothing", "it is a red bar."])
    assert {answer.text for answer in found.row.candidates} >= {"Nothing"}
    assert len(found.row.candidates) == 2 and len(found.row.alone) == 1
    assert (found.written, found.repeats, found.empty, found.paired) == (4, 1, 0, True)
    assert found.row.completion is None and found.row.external_id == "row-1"


def test_of_two_writers_one_answer_each_is_paired():
    found = made(base=["a b c d", "x y z"], tuned=["a b c e", "A b c d."])
    authors = [answer.author for answer in found.row.candidates]
    assert authors == ["base", "tuned"] and found.repeats == 1
    assert found.row.candidates[0].text == "x y z"
    assert found.row.candidates[1].decoding == {"place": 0}


def test_answers_all_alike_or_empty_make_no_pair():
    found = made(base=["blue", "Blue.", "**blue**"])
    assert not found.paired and len(found.row.candidates) == 1 and found.repeats == 2
    found = made(base=["", "  "])
    assert found.row is None and (found.written, found.empty) == (0, 2)
    failed = candidate_row(question(1), {"base": DrawnAnswers(reason="too long")}, {"base": [{}]})
    assert failed.row is None and failed.written == 0
