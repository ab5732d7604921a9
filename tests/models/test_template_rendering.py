"""Prompts rendered from frames are those of the template."""

from __future__ import annotations

import pytest

from studio.config.model import ModelConfig
from studio.data.trl_format import bare, prompt_messages
from studio.models.model_source import load_processor
from studio.models.template_rendering import Renderer
from tests.preflight.conftest import row


@pytest.fixture(scope="module")
def plain():
    return load_processor(ModelConfig())


@pytest.mark.parametrize("text", ["plain", " spaced \n", "{{ braces }} <b>", "", "\ue0000\ue001"])
def test_frames_write_what_the_template_writes(plain, text):
    renderer = Renderer(plain)
    for question in ["one", "two", text, *map(str, range(20)), text]:
        messages = bare(prompt_messages(row(question, images=1)))
        expected = plain.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert renderer.prompt(messages) == expected


def test_a_template_that_changes_texts_is_always_asked(plain):
    class Shouting:
        def apply_chat_template(self, messages, tokenize, add_generation_prompt):
            return "".join(part["text"].strip().upper() for part in messages[0]["content"])

    renderer = Renderer(Shouting())
    for text in ("a ", "b", " c"):
        message = {"role": "user", "content": [{"type": "text", "text": text}]}
        assert renderer.prompt([message]) == text.strip().upper()
