"""What the tiny models are put together from: settings of towers, tokenizers, image sizes."""

from __future__ import annotations

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from studio.core.paths import TINY_VLM

VOCABULARY = 640
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 2048,
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
}
LLAMA = TEXT | {"model_type": "llama"}
QWEN2 = TEXT | {"model_type": "qwen2"}
COHERE = TEXT | {
    "model_type": "cohere2",
    "layer_types": ["full_attention"] * 2,
    "logit_scale": 0.25,
}
CLIP = VISION | {"model_type": "clip_vision_model", "projection_dim": 16}
SIGLIP = VISION | {"model_type": "siglip_vision_model", "vision_use_head": False}
MROPE = {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 10000.0}
SQUARE = {"height": 16, "width": 16}
PINPOINTS = [[16, 32], [32, 16], [32, 32]]


def tokenizer(placeholder: str = "<image>", **special: str) -> PreTrainedTokenizerBase:
    """The embedded model's tokenizer with a family's special tokens.

    Args:
        placeholder: What stands for an image in the chat template.
        special: Tokens by the name of their attribute, such as `image_token`.
    """
    made = AutoTokenizer.from_pretrained(TINY_VLM, extra_special_tokens=special)
    made.chat_template = made.chat_template.replace("<image>", placeholder)
    if len(made) > VOCABULARY:
        raise ValueError(f"{len(made)} tokens do not fit into {VOCABULARY}")
    return made
