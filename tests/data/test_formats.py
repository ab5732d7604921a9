"""Every known format, recognised without a mapping."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
from tests.data.conftest import QA, parts, text


def test_chartqa(read):
    name, (row,) = read(
        {"image": "a.png", "query": "How many?", "label": ["14"], "human_or_machine": 0}
    )
    assert name == "ChartQA questions and answers"
    assert parts(row) == ["<>", "How many?"]
    assert row.completion.text == "14"
    assert row.meta == {"human_or_machine": 0}


def test_rlaif_v(read):
    record = {
        "ds_name": "RLAIF-V", "image": "a.png", "question": "What?", "chosen": "yes",
        "rejected": "no", "origin_dataset": "x", "origin_split": "{}", "idx": 7, "image_path": "p",
    }  # fmt: skip
    name, (row,) = read(record)
    assert name == "RLAIF-V preferences"
    assert (row.external_id, row.chosen.text, row.rejected.text) == ("7", "yes", "no")


@pytest.mark.parametrize("empty", [{"text": None}, {}])
def test_trl_conversational_preferences(read, empty):
    name, (row,) = read(
        {
            "images": ["a.png"],
            "prompt": [{"role": "user", "content": [{"type": "image", **empty}, *text("Why?")]}],
            "chosen": [{"role": "assistant", "content": text("so")}],
            "rejected": [{"role": "assistant", "content": text("no")}],
        }
    )
    assert name == "TRL conversational preferences"
    assert parts(row) == ["<>", "Why?"]
    assert (row.chosen.text, row.rejected.text) == ("so", "no")


def test_llava_instruct_mix(read):
    name, (row,) = read(
        {
            "images": ["a.png"],
            "prompt": [{"role": "user", "content": "What colour?"}],
            "completion": [{"role": "assistant", "content": "Red."}],
        }
    )
    assert name == "TRL conversational questions and answers"
    assert parts(row) == ["<>", "What colour?"] and row.completion.text == "Red."


def test_vqav2_and_geoperception(read):
    name, (row,) = read({"image": "a.png", "question": "q", "multiple_choice_answer": "2"})
    assert name == "VQAv2 questions and answers" and row.completion.text == "2"
    name, (row,) = read(
        {"id": "x", "question": "q", "answer": "A", "predicate": "p", "image": "b.png"}
    )
    assert name == "Geoperception questions and answers" and row.external_id == "x"


def test_sharegpt_conversation(read):
    name, (row,) = read(
        {
            "conversations": [
                {"from": "human", "value": "<image>\nWhat is it?"},
                {"from": "gpt", "value": "A chart."},
                {"from": "human", "value": "Compare with <image>."},
                {"from": "gpt", "value": "Both."},
            ],
            "images": ["a.png", "b.png"],
            "system": "Be brief.",
        }
    )
    assert name == "LLaMA-Factory / ShareGPT conversations"
    assert [message.role for message in row.prompt] == ["system", "user", "assistant", "user"]
    assert [part.type for part in row.prompt[1].parts] == ["image", "text"]
    assert row.prompt[1].text == "What is it?"
    assert parts(row) == ["Compare with ", "<>", "."]
    assert row.completion.text == "Both."


def test_sharegpt_preferences(read):
    name, (row,) = read(
        {
            "conversations": [{"from": "human", "value": "<image>What?"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "bad"},
            "images": ["a.png"],
        }
    )
    assert name == "LLaMA-Factory / ShareGPT preferences"
    assert (row.chosen.text, row.rejected.text) == ("good", "bad")


def test_trl_messages_text_only_and_image_in_content(read):
    _, rows = read(
        {"images": [], "messages": [{"role": "user", "content": "Hi"},
                                    {"role": "assistant", "content": "Hello"}]},
        {"images": None, "messages": [
            {"role": "user", "content": [{"type": "image", "image": "a.png"}, *text("What?")]},
            {"role": "assistant", "content": text("Red")}]},
    )  # fmt: skip
    assert rows[0].images == () and rows[0].completion.text == "Hello"
    assert len(rows[1].images) == 1 and parts(rows[1]) == ["<>", "What?"]


def test_models_become_authors_and_candidates_keep_theirs(read):
    _, (row,) = read(
        {"image": "a.png", "prompt": "Q", "chosen": "x", "rejected": "y",
         "chosen_model": "m1", "rejected_model": "m2"}
    )  # fmt: skip
    assert (row.chosen.author, row.rejected.author) == ("m1", "m2")
    _, (row,) = read({"image": "a.png", "question": "Q", "candidates": [
        {"text": "x", "author": "m1"}, {"text": "y", "author": "m2"}]})  # fmt: skip
    assert [(c.text, c.author) for c in row.candidates] == [("x", "m1"), ("y", "m2")]
    _, (row,) = read({"image": "a.png", "prompt": "Q", "answers": {"m1": "x", "m2": "y"}})
    assert [(c.text, c.author) for c in row.candidates] == [("x", "m1"), ("y", "m2")]


def test_half_a_preference_and_unknown_columns_are_refused(read):
    with pytest.raises(DataError) as caught:
        read({"image": "a.png", "question": "q", "chosen": "x"})
    assert caught.value.field == "data.columns.rejected"
    with pytest.raises(DataError) as caught:
        read({"foo": 1, "bar": 2})
    assert caught.value.field == "data.columns.question"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"image": "x.png", "question": "q", "answer": "a"}, "no image file 'x.png'"),
        ({"image": "../rows.jsonl", "question": "q", "answer": "a"}, "outside the folder"),
        ({"image": "rows.jsonl", "question": "q", "answer": "a"}, "not a PNG"),
        ({"image": "https://host/x.png", "question": "q", "answer": "a"}, "never fetched"),
        ({"image": "data:image/png;base64,???", "question": "q", "answer": "a"}, "is damaged"),
        ({"image": "iVBORw0KGgo" * 9, "question": "q", "answer": "a"}, "base64 of the image"),
        ({"image": "/9j/" * 9, "question": "q", "answer": "a"}, "outside the folder"),
        ({"image": "x" * 1_000_000, "question": "q", "answer": "a"}, "no file name: 1,000,000"),
        ({"image": "a.png", "question": "", "answer": "a"}, "question is empty"),
        ({"image": "a.png", "question": "q\0", "answer": "a"}, "NUL"),
        ({"image": "a.png", "question": "q" * 1_000_000, "answer": "a"}, "1,000,000 characters"),
        ({"image": "a.png", "question": "<image> <image>", "answer": "a"}, "1 images for 2"),
        ({"image": ["a.png", "b.png"], "question": "<image>", "answer": "a"}, "2 images for 1"),
        ('{"image": "a.png", "question": "\\ud800", "answer": "a"}', "surrogate"),
    ],
)
def test_bad_rows_are_named_with_their_reason(read, record, reason):
    good = {"image": "a.png", "question": "q", "answer": "a"}
    _, rows = read(good, record, good)
    assert [type(row) for row in rows] == [Row, BadRow, Row]
    assert rows[1].line == 2 and reason in rows[1].reason
    assert len(rows[1].reason) <= 500


@pytest.mark.parametrize("nothing", [None, "", [], [None], "nan"])
def test_a_row_without_its_image_is_read_as_text_and_counted(jsonl, workspace, nothing):
    source = open_source(jsonl(QA, {**QA, "image": nothing, "id": 2}), workspace=workspace)
    first, second = source.rows()
    assert len(first.images) == 1 and second.images == () and parts(second) == ["q"]
    assert source.notes() == ["1 row without an image, though others have one: read as text alone."]


def test_ids_are_stable_and_never_collide(read):
    records = [{"image": "a.png", "question": "q", "answer": "a"}] * 2
    records.append({"image": "b.png", "question": "q", "answer": "a"})
    first = [row.external_id for row in read(*records)[1]]
    assert len(set(first)) == 3
    assert first == [row.external_id for row in read(*records)[1]]
    repeated = [{"id": 5, "image": "a.png", "question": word, "answer": "a"} for word in "xy"]
    assert [row.external_id for row in read(*repeated)[1]] == ["5", "5#2"]
