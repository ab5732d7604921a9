"""Questions that a model writes about images: one row each, marked, and none twice."""

from studio.data.schema import Message, Part, Row
from studio.evaluation.candidate_questions import WRITTEN, asking_rows, question_rows
from studio.evaluation.evaluation import DrawnAnswers, RowAnswer
from tests.evaluation.answered_evaluations import question


def test_each_set_of_images_is_asked_about_once_whatever_its_rows_ask():
    rows = [question(1, ["aa"]), question(2, ["aa"]), question(3), question(4, ["aa", "bb"])]
    found = asking_rows(rows, "Ask!")
    assert [row.external_id for row in found] == ["row-1", "row-4"]
    assert found[1].prompt[0].parts == (Part("image"), Part("image"), Part("text", "Ask!"))
    assert found[0].completion is None


def test_questions_become_rows_and_what_asks_nothing_or_the_same_is_counted():
    row = Row(
        "a", ("aa",), (Message("user", (Part("image"), Part("text", "Ask!"))),), meta={"x": 1}
    )
    said = (
        "**Which bar is the highest?** It is blue.",
        "which bar is the highest?",
        "A chart.",
        "",
        "图里有几条线？",
    )
    drawn = {"tiny": DrawnAnswers(tuple(map(RowAnswer, said)))}
    found = question_rows(row, drawn, {"tiny": [{}] * 5})
    assert [one.question for one in found.rows] == ["Which bar is the highest?", "图里有几条线？"]
    assert (found.written, found.repeats, found.others) == (3, 1, 2)
    first, second = found.rows
    assert first.prompt[0].parts[0] == Part("image") and first.images == ("aa",)
    assert first.meta == {"x": 1, WRITTEN: "tiny"} and first.external_id != second.external_id
    assert question_rows(row, drawn, {"tiny": [{}] * 5}) == found
