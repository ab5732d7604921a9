"""The embedded model before training: Idefics3 in miniature, its processor and its tokenizer."""

from __future__ import annotations

import random

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    PreTrainedTokenizerFast,
)

from tools.tiny_vlm.chart import sample_chart
from tools.tiny_vlm.conversation import SYSTEM_MESSAGES, conversation

VOCABULARY = 640
CONTEXT = 8192
IMAGE_SIDE = 96
PATCH = 8
SHUFFLE = 2
IMAGE_TOKENS = (IMAGE_SIDE // PATCH // SHUFFLE) ** 2
WIDTH = 128
PAPER_LEVEL, INK_SPREAD = 0.9, 0.3
"""Pixel normalisation: charts are mostly light paper, so paper and not mid-grey is near zero."""

POSITION_SCALE = 0.5

BOS, PAD, UNK = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
EOS = "<end_of_utterance>"
FAKE, IMAGE, GLOBAL = "<fake_token_around_image>", "<image>", "<global-img>"
TILES = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]

CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ body(message) }}"
    "{% endgeneration %}{% else %}{{ body(message) }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
BODY_MACRO = (
    "{% macro body(message) %}{% if message['content'] is string %}{{ ' ' + message['content'] }}"
    "{% else %}{% if not message['content'] or message['content'][0]['type'] != 'image' %}{{ ' ' }}"
    "{% endif %}{% for part in message['content'] %}{% if part['type'] == 'text' %}"
    "{{ part['text'] }}{% elif part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}"
    "{% endif %}<end_of_utterance>\n{% endmacro %}"
)


def new_processor() -> Idefics3Processor:
    """A processor that turns any image into `IMAGE_TOKENS` tokens, and a byte-level tokenizer.

    Images are resized to a square; tiles of a larger image are off unless asked for.
    """
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_train_tokenizer(),
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    image_processor = Idefics3ImageProcessor(
        do_image_splitting=False,
        size={"longest_edge": 2 * IMAGE_SIDE},
        max_image_size={"longest_edge": IMAGE_SIDE},
        image_mean=[PAPER_LEVEL] * 3,
        image_std=[INK_SPREAD] * 3,
    )
    return Idefics3Processor(
        image_processor,
        tokenizer,
        image_seq_len=IMAGE_TOKENS,
        chat_template=BODY_MACRO + CHAT_TEMPLATE,
    )


def new_model(processor: Idefics3Processor) -> Idefics3ForConditionalGeneration:
    """The untrained model, in float32, with random weights from torch's current seed.

    Widths are multiples of 64, the block size of 4-bit quantization.
    """
    tokenizer = processor.tokenizer
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "image_size": IMAGE_SIDE,
        "patch_size": PATCH,
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
    }
    text = {
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT,
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        **special,
    }
    config = Idefics3Config(
        vision_config=vision,
        text_config=text,
        scale_factor=SHUFFLE,
        image_token_id=processor.image_token_id,
        **special,
    )
    model = Idefics3ForConditionalGeneration(config)
    with torch.no_grad():
        embedding = model.model.vision_model.embeddings.position_embedding
        embedding.weight.copy_(POSITION_SCALE * _positions(IMAGE_SIDE // PATCH, WIDTH))
    model.generation_config = GenerationConfig(max_new_tokens=64, **special)
    return model


def _positions(side: int, width: int) -> torch.Tensor:
    """Two-dimensional sine and cosine codes, (side * side, width), to start the positions from.

    Starting from codes that tell how far apart patches are, not from noise, spares training most of
    the time it needs to learn where things are.
    """
    frequencies = torch.pi / side * 2 ** torch.linspace(0, 3, width // 4)
    angles = torch.arange(side).unsqueeze(1) * frequencies
    code = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows = code.unsqueeze(1).expand(side, side, -1)
    columns = code.unsqueeze(0).expand(side, side, -1)
    return torch.cat([rows, columns], dim=-1).reshape(side * side, width)


def _train_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        show_progress=False,
        special_tokens=[UNK, BOS, PAD, FAKE, IMAGE, EOS, GLOBAL, *TILES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _corpus() -> list[str]:
    lines = [*SYSTEM_MESSAGES]
    for index in range(1000):
        for message in conversation(sample_chart("train", index), random.Random(index)):
            text = message["content"][-1]["text"]
            lines.append(f"{message['role'].capitalize()}: {text}\n")
    return lines
