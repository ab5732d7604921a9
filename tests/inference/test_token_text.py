"""Pieces of text put together are what all ids give at once."""

from __future__ import annotations

import random

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from studio.inference.token_text import REPLACEMENT, TokenText
from tests.places import TINY_VLM

TEXTS = (
    "The bar of May is at 42, that of June at 7.",
    "  Straße, naïve café — 你好，世界 🙂🙃 e\u0301 \n\n end",
    "a" * 60,
    "\n \t",
    "",
)


def byte_level() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def with_word_marks() -> PreTrainedTokenizerFast:
    """As sentencepiece writes: a mark for the space before a word, none shown for the first."""
    vocabulary = {
        piece: -float(i) for i, piece in enumerate(["<unk>", "▁bar", "▁of", "s", "▁", "▁May"])
    }
    tokenizer = Tokenizer(models.Unigram(list(vocabulary.items()), unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


@pytest.fixture(params=["embedded", "byte level", "word marks"], scope="module")
def tokenizer(request):
    if request.param == "embedded":
        return AutoTokenizer.from_pretrained(TINY_VLM)
    return byte_level() if request.param == "byte level" else with_word_marks()


def shown(tokenizer, ids) -> list[str]:
    text = TokenText(tokenizer)
    return [*(text.add(token) for token in ids), text.rest()]


@pytest.mark.parametrize("words", [*TEXTS, "bars of May"])
def test_pieces_are_the_whole_text(tokenizer, words):
    ids = tokenizer(words, add_special_tokens=False)["input_ids"]
    whole = tokenizer.decode(ids, skip_special_tokens=True).strip()
    pieces = shown(tokenizer, ids)
    assert "".join(pieces) == whole
    assert not any(REPLACEMENT in piece for piece in pieces if REPLACEMENT not in whole)


def test_any_ids_give_what_they_give_at_once(tokenizer):
    draw = random.Random(3)
    for _ in range(50):
        ids = [draw.randrange(len(tokenizer)) for _ in range(40)]
        whole = tokenizer.decode(ids, skip_special_tokens=True).strip()
        assert "".join(shown(tokenizer, ids)) == whole


def test_what_is_decoded_does_not_grow_with_the_answer(tokenizer):
    decoded: list[int] = []

    class Counting:
        def decode(self, ids, **options):
            decoded.append(len(ids))
            return tokenizer.decode(ids, **options)

    ids = tokenizer("The bar of May is at 42. " * 40, add_special_tokens=False)["input_ids"]
    assert len(ids) > 100
    shown(Counting(), ids)
    assert max(decoded) < 20
