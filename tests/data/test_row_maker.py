"""Values by their roles → rows: directions, alternatives, context and refusals."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data.schema import BadRow
from studio.data.sources import open_source
from tests.data.conftest import parts, png

ASK = {"image": "a.png", "question": "Colour?"}


def prompt(row) -> list[str]:
    return [f"{message.role}: {message.text}" for message in row.prompt]


@pytest.mark.parametrize(
    ("answers", "better"),
    [
        ({"response_1": "blue", "response_2": "red", "preference": 2}, "red"),
        ({"response_1": "red", "response_2": "blue", "preference": 1}, "red"),
        ({"response_0": "blue", "response_1": "red", "better_response_id": 1}, "red"),
        ({"response_a": "red", "response_b": "blue", "winner": "model_a"}, "red"),
        ({"response_a": "red", "response_b": "blue", "winner": "A"}, "red"),
        ({"answer1": "blue", "answer2": "red", "choice": "answer2"}, "red"),
        ({"text_a": "blue", "text_b": "red", "preferred": "right"}, "red"),
        ({"output_1": "red", "output_2": "blue", "winner": "first"}, "red"),
        ({"responses": [{"text": "blue", "rank": 2}, {"text": "red", "rank": 1}]}, "red"),
        ({"responses": [{"text": "blue", "score": 0.1}, {"text": "red", "score": 0.9}]}, "red"),
        ({"generations": ["blue", "red"], "ratings": [1, 5]}, "red"),
        ({"responses": ["blue", "red"], "ranks": [2, 1]}, "red"),
        ({"answer": "red", "rejected": "blue"}, "red"),
        ({"优选": "red", "劣选": "blue"}, "red"),
    ],
)
def test_the_better_answer_is_the_chosen_one(read, answers, better):
    _, (row,) = read({**ASK, **answers})
    assert row.chosen.text == better and row.rejected.text == "blue"
    assert row.completion is None


@pytest.mark.parametrize(
    "answers",
    [
        {"response_a": "red", "response_b": "blue", "winner": "tie"},
        {"response_a": "red", "response_b": "blue", "winner": "both bad"},
        {"response_a": "red", "response_b": "blue", "winner": None},
        {"response_a": "red", "response_b": "blue"},
        {"responses": ["red", "blue"]},
        {"responses": [{"text": "red", "score": 1}, {"text": "blue", "score": 1}]},
        {"responses": [{"text": "red", "score": 1}, {"text": "blue", "score": None}]},
    ],
)
def test_answers_without_a_direction_are_candidates(read, answers):
    _, (row,) = read({**ASK, **answers})
    assert [answer.text for answer in row.candidates] == ["red", "blue"]
    assert row.chosen is row.rejected is row.completion is None


def test_numbers_that_begin_at_0_somewhere_begin_there_everywhere(read):
    pair = {"response_a": "red", "response_b": "blue"}
    _, rows = read(*({**ASK, **pair, "winner": 1, "id": n} for n in range(30)),
                   {**ASK, **pair, "winner": 0, "id": 30})  # fmt: skip
    assert {row.chosen.text for row in rows[:30]} == {"blue"} and rows[30].chosen.text == "red"


@pytest.mark.parametrize("label", [False, "False"])
def test_an_answer_called_bad_is_never_one_to_learn_from(read, label):
    _, rows = read({**ASK, "completion": "red", "label": True},
                   {**ASK, "completion": "blue", "label": label})  # fmt: skip
    assert rows[0].completion.text == "red" and rows[0].meta["verdict"] == "good"
    assert rows[1].completion is None and rows[1].meta["verdict"] == "bad"
    assert [answer.text for answer in rows[1].candidates] == ["blue"]


@pytest.mark.parametrize(
    ("answers", "first", "accepted"),
    [
        (["red", "blue", "blue"], "blue", ("blue", "red")),
        (["$ 1,200", "1,200"], "$ 1,200", ("$ 1,200", "1,200")),
        ([{"answer": "red", "answer_confidence": "yes"}] * 2, "red", ("red",)),
        ({"text": ["red", "dark red"], "answer_start": [0, 3]}, "red", ("red", "dark red")),
        ([3.0, 3.0], "3", ("3",)),
    ],
)
def test_of_several_right_answers_the_most_frequent_is_learned(read, answers, first, accepted):
    _, (row,) = read({**ASK, "answers": answers})
    assert row.completion.text == first and row.accepted == accepted


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        ({"answers": ["red", "blue", "red"]}, ["red", "blue", "red"]),
        ({"answers": ["red"] * 3}, ["red"] * 3),
        (
            {
                "multiple_choice_answer": "red",
                "answers": [{"answer": text} for text in ("blue", "red", "red")],
            },
            ["blue", "red", "red"],
        ),
        ({"answers": ["red", "dark red"]}, ["red", "dark red"]),
    ],
)
def test_answers_are_kept_as_often_as_people_gave_them(read, record, kept):
    _, (row,) = read({**ASK, **record})
    assert row.meta["accepted_answers"] == kept
    assert row.completion.text == "red" and len(row.accepted) == len(set(kept))


def test_an_answer_nobody_judged_beside_judged_ones_is_one_to_judge(read):
    _, rows = read({**ASK, "completion": "red", "label": True},
                   {**ASK, "completion": "blue", "label": None})  # fmt: skip
    assert rows[1].completion is None and "verdict" not in rows[1].meta
    assert [answer.text for answer in rows[1].candidates] == ["blue"]


@pytest.mark.parametrize("name", ["output", "response", "completion"])
def test_several_outputs_are_no_references(read, name):
    _, (row,) = read({**ASK, name: ["red", "blue"]})
    assert row.completion is None and [a.text for a in row.candidates] == ["red", "blue"]


def test_the_name_of_the_better_model_is_a_winner(read):
    pair = {"response_a": "blue", "response_b": "red", "model_a": "m1", "model_b": "m2"}
    _, (row,) = read({**ASK, **pair, "winner": "m2"})
    assert row.chosen.text == "red"


def test_numbers_with_a_third_for_a_tie_name_no_side(read):
    pair = {"response_a": "red", "response_b": "blue"}
    _, rows = read(*({**ASK, **pair, "winner": n % 3, "id": n} for n in range(30)))
    assert all(row.chosen is None and len(row.candidates) == 2 for row in rows)


def test_lists_of_chosen_and_rejected_answers_are_pairs(read):
    _, rows = read(
        {**ASK, "id": 7, "chosen": ["red", "a red one"], "rejected": ["blue", "a bus", "x"]}
    )
    assert [(row.chosen.text, row.rejected.text) for row in rows] == [
        ("red", "blue"), ("a red one", "a bus"), ("red", "x"),
    ]  # fmt: skip
    assert [row.external_id for row in rows] == ["7/1", "7/2", "7/3"]


def test_context_history_and_choices_belong_to_the_prompt(read):
    _, (row,) = read(
        {"instruction": "Translate.", "input": "a bar", "output": "une barre",
         "history": [["Hello", "Hi"]], "system": "Be short."}
    )  # fmt: skip
    assert prompt(row) == ["system: Be short.", "user: Hello", "assistant: Hi",
                           "user: Translate.\na bar"]  # fmt: skip
    _, (row,) = read({**ASK, "choices": ["blue", "red"], "answer": 1, "hint": "Look left."})
    assert parts(row)[-1] == "Look left.\nColour?\nA. blue\nB. red"
    assert row.completion.text == "B" and row.accepted == ("B", "red")
    _, (row,) = read(
        {**ASK, "question": "Colour? A. blue B. red", "A": "blue", "B": "red", "answer": "B"}
    )
    assert parts(row)[-1] == "Colour? A. blue B. red"


def test_choices_that_count_from_1_are_seen_by_their_last(read):
    of = {"options": "['red', 'blue']"}
    _, rows = read({**ASK, **of, "answer": 1, "id": 1}, {**ASK, **of, "answer": 2, "id": 2})
    assert [row.completion.text for row in rows] == ["A", "B"]


def test_questions_and_answers_in_lists_are_a_conversation(read):
    _, (row,) = read(
        {"image": "a.png", "question": ["Colour?", "Shape?"], "answer": ["red", "a bar"]}
    )
    assert prompt(row) == ["user: Colour?", "assistant: red", "user: Shape?"]
    assert row.completion.text == "a bar"


def test_names_and_boxes_stand_at_their_places(read):
    _, (row,) = read({"messages": [
        {"role": "user", "content": "<image>Where is <ref-object>?"},
        {"role": "assistant", "content": "<bbox>"}], "images": ["a.png"],
        "objects": {"ref": ["the bar"], "bbox": [[1, 2, 3, 4]]}})  # fmt: skip
    assert parts(row)[-1] == "Where is the bar?" and row.completion.text == "[1, 2, 3, 4]"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"video": "a.mp4", "question": "What moves?", "answer": "x"}, "video"),
        ({"question": "<video>What moves?", "answer": "x"}, "video"),
        ({**ASK, "question": {"en": "Colour?", "de": "Farbe?"}, "answer": "x"}, "'en', 'de'"),
        ({**ASK, "answer": {"en": "Red.", "de": "Rot."}}, "'en', 'de'"),
        ({**ASK, "image": [[[1, 2], [3, 4]]], "answer": "x"}, "numbers"),
        ({**ASK, "chosen": "x", "rejected": " "}, "rejected is empty"),
        ({"messages": [{"role": "user", "content": "Locate <bbox>."},
                       {"role": "assistant", "content": "x"}]}, "nothing in `objects`"),
        ({"messages": [{"role": "user", "content": "Q"}, {"role": "tool", "content": "zoomed"},
                       {"role": "assistant", "content": "x"}]}, "tools"),
        ({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "x"}],
          "rejected_messages": [{"role": "user", "content": "Other"},
                                {"role": "assistant", "content": "y"}]}, "something else"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(read, record, reason):
    _, rows = read({**ASK, "answer": "x"}, {**ASK, "chosen": "x", "rejected": "y"}, record)
    assert isinstance(rows[2], BadRow) and reason in rows[2].reason


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        ({**ASK, "answer": {"total": "3.50", "tax": "0.20"}}, '{"total": "3.50", "tax": "0.20"}'),
        ({**ASK, "option_a": "blue", "option_b": "red", "answer": "B"}, "B"),
        ({**ASK, "choices": ["blue", "red"], "correct_choice_idx": 1}, "B"),
        ({**ASK, "direct_answers": "['red', 'red', 'ruby']"}, "red"),
    ],
)
def test_answers_as_objects_and_choices_in_other_columns(jsonl, workspace, read, record, answer):
    _, (row,) = read(record)
    assert row.completion.text == answer


def test_the_image_itself_goes_before_the_name_it_had(workspace, tmp_path):
    image = {"bytes": png("red"), "path": None}
    table = pa.Table.from_pylist([{"image": "gone/1.jpg", "decoded_image": image, "question": "q",
                                   "answer": "a"}])  # fmt: skip
    pq.write_table(table, tmp_path / "rows.parquet")
    (row,) = open_source(str(tmp_path / "rows.parquet"), workspace=workspace).rows()
    assert len(row.images) == 1 and row.meta["image"] == "gone/1.jpg"


def test_turns_in_a_list_for_each_question(read):
    _, (row,) = read({"images": ["a.png"], "winner": "model_b", **{
        f"conversation_{side}": [[{"role": "user", "content": "Q"}],
                                 [{"role": "assistant", "content": side}]] for side in "ab"}})  # fmt: skip
    assert (row.chosen.text, row.rejected.text, row.question) == ("b", "a", "Q")


def test_pairs_without_a_question_ask_the_default_one_and_say_so(jsonl, workspace):
    source = open_source(
        jsonl({"image": "a.png", "chosen": "x", "rejected": "y"}), workspace=workspace
    )
    (row,) = source.rows()
    assert row.question == "Describe this image." and "Describe this image." in source.notes()[0]
    with pytest.raises(DataError, match="No column was recognised as the question"):
        open_source(jsonl({"chosen": "x", "rejected": "y"}), workspace=workspace)


def test_a_rejected_answer_about_other_images_is_refused(read):
    pair = {"messages": [{"role": "user", "content": "<image>Q"}, {"role": "assistant", "content": "x"}],
            "images": ["a.png"], "rejected_response": "y"}  # fmt: skip
    _, rows = read(pair, {**pair, "rejected_images": ["b.png"]})
    assert rows[0].rejected.text == "y" and "other images" in rows[1].reason
