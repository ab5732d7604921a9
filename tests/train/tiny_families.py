"""Models of a few thousand random weights with the processors of their families.

The weights are ten times larger than new models have them, so that attention looks at something
and a wrong mask or position shows.
"""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from transformers import AutoTokenizer

from studio.paths import TINY_VLM

VOCABULARY = 640
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 2048,
    "head_dim": 8,
    "initializer_range": 0.2,
    "pad_token_id": 2,
    "bos_token_id": 1,
    "eos_token_id": 5,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
    "initializer_range": 0.2,
}
ROPE = {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 10000.0}
CLIP = VISION | {"model_type": "clip_vision_model", "projection_dim": 16}
SIGLIP = VISION | {"model_type": "siglip_vision_model", "vision_use_head": False}
LLAMA = TEXT | {"model_type": "llama"}
PINPOINTS = [[16, 32], [32, 16], [32, 32]]
SQUARE = {"height": 16, "width": 16}
NAMES = ("llava", "llava_next", "llava_onevision", "internvl", "gemma3", "qwen2_5_vl", "qwen3_vl")


def save_tiny(family: str, folder: Path) -> str:
    """Write a model with its processor; the folder."""
    torch.manual_seed(0)
    made, config, processor = _PARTS[family](_tokenizer)
    model = getattr(transformers, made)(config)
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():  # Gemma 3 projects to nothing at first
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def _tokenizer(placeholder: str = "<image>", **special: str):
    tokenizer = AutoTokenizer.from_pretrained(TINY_VLM, extra_special_tokens=special)
    tokenizer.chat_template = tokenizer.chat_template.replace("<image>", placeholder)
    assert len(tokenizer) <= VOCABULARY
    return tokenizer


def _llava(make):
    tokenizer = make(image_token="<image>")
    images = transformers.LlavaImageProcessor(size={"shortest_edge": 16}, crop_size=SQUARE)
    processor = transformers.LlavaProcessor(
        images,
        tokenizer,
        patch_size=4,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    config = transformers.LlavaConfig(
        vision_config=CLIP, text_config=LLAMA, image_token_id=tokenizer.image_token_id
    )
    return "LlavaForConditionalGeneration", config, processor


def _llava_next(make):
    tokenizer = make(image_token="<image>")
    images = transformers.LlavaNextImageProcessor(
        size={"shortest_edge": 16}, crop_size=SQUARE, image_grid_pinpoints=PINPOINTS
    )
    processor = transformers.LlavaNextProcessor(
        images,
        tokenizer,
        patch_size=4,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    config = transformers.LlavaNextConfig(
        vision_config=CLIP,
        text_config=LLAMA,
        image_token_id=tokenizer.image_token_id,
        image_grid_pinpoints=PINPOINTS,
    )
    return "LlavaNextForConditionalGeneration", config, processor


def _llava_onevision(make):
    tokenizer = make(image_token="<image>", video_token="<video>")
    images = transformers.LlavaOnevisionImageProcessor(size=SQUARE, image_grid_pinpoints=PINPOINTS)
    processor = transformers.LlavaOnevisionProcessor(
        images,
        tokenizer,
        transformers.LlavaOnevisionVideoProcessor(),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=tokenizer.chat_template,
    )
    config = transformers.LlavaOnevisionConfig(
        vision_config=SIGLIP,
        text_config=TEXT | {"model_type": "qwen2"},
        image_token_id=tokenizer.image_token_id,
        video_token_id=tokenizer.video_token_id,
        image_grid_pinpoints=PINPOINTS,
    )
    return "LlavaOnevisionForConditionalGeneration", config, processor


def _internvl(make):
    special = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = make("<IMG_CONTEXT>", **special)
    images = transformers.GotOcr2ImageProcessor(size=SQUARE, crop_to_patches=True, max_patches=3)
    processor = transformers.InternVLProcessor(
        images,
        tokenizer,
        transformers.InternVLVideoProcessor(),
        image_seq_length=4,
        chat_template=tokenizer.chat_template,
    )
    vision = VISION | {"image_size": [16, 16], "patch_size": [4, 4]}
    config = transformers.InternVLConfig(
        vision_config=vision | {"model_type": "internvl_vision"},
        text_config=TEXT | {"model_type": "qwen2"},
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4,
    )
    return "InternVLForConditionalGeneration", config, processor


def _gemma3(make):
    special = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<image>"}
    tokenizer = make("<boi>", **special)
    processor = transformers.Gemma3Processor(
        transformers.Gemma3ImageProcessor(size=SQUARE),
        tokenizer,
        chat_template=tokenizer.chat_template,
        image_seq_length=4,
    )
    text = TEXT | {
        "model_type": "gemma3_text",
        "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"],
    }
    config = transformers.Gemma3Config(
        vision_config=SIGLIP,
        text_config=text,
        mm_tokens_per_image=4,
        image_token_id=tokenizer.image_token_id,
        boi_token_id=tokenizer.boi_token_id,
        eoi_token_id=tokenizer.eoi_token_id,
    )
    return "Gemma3ForConditionalGeneration", config, processor


def _qwen(name: str, video: str, vision: dict, make):
    special = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>",
        "vision_eos_token": "<|vision_end|>",
    }
    tokenizer = make("<|vision_start|><|image_pad|><|vision_end|>", **special)
    images = transformers.Qwen2VLImageProcessor(
        patch_size=4, min_pixels=256, max_pixels=2048, merge_size=2
    )
    processor = getattr(transformers, f"{name}Processor")(
        images,
        tokenizer,
        getattr(transformers, video)(),
        chat_template=tokenizer.chat_template,
    )
    config = getattr(transformers, f"{name}Config")(
        vision_config=vision | {"patch_size": 4, "spatial_merge_size": 2},
        text_config=TEXT | {"rope_parameters": ROPE},
        image_token_id=tokenizer.image_token_id,
        video_token_id=tokenizer.video_token_id,
        vision_start_token_id=tokenizer.vision_bos_token_id,
        vision_end_token_id=tokenizer.vision_eos_token_id,
    )
    return f"{name}ForConditionalGeneration", config, processor


def _qwen2_5_vl(make):
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "out_hidden_size": 32,
        "window_size": 16,
        "fullatt_block_indexes": [1],
    }
    return _qwen("Qwen2_5_VL", "Qwen2VLVideoProcessor", vision, make)


def _qwen3_vl(make):
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "out_hidden_size": 32,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    }
    return _qwen("Qwen3VL", "Qwen3VLVideoProcessor", vision, make)


_PARTS = {
    "llava": _llava,
    "llava_next": _llava_next,
    "llava_onevision": _llava_onevision,
    "internvl": _internvl,
    "gemma3": _gemma3,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
}
