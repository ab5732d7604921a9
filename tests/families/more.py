"""Tiny models of the families that are less asked for."""

from __future__ import annotations

import transformers

from tests.families.parts import CLIP, COHERE, LLAMA, QWEN2, SIGLIP, SQUARE, TEXT, VISION, tokenizer


def vipllava():
    words = tokenizer(image_token="<image>")
    images = transformers.LlavaImageProcessor(size={"shortest_edge": 16}, crop_size=SQUARE)
    processor = transformers.LlavaProcessor(
        images,
        words,
        patch_size=4,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=words.chat_template,
    )
    config = transformers.VipLlavaConfig(
        vision_config=CLIP,
        text_config=LLAMA,
        image_token_id=words.image_token_id,
        vision_feature_layers=[-1, -2],
    )
    return "VipLlavaForConditionalGeneration", config, processor


def pixtral():
    """Pixtral 12B is LLaVA with Pixtral's tower."""
    config = transformers.LlavaConfig(
        vision_config=_pixtral_vision(),
        text_config=TEXT | {"model_type": "mistral", "sliding_window": None},
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    return "LlavaForConditionalGeneration", *_pixtral(config, 1)


def mistral3():
    config = transformers.Mistral3Config(
        vision_config=_pixtral_vision(),
        text_config=TEXT | {"model_type": "mistral", "sliding_window": None},
        spatial_merge_size=2,
    )
    return "Mistral3ForConditionalGeneration", *_pixtral(config, 2)


def _pixtral(config, merge: int):
    words = tokenizer(
        "[IMG]", image_token="[IMG]", image_break_token="[IMG_BREAK]", image_end_token="[IMG_END]"
    )
    patch = {"height": 4, "width": 4}
    processor = transformers.PixtralProcessor(
        transformers.PixtralImageProcessor(size={"longest_edge": 24}, patch_size=patch),
        words,
        patch_size=4,
        spatial_merge_size=merge,
        chat_template=words.chat_template,
    )
    config.image_token_id = words.image_token_id
    return config, processor


def _pixtral_vision():
    return VISION | {"model_type": "pixtral", "image_size": 32, "head_dim": 8}


def aya_vision():
    special = {
        "start_of_img_token": "<|START_OF_IMG|>",
        "end_of_img_token": "<|END_OF_IMG|>",
        "img_patch_token": "<|IMG_PATCH|>",
        "img_line_break_token": "<|IMG_LINE_BREAK|>",
    }
    words = tokenizer(image_token="<image>", **special)
    images = transformers.GotOcr2ImageProcessor(size=SQUARE, crop_to_patches=True, max_patches=2)
    processor = transformers.AyaVisionProcessor(
        images,
        words,
        patch_size=4,
        img_size=16,
        downsample_factor=2,
        chat_template=words.chat_template,
        **special,
    )
    config = transformers.AyaVisionConfig(
        vision_config=SIGLIP,
        text_config=COHERE,
        image_token_id=words.convert_tokens_to_ids("<|IMG_PATCH|>"),
        adapter_layer_norm_eps=1e-6,
        alignment_intermediate_size=64,
    )
    return "AyaVisionForConditionalGeneration", config, processor


def cohere2_vision():
    words = tokenizer(
        image_token="<image>",
        boi_token="<boi>",
        eoi_token="<eoi>",
        img_line_break_token="<line>",
    )
    images = transformers.Cohere2VisionImageProcessor(size=SQUARE, patch_size=2, max_patches=2)
    processor = transformers.Cohere2VisionProcessor(
        images, words, chat_template=words.chat_template
    )
    config = transformers.Cohere2VisionConfig(
        vision_config=SIGLIP,
        text_config=COHERE,
        image_token_id=words.image_token_id,
        alignment_intermediate_size=64,
    )
    return "Cohere2VisionForConditionalGeneration", config, processor


def lfm2_vl():
    words = tokenizer(
        image_token="<image>",
        image_start_token="<|image_start|>",
        image_end_token="<|image_end|>",
        image_thumbnail_token="<|img_thumbnail|>",
    )
    images = transformers.Lfm2VlImageProcessor(
        do_image_splitting=False,
        min_image_tokens=1,
        max_image_tokens=4,
        encoder_patch_size=4,
        tile_size=16,
        max_num_patches=16,
    )
    processor = transformers.Lfm2VlProcessor(images, words, chat_template=words.chat_template)
    vision = VISION | {"model_type": "siglip2_vision_model", "num_patches": 16}
    vision.pop("image_size")
    config = transformers.Lfm2VlConfig(
        vision_config=vision | {"vision_use_head": False},
        text_config=TEXT | {"model_type": "lfm2", "layer_types": ["conv", "full_attention"]},
        image_token_id=words.image_token_id,
        projector_hidden_size=32,
    )
    return "Lfm2VlForConditionalGeneration", config, processor


def glm4v():
    words = tokenizer(
        "<|begin_of_image|><|image|><|end_of_image|>",
        image_token="<|image|>",
        video_token="<|video|>",
        image_start_token="<|begin_of_image|>",
        image_end_token="<|end_of_image|>",
        video_start_token="<|begin_of_video|>",
        video_end_token="<|end_of_video|>",
    )
    size = {"shortest_edge": 512, "longest_edge": 2048}
    processor = transformers.Glm4vProcessor(
        transformers.Glm4vImageProcessor(patch_size=4, merge_size=2, size=size),
        words,
        transformers.Glm4vVideoProcessor(),
        chat_template=words.chat_template,
    )
    vision = {
        "depth": 2,
        "hidden_size": 16,
        "num_heads": 2,
        "intermediate_size": 24,
        "out_hidden_size": 32,
        "image_size": 16,
        "patch_size": 4,
        "spatial_merge_size": 2,
    }
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    names = ("image_token", "video_token", "image_start_token", "image_end_token")
    config = transformers.Glm4vConfig(
        vision_config=vision,
        text_config=TEXT | {"rope_parameters": rope},
        video_start_token_id=words.video_start_token_id,
        video_end_token_id=words.video_end_token_id,
        **{f"{name}_id": getattr(words, f"{name}_id") for name in names},
    )
    return "Glm4vForConditionalGeneration", config, processor


def ovis2():
    special = {
        "image_token": "<image>",
        "image_pad_token": "<IMG_ATOM>",
        "start_token": "<IMG_START>",
        "grid_token": "<IMG_GRID>",
        "column_token": "<IMG_COL>",
        "row_token": "<IMG_ROW>",
        "end_token": "<IMG_END>",
    }
    words = tokenizer(**special)
    processor = transformers.Ovis2Processor(
        transformers.Ovis2ImageProcessor(size=SQUARE),
        words,
        image_seq_length=4,
        chat_template=words.chat_template,
    )
    ids = words.convert_tokens_to_ids
    config = transformers.Ovis2Config(
        vision_config=VISION | {"hidden_stride": 2, "vocab_size": 64},
        text_config=QWEN2,
        image_token_id=ids("<IMG_ATOM>"),
        visual_indicator_token_ids=ids(
            ["<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"]
        ),
        vocab_size=TEXT["vocab_size"],
        hidden_size=32,
    )
    return "Ovis2ForConditionalGeneration", config, processor


def deepseek_vl():
    words = tokenizer(image_token="<image>")
    processor = transformers.DeepseekVLProcessor(
        transformers.DeepseekVLImageProcessor(size=SQUARE),
        words,
        chat_template=words.chat_template,
        num_image_tokens=16,
    )
    config = transformers.DeepseekVLConfig(
        vision_config=SIGLIP, text_config=LLAMA, image_token_id=words.image_token_id
    )
    return "DeepseekVLForConditionalGeneration", config, processor


def mllama():
    """Llama 3.2 Vision: images come in through cross-attention."""
    words = tokenizer("<|image|>", image_token="<|image|>")
    processor = transformers.MllamaProcessor(
        transformers.MllamaImageProcessor(size=SQUARE, max_image_tiles=2),
        words,
        chat_template=words.chat_template,
    )
    vision = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_global_layers": 1,
        "attention_heads": 2,
        "intermediate_size": 24,
        "image_size": 16,
        "patch_size": 4,
        "max_num_tiles": 2,
        "intermediate_layers_indices": [0],
        "vision_output_dim": 32,
        "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
    }
    config = transformers.MllamaConfig(
        vision_config=vision,
        text_config=TEXT | {"num_hidden_layers": 3, "cross_attention_layers": [1]},
        image_token_index=words.image_token_id,
    )
    return "MllamaForConditionalGeneration", config, processor


def gemma4():
    words = tokenizer(
        "<|image|>",
        image_token="<|image|>",
        boi_token="<boi>",
        eoi_token="<eoi>",
        audio_token="<|audio|>",
        boa_token="<boa>",
        eoa_token="<eoa>",
    )
    processor = transformers.Gemma4Processor(
        transformers.Gemma4AudioFeatureExtractor(),
        transformers.Gemma4ImageProcessor(patch_size=4, max_soft_tokens=70, pooling_kernel_size=2),
        words,
        transformers.Gemma4VideoProcessor(patch_size=4),
        chat_template=words.chat_template,
        image_seq_length=70,
    )
    vision = VISION | {
        "num_key_value_heads": 2,
        "head_dim": 8,
        "pooling_kernel_size": 2,
        "position_embedding_size": 64,
    }
    vision.pop("image_size")
    text = TEXT | {
        "model_type": "gemma4_text",
        "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"],
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": TEXT["vocab_size"],
    }
    names = ("image_token", "boi_token", "eoi_token", "audio_token")
    config = transformers.Gemma4Config(
        vision_config=vision,
        text_config=text,
        audio_config=None,
        video_token_id=processor.video_token_id,
        **{f"{name}_id": getattr(words, f"{name}_id") for name in names},
    )
    return "Gemma4ForConditionalGeneration", config, processor


def lighton_ocr():
    words = tokenizer(
        "<|image_pad|>",
        image_token="<|image_pad|>",
        image_break_token="<|break|>",
        image_end_token="<|end|>",
    )
    patch = {"height": 8, "width": 8}
    processor = transformers.LightOnOcrProcessor(
        transformers.PixtralImageProcessor(size={"longest_edge": 24}, patch_size=patch),
        words,
        patch_size=4,
        spatial_merge_size=2,
        chat_template=words.chat_template,
    )
    config = transformers.LightOnOcrConfig(
        vision_config=_pixtral_vision(),
        text_config=TEXT | {"model_type": "qwen3"},
        image_token_id=words.image_token_id,
    )
    return "LightOnOcrForConditionalGeneration", config, processor


FAMILIES = (
    gemma4,
    lighton_ocr,
    vipllava,
    pixtral,
    mistral3,
    aya_vision,
    cohere2_vision,
    lfm2_vl,
    glm4v,
    ovis2,
    deepseek_vl,
    mllama,
)
