"""Which model, in which precision, seeing images of which size."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from studio.config.setting import Section, setting
from studio.core.paths import can_be_path

Quantization = Literal["none", "int8", "nf4", "fp4"]


class ImageConfig(Section):
    """The pixel budget given to the processor."""

    longest_edge: int | None = setting(
        None,
        "Longest edge (pixels)",
        "Images are scaled down to this before tiling. Fewer pixels, fewer tokens, less memory.",
        effect="The strongest lever on memory and time; small print is lost first.",
        trl="processor.image_processor.size",
        level="basic",
        ge=32,
        le=8192,
    )
    split: bool | None = setting(
        None,
        "Split into tiles",
        "Cut large images into tiles (more detail, many more tokens). Empty: as the model ships.",
        effect="Off: a tenth of the image tokens, less detail.",
        trl="do_image_splitting",
    )


class ModelConfig(Section):
    """The base model."""

    id: str = setting(
        "embedded",
        "Model",
        'A Hugging Face model id, a folder, or "embedded" for the small chart model that comes along.',
        effect="Everything: memory, time and what can be learned.",
        trl="model",
        level="basic",
        min_length=1,
    )
    revision: str | None = setting(
        None,
        "Revision",
        "Branch, tag or commit of the hub model; empty for its default branch.",
        effect="The same weights again later, when it names a commit.",
        trl="revision",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto",
        "Precision",
        "Number format of the weights. Auto: bfloat16 on a GPU that has it, float32 on a CPU.",
        effect="bfloat16 halves the memory of float32 and is faster on GPUs.",
        trl="dtype, bf16, fp16",
    )
    quantization: Quantization = setting(
        "none",
        "Quantization",
        "Store the frozen weights in 8 or 4 bits (QLoRA). NF4 needs about a quarter of the memory. A model that comes quantized is used as it comes: leave none.",
        effect="Weights take a half (8 bits) or a quarter (4 bits); a little slower.",
        trl="BitsAndBytesConfig",
        level="basic",
    )
    double_quantization: bool = setting(
        True,
        "Double quantization",
        "Quantize the 4-bit scales as well; saves about 0.4 bits per weight at no visible cost.",
        effect="Memory: 0.4 bits per weight less.",
        trl="bnb_4bit_use_double_quant",
    )
    skip_modules: list[str] = setting(
        [],
        "Modules kept in full precision",
        "Names of modules that are not quantized. The output head never is.",
        effect="Quality of those modules, at their full memory.",
        trl="llm_int8_skip_modules",
    )
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = setting(
        "auto",
        "Attention",
        "Attention implementation. Auto takes the fastest one that the model has.",
        effect="Time, and memory with long rows: eager keeps every score.",
        trl="attn_implementation",
    )
    image: ImageConfig = setting(ImageConfig(), "Images", "What the model sees of an image.")

    @field_validator("id")
    @classmethod
    def _names_something(cls, name: str) -> str:
        if not can_be_path(name):
            raise ValueError("no folder and no model of the hub can have this name")
        return name
