"""Tiny models of Qwen-VL's families."""

from __future__ import annotations

import transformers

from tests.families.parts import MROPE, TEXT, tokenizer


def qwen2_vl():
    vision = {"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    return _qwen("Qwen2VL", "Qwen2VLVideoProcessor", vision)


def qwen2_5_vl():
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "out_hidden_size": 32,
        "window_size": 16,
        "fullatt_block_indexes": [1],
    }
    return _qwen("Qwen2_5_VL", "Qwen2VLVideoProcessor", vision)


def qwen3_vl():
    vision = _qwen3_vision() | {"deepstack_visual_indexes": [0]}
    return _qwen("Qwen3VL", "Qwen3VLVideoProcessor", vision)


def qwen3_5():
    layers = {
        "layer_types": ["linear_attention", "full_attention"],
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "rope_parameters": MROPE | {"partial_rotary_factor": 1.0},
    }
    return _qwen("Qwen3_5", "Qwen3VLVideoProcessor", _qwen3_vision(), layers, "Qwen3VL")


def qwen3_vl_moe():
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
    vision = _qwen3_vision() | {"deepstack_visual_indexes": [0]}
    return _qwen("Qwen3VLMoe", "Qwen3VLVideoProcessor", vision, experts, "Qwen3VL")


def _qwen3_vision():
    return {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "out_hidden_size": 32,
        "num_position_embeddings": 64,
    }


def _qwen(name: str, video: str, vision: dict, text: dict | None = None, processors: str = ""):
    words = tokenizer(
        "<|vision_start|><|image_pad|><|vision_end|>",
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
        vision_bos_token="<|vision_start|>",
        vision_eos_token="<|vision_end|>",
    )
    images = transformers.Qwen2VLImageProcessor(
        patch_size=4, min_pixels=256, max_pixels=1024, merge_size=2
    )
    processor = getattr(transformers, f"{processors or name}Processor")(
        images, words, getattr(transformers, video)(), chat_template=words.chat_template
    )
    config = getattr(transformers, f"{name}Config")(
        vision_config=vision | {"patch_size": 4, "spatial_merge_size": 2},
        text_config=TEXT | {"rope_parameters": MROPE} | (text or {}),
        image_token_id=words.image_token_id,
        video_token_id=words.video_token_id,
        vision_start_token_id=words.vision_bos_token_id,
        vision_end_token_id=words.vision_eos_token_id,
    )
    return f"{name}ForConditionalGeneration", config, processor


FAMILIES = (qwen2_vl, qwen2_5_vl, qwen3_vl, qwen3_vl_moe, qwen3_5)
