import random

import pytest
import torch
from PIL import Image

from tools.tiny_vlm.batches import ConversationBatches, answer_weights
from tools.tiny_vlm.chart import COLOURS, sample_chart
from tools.tiny_vlm.conversation import conversation
from tools.tiny_vlm.draw import INK, draw_chart
from tools.tiny_vlm.model import IMAGE_SIDE, IMAGE_TOKENS
from tools.tiny_vlm.patches import colour_shares

QUESTION = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Why?"}]}
SYSTEM = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
ANSWERS = ["7", "A bar chart.", "", "  two spaces", "\nnew line", ": colon", "图表 🙂", "<b>"]


def as_strings(messages):
    return [
        {**m, "content": "".join(part.get("text", "<image>") for part in m["content"])}
        for m in messages
    ]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("history", [[QUESTION], [SYSTEM, QUESTION]])
def test_prompt_is_a_prefix_of_the_conversation(processor, history, answer):
    prompt = processor.apply_chat_template(history, add_generation_prompt=True)
    reply = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
    full = processor.apply_chat_template([*history, reply])
    assert full == f"{prompt} {answer}<end_of_utterance>\n"
    ids = [processor.tokenizer(text)["input_ids"] for text in (prompt, full)]
    assert ids[1][: len(ids[0])] == ids[0]


def test_strings_and_lists_render_alike(processor):
    messages = [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    expected = processor.tokenizer.apply_chat_template(messages, tokenize=False)
    assert processor.tokenizer.apply_chat_template(as_strings(messages), tokenize=False) == expected
    assert expected == (
        "<|im_start|>System: Be brief.<end_of_utterance>\nUser: Hello<end_of_utterance>\n"
    )


def test_several_images_and_turns(processor):
    two = {"role": "user", "content": [{"type": "image"}, *QUESTION["content"]]}
    text = processor.apply_chat_template([two, as_strings([SYSTEM])[0], QUESTION])
    assert text.count("<image>") == 3
    images = [Image.new("RGB", size) for size in ((3000, 20), (5, 900), (96, 96))]
    inputs = processor(images=[images], text=[text], return_tensors="pt")
    assert (inputs["input_ids"] == processor.image_token_id).sum() == 3 * IMAGE_TOKENS
    assert inputs["pixel_values"].shape == (1, 3, 3, IMAGE_SIDE, IMAGE_SIDE)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1"])
def test_any_image_mode(processor, mode):
    image = Image.new(mode, (333, 77))
    text = processor.apply_chat_template([QUESTION])
    inputs = processor(images=[[image]], text=[text], return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 1, 3, IMAGE_SIDE, IMAGE_SIDE)


@pytest.mark.parametrize("text", ["naïve 图表 🙂 \x00", "tab\tnew\nline  end ", "1,234.50 %"])
def test_any_text_survives_the_tokenizer(processor, text):
    ids = processor.tokenizer(text)["input_ids"]
    assert processor.tokenizer.unk_token_id not in ids
    assert processor.tokenizer.decode(ids) == text


def test_tiles_when_asked_for(processor):
    text = processor.apply_chat_template([QUESTION])
    inputs = processor(
        images=[[Image.new("RGB", (200, 200))]],
        text=[text],
        do_image_splitting=True,
        return_tensors="pt",
    )
    assert inputs["pixel_values"].shape[1] == 5
    assert (inputs["input_ids"] == processor.image_token_id).sum() == 5 * IMAGE_TOKENS


def test_special_tokens(processor, model):
    tokenizer = processor.tokenizer
    assert tokenizer.eos_token == "<end_of_utterance>"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id


def test_weights_are_on_what_the_template_calls_generated(processor):
    batch = ConversationBatches(processor, steps=1, size=4, seed=3)[0]
    rng = random.Random("3-0")
    for row in range(4):
        chart = sample_chart("train", 30_000_000 + row)
        messages = conversation(chart, rng)
        first = next(message for message in messages if message["role"] == "user")
        first["content"][0]["image"] = draw_chart(chart)
        encoded = processor.apply_chat_template(
            messages,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            processor_kwargs={"return_tensors": "pt"},
        )
        mask = torch.as_tensor(encoded["assistant_masks"])[0].bool()
        length = len(mask)
        assert torch.equal(batch["weights"][row, :length] > 0, mask)
        assert (batch["weights"][row, length:] == 0).all()


def test_a_short_answer_weighs_about_as_much_as_a_long_one():
    answers = torch.tensor([[0, 1, 1, 1, 0, 0] + [1] * 8 + [0, 0]]).bool()
    weights = answer_weights(answers)[0]
    assert torch.equal(weights > 0, answers[0])
    assert weights[:4].sum().item() == pytest.approx(3 / 5)
    assert weights[4:].sum().item() == pytest.approx(8 / 10)


def test_colours_are_named_where_they_are_drawn():
    image = Image.new("RGB", (384, 384), "#ffffff")
    image.paste(INK["green"], (64, 128, 128, 192))
    shares = colour_shares(image)
    assert shares.shape == (IMAGE_TOKENS, len(COLOURS) + 1)
    torch.testing.assert_close(shares.sum(1), torch.ones(IMAGE_TOKENS))
    green = shares[:, COLOURS.index("green")].reshape(6, 6)
    assert green[2, 1] == 1 and green.sum() == 1
