"""Examples as model inputs, the way training writes them."""

from types import SimpleNamespace

import pytest

from studio.models.prompt_inputs import common_prefix, render_completion, render_prompt
from studio.models.prompts import EvalExample

END = "<end>"


class Processor:
    """Writes each turn in a line of its own, and the answer's end as asked."""

    tokenizer = SimpleNamespace(eos_token=END)

    def __init__(self, end: str) -> None:
        self.end = end

    def apply_chat_template(self, messages, tokenize, add_generation_prompt=False):
        assert tokenize is False
        lines = [
            f"{turn['role']}: {turn['content'][-1]['text']}"
            + (self.end if turn["role"] == "assistant" else "\n")
            for turn in messages
        ]
        return "".join(lines) + ("assistant:" if add_generation_prompt else "")


def test_a_prompt_ends_where_the_answer_begins():
    example = EvalExample.from_question([], "How many?")
    assert render_prompt(Processor(END), example) == "user: How many?\nassistant:"


def test_an_answer_goes_up_to_its_end_token():
    example = EvalExample.from_question([], "How many?")
    assert render_completion(Processor(f"{END}\n"), example, "Three.") == f" Three.{END}"
    assert render_completion(Processor("\n"), example, "Three.") == " Three.\n"


@pytest.mark.parametrize(
    ("texts", "shared"),
    [
        (["abc", "abd", "ab"], "ab"),
        (["abc"], "abc"),
        (["", "abc"], ""),
        (["same", "same"], "same"),
        (["x", "y"], ""),
    ],
)
def test_what_all_texts_begin_with_is_found(texts, shared):
    assert common_prefix(texts) == shared
