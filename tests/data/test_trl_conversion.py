"""Rows become what TRL trains on, and the others are counted with their reason."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from PIL.Image import Image
from trl.data_utils import is_conversational, prepare_multimodal_messages

from studio.core.errors import DataError
from studio.data.schema import Answer, BadRow, Message, Part, Row
from studio.data.template_adaptation import Fit
from studio.data.trl_conversion import load_training_data, training_dataset
from tests.data.conftest import conversation


def test_sft_rows_are_what_trl_takes(row, images):
    rows = [row("red", completion="yes"), row("red", "blue", completion="no"), row(completion="t")]
    data = training_dataset(rows, "sft", images=images, system_prompt="Be brief.")
    assert data.used == 3 and data.skipped == []
    first = data.dataset[0]
    assert is_conversational(first)
    assert first["prompt"] == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Q"}]},
    ]
    assert first["completion"] == [
        {"role": "assistant", "content": [{"type": "text", "text": "yes"}]}
    ]
    for example in data.dataset:
        assert all(isinstance(image, Image) and image.mode == "RGB" for image in example["images"])
        filled = prepare_multimodal_messages(example["prompt"], images=example["images"])
        places = [part for part in filled[-1]["content"] if part["type"] == "image"]
        assert [part["image"] for part in places] == example["images"]
        prepare_multimodal_messages(example["completion"])


def test_dpo_rows_are_what_trl_takes_and_survive_a_worker(row, images):
    data = training_dataset([row("red", chosen="a", rejected="b")], "dpo", images=images)
    copied = pickle.loads(pickle.dumps(data.dataset.remove_columns([])))
    (example,) = copied.__getitems__([0])
    assert set(example) == {"images", "prompt", "chosen", "rejected"}
    prepare_multimodal_messages(example["prompt"], images=example["images"])
    assert example["rejected"][0]["content"] == [{"type": "text", "text": "b"}]


def test_images_stay_encoded_until_used(row, images):
    data = training_dataset([row("red", completion="x")], "sft", images=images)
    (stored,) = data.dataset.with_format(None)[0]["images"]
    assert stored["bytes"] is None and stored["path"].endswith(".png")


def test_bad_rows_are_counted_never_trained_on(row, images):
    gone = Row("gone", ("0" * 64,), (Message("user", (Part("image"),)),), chosen=Answer("a"),
               rejected=Answer("b"))  # fmt: skip
    rows = [
        row("red", chosen="a", rejected="b"),
        row("red", chosen="same", rejected=" same"),
        row("red", chosen="a", rejected=" "),
        BadRow(4, "damaged"),
        row("red"),
        gone,
    ]
    data = training_dataset(rows, "dpo", images=images)
    assert data.used == 1
    reasons = {bad.line: bad.reason for bad in data.skipped}
    assert reasons[2] == "chosen and rejected are the same"
    assert reasons[3] == "the rejected answer is empty"
    assert reasons[4] == "damaged" and reasons[5] == "no chosen answer"
    assert "not in this workspace" in reasons[6]


def test_nothing_to_learn_is_refused(row, images):
    same = [row("red", chosen="x", rejected="x"), row("blue", chosen="y", rejected="y")]
    with pytest.raises(DataError, match="no chosen/rejected difference") as caught:
        training_dataset(same, "dpo", images=images)
    assert caught.value.field == "data.source"
    with pytest.raises(DataError, match="no rows"):
        training_dataset([], "sft", images=images)
    with pytest.raises(DataError, match="no completion answer"):
        training_dataset([row("red")], "sft", images=images)


def test_literal_special_tokens_are_found_and_skipped(row, images):
    rows = [
        row("red", completion="fine"),
        row("red", completion="says <end_of_utterance>"),
        row("red", question="What is <image>?", completion="a tag"),
    ]
    tokens = ["<image>", "<end_of_utterance>"]
    data = training_dataset(rows, "sft", images=images, special_tokens=tokens)
    assert [bad.line for bad in data.skipped] == [2, 3]
    assert data.used == 1 and "<end_of_utterance>" in data.skipped[0].reason


def test_sft_on_preferences_trains_on_the_chosen_answer(row, images):
    data = training_dataset([row("red", chosen="a", rejected="b")], "sft", images=images)
    assert data.dataset[0]["completion"][0]["content"][0]["text"] == "a"


def test_load_training_data_holds_out_by_image(jsonl, workspace):
    names = ["a.png", "b.png", "c.png"]
    path = jsonl(*({"image": name, "question": f"q{n}", "answer": "x"} for name in names
                   for n in range(4)))  # fmt: skip
    train, held = load_training_data(
        source=path, evaluation="30%", method="sft", workspace=workspace
    )
    assert train.used + held.used == 12 and held.used in (4, 8)
    train, held = load_training_data(
        source=path, train="train[:6]", evaluation="train[6:]", method="sft", workspace=workspace
    )
    assert (train.used, held.used) == (6, 4)
    assert held.skipped[0].reason == "its image is among the training rows"
    train, held = load_training_data(source=path, method="sft", workspace=workspace)
    assert train.used == 12 and held is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"evaluation": "test"}, "data.evaluation"),
        ({"evaluation": "0%"}, "data.evaluation"),
        ({"evaluation": "train[:2]"}, "data.evaluation"),
        ({"train": "nope"}, "data.train"),
        ({"train": "train[5:]"}, "data.source"),
        ({"columns": {"answer": "nope"}}, "data.columns.answer"),
        ({"source": "nope.jsonl"}, "data.source"),
        ({"method": "dpo"}, "data.source"),
    ],
)
def test_load_training_data_names_the_setting_at_fault(jsonl, workspace, change, field):
    path = jsonl(*({"image": "a.png", "question": f"q{n}", "answer": "x"} for n in range(3)))
    options = {"source": path, "method": "sft", "workspace": workspace, **change}
    with pytest.raises(DataError) as caught:
        load_training_data(**options)
    assert caught.value.field == field


def test_earlier_answers_are_scored_unless_they_weigh_nothing(images):
    for first, turns, places in ((True, "all", [1]), (False, "all", None), (True, "last", None)):
        data = training_dataset([conversation(images, first)], "sft", images=images, turns=turns)
        assert data.dataset[0].get("scored") == places
        assert data.scored == (2 if places else 1) and data.unscored == (0 if places else 1)
    prompted = training_dataset(
        [conversation(images)], "sft", images=images, system_prompt="Be brief."
    )
    assert prompted.dataset[0]["scored"] == [2]


def test_a_system_text_goes_into_the_question_where_the_model_takes_no_system_turn(images):
    data = training_dataset(
        [conversation(images)],
        "sft",
        images=images,
        system_prompt="Be brief.",
        fit=Fit(system=False),
    )
    row = data.dataset[0]
    assert [turn["role"] for turn in row["prompt"]] == ["user", "assistant", "user"]
    assert row["prompt"][0]["content"][0] == {"type": "text", "text": "Be brief.\n\n"}
    assert row["scored"] == [1] and [name.number for name in data.merged] == [1]


def test_rows_left_out_are_named_by_their_place_in_the_source(images):
    rows = [replace(conversation(images), external_id=name) for name in "abc"]
    data = training_dataset(rows, "sft", images=images).without({1: "too long"})
    assert data.used == 2 == len(data.dataset) and [str(n) for n in data.names][1] == "row 3 (c)"
    assert data.skipped == [BadRow(2, "too long")] and data.scored == 4
