"""Which model, in which precision, seeing images of which size."""

from __future__ import annotations

from typing import Literal

from studio.config.base import Section, setting

Quantization = Literal["none", "int8", "nf4", "fp4"]


class ImageConfig(Section):
    """The pixel budget given to the processor."""

    longest_edge: int | None = setting(
        None,
        "Longest edge (pixels)",
        "Images are scaled down to this before tiling. Fewer pixels, fewer tokens, less memory.",
        level="basic",
        ge=32,
        le=8192,
    )
    split: bool | None = setting(
        None,
        "Split into tiles",
        "Cut large images into tiles (more detail, many more tokens). Empty: as the model ships.",
    )


class ModelConfig(Section):
    """The base model."""

    id: str = setting(
        "embedded",
        "Model",
        'A Hugging Face model id, a folder, or "embedded" for the small chart model that comes along.',
        level="basic",
        min_length=1,
    )
    revision: str | None = setting(
        None, "Revision", "Branch, tag or commit of the hub model; empty for its default branch."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto",
        "Precision",
        "Number format of the weights. Auto: bfloat16 on a GPU that has it, float32 on a CPU.",
    )
    quantization: Quantization = setting(
        "none",
        "Quantization",
        "Store the frozen weights in 8 or 4 bits (QLoRA). NF4 needs about a quarter of the memory.",
        level="basic",
    )
    double_quantization: bool = setting(
        True,
        "Double quantization",
        "Quantize the 4-bit scales as well; saves about 0.4 bits per weight at no visible cost.",
    )
    skip_modules: list[str] = setting(
        [],
        "Modules kept in full precision",
        "Names of modules that are not quantized. The output head never is.",
    )
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = setting(
        "auto",
        "Attention",
        "Attention implementation. Auto takes the fastest one that the model has.",
    )
    image: ImageConfig = setting(ImageConfig(), "Images", "What the model sees of an image.")
