"""What the fast path knows about model families; a family that is not here trains as before."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PretrainedConfig

FULL, SLIDING = "full_attention", "sliding_attention"
MASKS = ("sdpa", "eager")

Windows = dict[str, int | None]
"""For each kind of layer, how many tokens a token sees back, itself included; None for all."""


@dataclass(frozen=True)
class Family:
    """How a family can be computed exactly with shared work.

    Attributes:
        joined: The model takes the features of all images as one tensor, not as a list.
        tiles: The tiles of an image may be encoded one at a time; empty ones are padding.
        alone: An image's features are its own only in rows that have no other image.
        grid: Positions have three axes, and an image's follow its patch grid (M-RoPE).
        blocks: Kinds of layers in which the tokens of an image see all of that image, also what
            comes after them.
        optional: Blocks are there only where the language model's configuration asks for them.
        types: The input that marks the tokens of images, where the model wants to know.
        prefix: The tokens of a prompt see all of it, also what comes after them.
        first: Position of the first token.
        marks: The model also replaces the tokens between an image's tokens (Ovis 2).
    """

    joined: bool = False
    tiles: bool = False
    alone: bool = False
    grid: bool = False
    blocks: tuple[str, ...] = ()
    optional: bool = False
    types: str = ""
    prefix: bool = False
    first: int = 0
    marks: bool = False


FAMILIES: dict[str, Family] = {
    "idefics2": Family(),
    "idefics3": Family(tiles=True),
    "smolvlm": Family(tiles=True),
    "llava": Family(),
    "llava_next": Family(),
    "llava_onevision": Family(alone=True),
    "vipllava": Family(joined=True),
    "mistral3": Family(),
    "lighton_ocr": Family(),
    "aya_vision": Family(joined=True),
    "cohere2_vision": Family(joined=True),
    "lfm2_vl": Family(),
    "ovis2": Family(joined=True, marks=True),
    "deepseek_vl": Family(joined=True),
    "internvl": Family(joined=True),
    "gemma3": Family(joined=True, blocks=(FULL, SLIDING), types="token_type_ids"),
    "gemma4": Family(blocks=(SLIDING,), optional=True, types="mm_token_type_ids"),
    "paligemma": Family(joined=True, types="token_type_ids", prefix=True, first=1),
    "qwen2_vl": Family(grid=True),
    "qwen2_5_vl": Family(grid=True),
    "qwen3_vl": Family(grid=True),
    "qwen3_5": Family(grid=True),
    "glm4v": Family(grid=True),
}


def windows_of(config: PretrainedConfig) -> Windows:
    """Return the kinds of layers of a language model; empty where a layer is not attention over
    tokens.
    """
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if not kinds:
        return {SLIDING if window else FULL: window}
    known = {FULL: None, SLIDING: window}
    if not set(kinds) <= set(known):
        return {}
    return {kind: known[kind] for kind in sorted(set(kinds))}


def blocks_of(config: PretrainedConfig) -> tuple[str, ...]:
    """Return the kinds of layers of a model in which the tokens of an image see all of it."""
    family = FAMILIES[config.model_type]
    asked = getattr(config.get_text_config(), "use_bidirectional_attention", None) == "vision"
    return () if family.optional and not asked else family.blocks


def feature_width(config: PretrainedConfig) -> int:
    """Return the numbers per image token: one hidden state, and one more for each layer that is fed
    again.
    """
    vision = getattr(config, "vision_config", None)
    again = getattr(vision, "deepstack_visual_indexes", None) or ()
    return config.get_text_config().hidden_size * (1 + len(again))


def grid_merge(config: PretrainedConfig) -> int:
    """Return how many patches along each side make one token, where positions follow the grid; else
    0.
    """
    if not FAMILIES[config.model_type].grid:
        return 0
    return config.vision_config.spatial_merge_size
