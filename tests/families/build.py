"""A model of a few thousand random weights for every family, with the processor of its kind.

Each function gives the class of the model, its configuration, and a processor; `save` writes a
folder as a hub repository would hold it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import transformers
from transformers import PreTrainedConfig, ProcessorMixin

from tests.families import more, qwen
from tests.families.parts import (
    CLIP,
    LLAMA,
    PINPOINTS,
    QWEN2,
    SIGLIP,
    SQUARE,
    TEXT,
    VISION,
    tokenizer,
)

UNSEEN = (
    "mm_input_projection_weight",
    "connector.modality_projection.up_proj.weight",
    "perceiver_resampler.layers.0.self_attn.o_proj.weight",
)


class Made(NamedTuple):
    """A model's class by name, its configuration and its processor."""

    model: str
    config: PreTrainedConfig
    processor: ProcessorMixin


def save(family: str, folder: Path) -> str:
    """Write a tiny model of `family`; the folder."""
    torch.manual_seed(0)
    made = Made(*FAMILIES[family]())
    model = getattr(transformers, made.model)(made.config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("_attn_gate", "_mlp_gate")):  # new ones are shut
                parameter.fill_(0.5)
            if name.endswith(UNSEEN):  # new ones let next to nothing of an image through
                parameter.normal_(std=0.5)
    model.save_pretrained(folder)
    made.processor.save_pretrained(folder)
    return str(folder)


def idefics2():
    words = tokenizer()
    images = transformers.Idefics2ImageProcessor(
        size={"shortest_edge": 8, "longest_edge": 16}, do_image_splitting=False
    )
    processor = transformers.Idefics2Processor(
        images, words, image_seq_len=4, chat_template=words.chat_template
    )
    perceiver = {
        "hidden_size": 32,
        "resampler_n_latents": 4,
        "resampler_depth": 1,
        "resampler_n_heads": 2,
        "resampler_head_dim": 8,
        "num_key_value_heads": 1,
    }
    config = transformers.Idefics2Config(
        vision_config=VISION,
        perceiver_config=perceiver,
        text_config=TEXT | {"model_type": "mistral"},
        image_token_id=processor.image_token_id,
    )
    return "Idefics2ForConditionalGeneration", config, processor


def idefics3():
    words = tokenizer()
    images = transformers.Idefics3ImageProcessor(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 16}
    )
    processor = transformers.Idefics3Processor(
        images, words, image_seq_len=4, chat_template=words.chat_template
    )
    config = transformers.Idefics3Config(
        vision_config=VISION,
        text_config=LLAMA,
        scale_factor=2,
        image_token_id=processor.image_token_id,
        pad_token_id=2,
    )
    return "Idefics3ForConditionalGeneration", config, processor


def smolvlm():
    words = tokenizer()
    images = transformers.SmolVLMImageProcessor(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 16}
    )
    videos = transformers.SmolVLMVideoProcessor(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 16}
    )
    processor = transformers.SmolVLMProcessor(
        images, words, videos, image_seq_len=4, chat_template=words.chat_template
    )
    config = transformers.SmolVLMConfig(
        vision_config=VISION,
        text_config=LLAMA,
        scale_factor=2,
        image_token_id=processor.image_token_id,
        pad_token_id=2,
    )
    return "SmolVLMForConditionalGeneration", config, processor


def llava():
    words = tokenizer(image_token="<image>")
    images = transformers.LlavaImageProcessor(size={"shortest_edge": 16}, crop_size=SQUARE)
    processor = transformers.LlavaProcessor(images, words, **_clip(words))
    config = transformers.LlavaConfig(
        vision_config=CLIP, text_config=LLAMA, image_token_id=words.image_token_id
    )
    return "LlavaForConditionalGeneration", config, processor


def llava_next():
    words = tokenizer(image_token="<image>")
    images = transformers.LlavaNextImageProcessor(
        size={"shortest_edge": 16}, crop_size=SQUARE, image_grid_pinpoints=PINPOINTS
    )
    processor = transformers.LlavaNextProcessor(images, words, **_clip(words))
    config = transformers.LlavaNextConfig(
        vision_config=CLIP,
        text_config=LLAMA,
        image_token_id=words.image_token_id,
        image_grid_pinpoints=PINPOINTS,
    )
    return "LlavaNextForConditionalGeneration", config, processor


def granite_vision():
    """Granite Vision 3 is LLaVA-NeXT with SigLIP, several of its layers, and Granite."""
    words = tokenizer(image_token="<image>")
    images = transformers.LlavaNextImageProcessor(
        size={"shortest_edge": 16}, crop_size=SQUARE, image_grid_pinpoints=PINPOINTS
    )
    processor = transformers.LlavaNextProcessor(
        images,
        words,
        patch_size=4,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=words.chat_template,
    )
    config = transformers.LlavaNextConfig(
        vision_config=SIGLIP,
        text_config=TEXT | {"model_type": "granite", "logits_scaling": 4.0},
        image_token_id=words.image_token_id,
        image_grid_pinpoints=PINPOINTS,
        vision_feature_layer=[-2, -1],
        vision_feature_select_strategy="full",
    )
    return "LlavaNextForConditionalGeneration", config, processor


def llava_onevision():
    words = tokenizer(image_token="<image>", video_token="<video>")
    images = transformers.LlavaOnevisionImageProcessor(size=SQUARE, image_grid_pinpoints=PINPOINTS)
    processor = transformers.LlavaOnevisionProcessor(
        images,
        words,
        transformers.LlavaOnevisionVideoProcessor(),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=words.chat_template,
    )
    config = transformers.LlavaOnevisionConfig(
        vision_config=SIGLIP,
        text_config=QWEN2,
        image_token_id=words.image_token_id,
        video_token_id=words.video_token_id,
        image_grid_pinpoints=PINPOINTS,
    )
    return "LlavaOnevisionForConditionalGeneration", config, processor


def internvl():
    words = tokenizer(
        "<IMG_CONTEXT>",
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    images = transformers.GotOcr2ImageProcessor(size=SQUARE, crop_to_patches=True, max_patches=3)
    processor = transformers.InternVLProcessor(
        images,
        words,
        transformers.InternVLVideoProcessor(),
        image_seq_length=4,
        chat_template=words.chat_template,
    )
    vision = VISION | {"image_size": [16, 16], "patch_size": [4, 4]}
    config = transformers.InternVLConfig(
        vision_config=vision | {"model_type": "internvl_vision"},
        text_config=QWEN2,
        image_token_id=words.context_image_token_id,
        image_seq_length=4,
    )
    return "InternVLForConditionalGeneration", config, processor


def gemma3():
    words = tokenizer("<boi>", boi_token="<boi>", eoi_token="<eoi>", image_token="<image>")
    processor = transformers.Gemma3Processor(
        transformers.Gemma3ImageProcessor(size=SQUARE),
        words,
        chat_template=words.chat_template,
        image_seq_length=4,
    )
    layers = ["sliding_attention", "full_attention"]
    config = transformers.Gemma3Config(
        vision_config=SIGLIP,
        text_config=TEXT
        | {"model_type": "gemma3_text", "sliding_window": 16, "layer_types": layers},
        mm_tokens_per_image=4,
        image_token_id=words.image_token_id,
        boi_token_id=words.boi_token_id,
        eoi_token_id=words.eoi_token_id,
    )
    return "Gemma3ForConditionalGeneration", config, processor


def paligemma():
    """PaliGemma 2: a Gemma 2 language model; as on the hub, without a chat template."""
    words = tokenizer()
    words.chat_template = None
    images = transformers.SiglipImageProcessor(size=SQUARE)
    images.image_seq_length = 16
    processor = transformers.PaliGemmaProcessor(images, words)
    layers = ["sliding_attention", "full_attention"]
    vocabulary = len(words)
    config = transformers.PaliGemmaConfig(
        vision_config=SIGLIP | {"projection_dim": 32},
        text_config=TEXT
        | {"model_type": "gemma2", "sliding_window": 16, "layer_types": layers}
        | {"vocab_size": vocabulary},
        projection_dim=32,
        hidden_size=32,
        vocab_size=vocabulary,
        image_token_index=processor.image_token_id,
    )
    return "PaliGemmaForConditionalGeneration", config, processor


def _clip(words) -> dict:
    return {
        "patch_size": 4,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "chat_template": words.chat_template,
    }


FAMILIES: dict[str, Callable[[], tuple[str, PreTrainedConfig, ProcessorMixin]]] = {
    made.__name__: made
    for made in (
        idefics2,
        idefics3,
        smolvlm,
        llava,
        llava_next,
        granite_vision,
        llava_onevision,
        internvl,
        gemma3,
        paligemma,
        *qwen.FAMILIES,
        *more.FAMILIES,
    )
}
