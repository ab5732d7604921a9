"""Records of several shapes in one file, and what becomes of each field."""

from __future__ import annotations

import time

import pytest

from studio.core.errors import DataError
from studio.data.schema import FieldUse, Row, joined_fields
from studio.data.sources import open_source

ASK = {"image": "a.png", "question": "Colour?"}


def uses(source) -> dict[str, FieldUse]:
    return {use.path: use for use in source.fields()}


def test_every_field_is_used_kept_or_named(jsonl, workspace):
    source = open_source(
        jsonl({**ASK, "answer": "red", "note": "by hand", "deep": {"x": 1, "y": ["z"]}},
              {**ASK, "answer": "blue", "id": 2, "note": "n" * 20_000}),
        workspace=workspace,
    )  # fmt: skip
    first, second = source.rows()
    assert first.meta == {"note": "by hand", "deep": {"x": 1, "y": ["z"]}} and second.meta == {}
    found = uses(source)
    assert {path: use.role for path, use in found.items() if use.role} == {
        "image": "image", "question": "question", "answer": "answer", "id": "id",
    }  # fmt: skip
    assert found["note"] == FieldUse("note", 2, "", 1, "it is longer than 16,000 characters")
    assert found["note"].lost == 1 and found["deep.x"].lost == 0


def test_fields_of_rows_that_are_left_out_count_alike_whatever_the_reason(jsonl, workspace):
    kept = {**ASK, "answer": "red", "note": "by hand", "lens": {"mm": 35}}
    source = open_source(
        jsonl(kept, {**kept, "chosen": "a", "rejected": None, "answer": None, "late": "x"},
              {**kept, "image": "missing.png", "note": "n" * 20_000, "id": 3}, "no JSON"),
        workspace=workspace,
    )  # fmt: skip
    expected = {
        "note": FieldUse("note", 3, "", 1, "", 2),
        "lens.mm": FieldUse("lens.mm", 3, "", 1, "", 2),
    }
    expected["late"] = FieldUse("late", 1, "", 0, "", 1)
    assert len(list(source.rows())) == 4
    after_all_rows = uses(source)
    source.preview()
    for found in (after_all_rows, uses(source)):
        assert {path: found[path] for path in expected} == expected
        assert not any(use.lost for use in found.values()) and found["image"].left_out == 2


def test_a_column_that_is_empty_in_every_row_is_named(jsonl, workspace):
    rows = [{**ASK, "answer": "red", "extra": None, "late": "", "deep": {"x": None}, "id": n}
            for n in range(30)]  # fmt: skip
    source = open_source(jsonl(*rows, {**rows[0], "late": "x", "id": 30}), workspace=workspace)
    source.preview(2)
    empty = [FieldUse("extra", 0, empty=True), FieldUse("deep", 0, empty=True)]
    assert [use for use in source.fields() if use.empty] == empty and uses(source)["late"].kept == 1
    other = [FieldUse("extra", 0, empty=True), FieldUse("deep.x", 3, kept=3)]
    joined = joined_fields([source.fields(), other])
    assert [use for use in joined if use.empty] == empty[:1]


def test_a_preview_names_what_is_broken_beyond_the_rows_it_shows(jsonl, workspace):
    rows = [{**ASK, "answer": "red", "id": n} for n in range(9)]
    source = open_source(
        jsonl("broken", *rows, "broken too", {**rows[0], "chosen": "a", "rejected": None, "answer": None}),
        workspace=workspace,
    )  # fmt: skip
    seen = source.preview(3)
    assert [row.line for row in seen.bad] == [1] and [row.line for row in seen.further] == [11, 12]
    assert "not valid JSON" in seen.further[0].reason and "rejected" in seen.further[1].reason
    seen = source.preview(20)
    assert [row.line for row in seen.bad] == [1, 11, 12] and seen.further == []


def test_fields_inside_turns_are_kept_when_nothing_reads_them(jsonl, workspace):
    turns = [{"user": "Colour?", "assistant": "red", "source": "own"}]
    source = open_source(jsonl({"images": ["a.png"], "texts": turns}), workspace=workspace)
    (row,) = source.rows()
    assert row.meta == {"texts.source": ["own"]} and uses(source)["texts[].source"].kept == 1


def test_a_column_that_comes_late_is_read(jsonl, workspace):
    turns = [{"role": "user", "content": "<image>Why?"}, {"role": "assistant", "content": "So."}]
    early = [{**ASK, "answer": None, "messages": None, "id": n} for n in range(40)]
    source = open_source(jsonl(*early, {"image": "a.png", "messages": turns}), workspace=workspace)
    rows = list(source.rows())
    assert all(isinstance(row, Row) for row in rows) and rows[-1].completion.text == "So."


def test_a_file_of_two_formats_is_read_record_by_record(jsonl, workspace):
    shared = [{"from": "human", "value": "<image>Why?"}, {"from": "gpt", "value": "So."}]
    source = open_source(
        jsonl({**ASK, "answer": "red"}, {"images": ["a.png"], "conversations": shared}),
        workspace=workspace,
    )
    assert [row.completion.text for row in source.rows()] == ["red", "So."]
    assert source.recognised_as == "Questions and answers; LLaMA-Factory / ShareGPT conversations"


def test_a_preview_tells_of_more_rows_than_it_shows(jsonl, workspace):
    records = [{**ASK, "answer": "red", "id": n} for n in range(50)]
    source = open_source(jsonl(*records, {**records[0], "late": "x"}), workspace=workspace)
    assert len(source.preview(3).rows) == 3
    assert uses(source)["late"].kept == 1 and uses(source)["question"].rows == 51


@pytest.mark.parametrize(
    ("columns", "question", "answer"),
    [
        ({"question": "data.ask", "answer": "data.tell"}, "right", "yes"),
        ({"question": "=What is shown?", "answer": "data.tell"}, "What is shown?", "yes"),
        ({"question": "odd,name", "answer": "data.tell"}, "comma", "yes"),
    ],
)
def test_a_mapping_by_path_by_name_and_by_text(jsonl, workspace, columns, question, answer):
    record = {"image": "a.png", "data": {"ask": "right", "tell": "yes"}, "odd,name": "comma"}
    source = open_source(jsonl(record), workspace=workspace, columns=columns)
    (row,) = source.rows()
    assert row.question == question and row.completion.text == answer
    assert source.mapping["question"] == columns["question"]


def test_several_columns_are_several_images(jsonl, workspace):
    record = {"left": "a.png", "right": "b.png", "question": "Same?", "answer": "no"}
    source = open_source(jsonl(record), workspace=workspace, columns={"image": "left,right"})
    assert [len(row.images) for row in source.rows()] == [2]


def test_a_path_that_only_late_rows_have_can_be_mapped(jsonl, workspace):
    records = [{**ASK, "answer": "x", "id": n} for n in range(30)]
    source = open_source(
        jsonl(*records, {**ASK, "deep": {"told": "y"}, "id": 99}),
        workspace=workspace, columns={"answer": "deep.told"},
    )  # fmt: skip
    assert [row.completion.text for row in source.rows() if row.completion] == ["y"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"image": "a.png"}, "images without a question"),
        ({"image": "a.png", "label": 3}, "nothing reads 'label'"),
        (
            {"image": "a.png", "caption": "red", "story": "a long text of words"},
            "nothing reads 'story'",
        ),
        ({"foo": 1}, "No column was recognised"),
        ({**ASK, "chosen": "x", "reejcted": "y"}, "Is it 'reejcted'"),
    ],
)
def test_no_question_is_invented_and_no_side_guessed(jsonl, workspace, record, reason):
    with pytest.raises(DataError) as caught:
        open_source(jsonl(record), workspace=workspace)
    assert reason in str(caught.value) and caught.value.field.startswith("data.columns.")


def test_fields_with_names_of_our_own_do_not_take_their_place(jsonl, workspace):
    source = open_source(
        jsonl({**ASK, "answer": "x", "written": "w", "pair": 3}), workspace=workspace
    )
    (row,) = source.rows()
    assert row.meta == {"written_": "w", "pair_": 3}


def test_labels_of_people_come_with_their_names_and_times(jsonl, workspace):
    task = {
        "id": 11, "data": {"image": "a.png", "prompt": "Q", "answer1": "red", "answer2": "blue"},
        "annotations": [
            {"completed_by": who, "created_at": "2026-01-02T03:04:05Z", "was_cancelled": False,
             "result": [{"value": {"selected": side}}]}
            for who, side in ((1, "left"), (2, "right"), (3, "left"))
        ],
    }  # fmt: skip
    (row,) = open_source(jsonl(task), workspace=workspace).rows()
    assert [(one.annotator, one.winner.text) for one in row.labels] == [
        ("1", "red"), ("2", "blue"), ("3", "red"),
    ]  # fmt: skip
    assert row.labels[0].given_at == 1767323045 and row.chosen.text == "red"


def test_a_record_that_only_looks_like_a_format_is_a_bad_row(jsonl, workspace):
    odd = {"data": {"image": "a.png"}, "annotations": ["x"]}
    rows = list(open_source(jsonl({**ASK, "answer": "x"}, odd), workspace=workspace).rows())
    assert "looks like Label Studio" in rows[1].reason


def test_the_work_for_a_record_grows_with_its_columns_and_not_with_their_square(read):
    record = {"image": "a.png", "question": "q", "answer": "x"}
    started = time.process_time()
    _, (row,) = read(record | {f"c{n}": n for n in range(5_000)})
    assert row.completion.text == "x" and time.process_time() - started < 5


def test_a_single_record_that_is_nested_too_deeply_is_told_like_any_other(read):
    deep: object = "x"
    for _ in range(100):
        deep = {"k": deep}
    _, (bad,) = read({"image": "a.png", "question": "q", "answer": "x", "m": deep})
    assert "nested too deeply" in bad.reason


def test_fields_without_end_are_told_of_together(jsonl, workspace, monkeypatch):
    monkeypatch.setattr("studio.data.record_reader.REMEMBERED_SHAPES", 3)
    monkeypatch.setattr("studio.data.record_reader.MOST_FIELDS", 10)
    records = [{**ASK, "answer": "x", "id": n, f"own{n}": "kept"} for n in range(40)]
    source = open_source(jsonl(*records), workspace=workspace)
    rows = list(source.rows())
    assert all(row.meta == {f"own{n}": "kept"} for n, row in enumerate(rows))
    found = uses(source)
    assert len(found) == 11 and found["question"].rows == 40 and "(34 more)" in found


def test_a_text_for_all_rows_goes_before_the_conversation_of_a_format(jsonl, workspace):
    record = {"input": {"messages": [{"role": "user", "content": "Q"}]},
              "preferred_output": [{"role": "assistant", "content": "x"}],
              "non_preferred_output": [{"role": "assistant", "content": "y"}]}  # fmt: skip
    columns = {
        "question": "=What?",
        "chosen": "preferred_output",
        "rejected": "non_preferred_output",
    }
    (row,) = open_source(jsonl(record), workspace=workspace, columns=columns).rows()
    assert row.question == "What?" and row.chosen.text == "x"


@pytest.mark.parametrize("name", ["status", "review", "decision", "审核"])
def test_an_answer_that_a_review_rejects_is_never_trained(jsonl, workspace, name):
    said = ["pending", "rejected", "approved", "declined"]
    rows = [
        {"question": f"Is it {number}?", "answer": f"answer {number}", name: word}
        for number, word in enumerate(said)
    ]
    found = list(open_source(jsonl(*rows), workspace=workspace).rows())
    assert [row.completion and row.completion.text for row in found] == [
        None,
        None,
        "answer 2",
        None,
    ]
    assert [row.meta.get("verdict") for row in found] == [None, "bad", "good", "bad"]


def test_a_state_that_judges_nothing_stays_beside_the_row(jsonl, workspace):
    rows = [{"question": "Is it?", "answer": "yes, it is", "status": "succeeded"}]
    (found,) = open_source(jsonl(*rows), workspace=workspace).rows()
    assert found.completion.text == "yes, it is" and found.meta == {"status": "succeeded"}
    pair = [{"question": "Is it?", "chosen": "yes", "rejected": "no", "status": "rejected"}]
    (found,) = open_source(jsonl(*pair), workspace=workspace).rows()
    assert found.preference[0].text == "yes" and found.completion is None


@pytest.mark.parametrize(
    ("better", "worse"),
    [("y_w", "y_l"), ("correct", "incorrect"), ("win", "lose"), ("正例", "负例")],
)
def test_answers_called_the_opposite_of_each_other_keep_their_direction(
    jsonl, workspace, better, worse
):
    ask = "x" if better == "y_w" else "question"
    rows = [
        {ask: "Which bar?", worse: f"a blue bar {n}", better: f"the red bar {n}"} for n in (1, 2)
    ]
    found = list(open_source(jsonl(*rows), workspace=workspace).rows())
    assert [row.preference[0].text for row in found] == ["the red bar 1", "the red bar 2"]
    assert [row.question for row in found] == ["Which bar?"] * 2
    votes = [{"question": "Which bar?", "answer": "red", "good": 4, "bad": 1}]
    (row,) = open_source(jsonl(*votes), workspace=workspace).rows()
    assert row.completion.text == "red" and row.meta == {"good": 4, "bad": 1}


def test_the_higher_score_of_two_answers_is_the_better_one(jsonl, workspace):
    ask = {"question": "Which bar?", "response_a": "red", "response_b": "blue"}
    rows = [
        {**ask, "score_a": 2, "score_b": 9.5},
        {**ask, "question": "And now?", "score_a": 3, "score_b": 3},
        {**ask, "question": "Then?", "score_a": 9, "score_b": 2, "winner": "b"},
    ]
    first, second, third = open_source(jsonl(*rows), workspace=workspace).rows()
    assert first.preference[0].text == "blue" and third.preference[0].text == "blue"
    assert second.chosen is None and len(second.candidates) == 2
