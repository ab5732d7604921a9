"""What the fast path knows about model families; a family that is not here trains as before."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PretrainedConfig


@dataclass(frozen=True)
class Family:
    """How a family can be computed exactly with shared work.

    Attributes:
        joined: The model takes the features of all images as one tensor, not as a list.
        tiles: The tiles of an image may be encoded one at a time; empty ones are padding.
        alone: An image's features are its own only in rows that have no other image.
        grid: Positions have three axes, and an image's follow its patch grid (M-RoPE).
        blocks: The tokens of an image see all of that image, also what comes after them.
    """

    joined: bool = False
    tiles: bool = False
    alone: bool = False
    grid: bool = False
    blocks: bool = False


FAMILIES: dict[str, Family] = {
    "idefics3": Family(tiles=True),
    "smolvlm": Family(tiles=True),
    "llava": Family(),
    "llava_next": Family(),
    "llava_onevision": Family(alone=True),
    "vipllava": Family(joined=True),
    "mistral3": Family(),
    "aya_vision": Family(joined=True),
    "internvl": Family(joined=True),
    "gemma3": Family(joined=True, blocks=True),
    "qwen2_vl": Family(grid=True),
    "qwen2_5_vl": Family(grid=True),
    "qwen3_vl": Family(grid=True),
    "glm4v": Family(grid=True),
}

MASKS = ("sdpa", "eager")


def attends_to_all(config: PretrainedConfig) -> bool:
    """Whether every layer of a language model is attention over all that precedes a token."""
    kinds = getattr(config, "layer_types", None)
    if kinds:
        return set(kinds) == {"full_attention"}
    return getattr(config, "sliding_window", None) is None


def feature_width(config: PretrainedConfig) -> int:
    """Numbers per image token: one hidden state, and one more for each layer that is fed again."""
    vision = getattr(config, "vision_config", None)
    again = getattr(vision, "deepstack_visual_indexes", None) or ()
    return config.get_text_config().hidden_size * (1 + len(again))


def grid_merge(config: PretrainedConfig) -> int:
    """Patches along each side that make one token, where positions follow the grid; else 0."""
    if not FAMILIES[config.model_type].grid:
        return 0
    return config.vision_config.spatial_merge_size
