"""TRL's columns: bare image places, one assistant turn, and system texts that fit."""

from __future__ import annotations

from PIL import Image

from studio.data.schema import Answer, Message, Part, Row
from studio.data.trl_format import (
    answer_messages,
    bare,
    features,
    prompt_messages,
    system_in_question,
    trl_columns,
)
from tests.data.conftest import png

ASKED = Row("a", ("aa",), (Message("user", (Part("image"), Part("text", "Why?"))),), Answer("So."))


def test_a_system_text_goes_in_front_unless_the_row_has_its_own():
    roles = [turn["role"] for turn in prompt_messages(ASKED, "Be brief.")]
    assert roles == ["system", "user"]
    own = Row("a", (), (Message("system", (Part("text", "Mine."),)), *ASKED.prompt))
    texts = [turn["content"][0]["text"] for turn in prompt_messages(own, "Be brief.")]
    assert texts[0] == "Mine." and len(texts) == 2


def test_a_system_text_stands_in_the_question_where_there_is_one():
    merged = system_in_question(prompt_messages(ASKED, "Be brief."))
    assert [turn["role"] for turn in merged] == ["user"]
    assert merged[0]["content"][0] == {"type": "text", "text": "Be brief.\n\n"}
    assert merged[0]["content"][1]["type"] == "image"
    alone = [{"role": "system", "content": [{"type": "text", "text": "x"}]}]
    assert system_in_question(alone) == alone and system_in_question([]) == []


def test_image_parts_are_bare_and_texts_keep_theirs():
    (turn,) = bare(prompt_messages(ASKED))
    assert turn["content"] == [{"type": "image"}, {"type": "text", "text": "Why?"}]


def test_a_batch_has_decoded_images_bare_turns_and_its_scored_places(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    images = [{"bytes": png("blue"), "path": None}, {"bytes": None, "path": tmp_path / "a.png"}]
    batch = {"images": [images], "completion": [answer_messages(ASKED.completion)], "scored": [[1]]}
    made = trl_columns(batch)
    assert all(isinstance(image, Image.Image) for image in made["images"][0])
    assert made["images"][0][0].getpixel((0, 0)) == (0, 0, 255)
    assert made["completion"][0][0]["content"] == [{"type": "text", "text": "So."}]
    assert made["scored"] == [[1]]


def test_columns_follow_the_method_and_what_the_rows_have():
    assert list(features("sft")) == ["images", "prompt", "completion"]
    assert list(features("dpo", scored=True)) == [
        "images",
        "prompt",
        "chosen",
        "rejected",
        "scored",
    ]
    weighted = features("sft", weights=True)["prompt"].feature
    assert "weight" in weighted and "weight" not in features("sft")["completion"].feature
