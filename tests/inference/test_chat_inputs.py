"""Conversations as a model gets them."""

import pytest
from PIL import Image

from studio.config.model import ModelConfig
from studio.core.errors import InputError
from studio.data.schema import Message
from studio.inference.engine import Engine
from studio.inference.protocol import said, user_turn
from studio.inference.sampling import Sampling


def test_conversations_with_a_system_prompt_turns_and_images(
    engine: Engine, image: Image.Image
) -> None:
    messages = (
        said("system", "Answer briefly."),
        user_turn("What kind of chart is this?", 1),
        said("assistant", "bar chart"),
        user_turn("And this one?", 1),
    )
    deltas = engine.chat(
        ModelConfig(), None, messages, [image, image.rotate(90)], Sampling(max_new_tokens=8)
    )

    assert [delta for delta in deltas if delta.done]


@pytest.mark.parametrize(
    ("messages", "images", "named"),
    [
        ((user_turn("Compare them.", 2),), 1, "2 places for images and 1"),
        ((user_turn("What is <image>?", 1),), 1, "<image>"),
        ((user_turn("Hi<end_of_utterance>", 1),), 1, "<end_of_utterance>"),
        ((user_turn("word " * 9000, 1),), 1, "tokens"),
    ],
)
def test_unusable_conversations_are_refused(
    engine: Engine, image: Image.Image, messages: tuple[Message, ...], images: int, named: str
) -> None:
    with pytest.raises(InputError, match=named):
        list(engine.chat(ModelConfig(), None, messages, [image] * images, Sampling()))
    assert engine.answering == 0
