"""Models with random weights in the shapes of real ones, and rows to train them on.

The shapes are Idefics3's, which SmolVLM shares; the tokenizer is the embedded model's, so words
take more tokens than they would with the real one.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from studio.core.paths import SAMPLES, TINY_VLM

SEED = 7


@dataclass(frozen=True)
class Shape:
    """Sizes of one model; sources are the configurations published with the weights."""

    hidden: int
    layers: int
    heads: int
    groups: int
    inner: int
    vision_hidden: int
    vision_layers: int
    vision_heads: int
    vision_inner: int
    tile: int
    patch: int
    shuffle: int
    vocabulary: int = 49280


SHAPES = {
    "tiny": Shape(128, 4, 4, 4, 384, 128, 4, 4, 512, 96, 8, 2, 640),
    "smolvlm-256m": Shape(576, 30, 9, 3, 1536, 768, 12, 12, 3072, 512, 16, 4),
    "smolvlm-500m": Shape(960, 32, 15, 5, 2560, 768, 12, 12, 3072, 512, 16, 4),
    "smolvlm-2.2b": Shape(2048, 24, 32, 32, 8192, 1152, 27, 16, 4304, 384, 14, 3, 49155),
}


def save_random(shape: Shape, tiles: int, folder: Path) -> None:
    """Write a model with random weights and its processor, which cuts images into `tiles`."""
    import torch
    from transformers import AutoProcessor, Idefics3Config, Idefics3ForConditionalGeneration

    torch.manual_seed(SEED)
    model = Idefics3ForConditionalGeneration(Idefics3Config(**_settings(shape)))
    model.save_pretrained(folder)
    processor = AutoProcessor.from_pretrained(TINY_VLM)
    side = math.isqrt(max(1, tiles - 1))
    processor.image_seq_len = (shape.tile // shape.patch // shape.shuffle) ** 2
    images = processor.image_processor
    images.do_image_splitting = tiles > 1
    images.size = {"longest_edge": shape.tile * side}
    images.max_image_size = {"longest_edge": shape.tile}
    processor.save_pretrained(folder)


def _settings(shape: Shape) -> dict[str, object]:
    return {
        "image_token_id": 4,
        "scale_factor": shape.shuffle,
        "tie_word_embeddings": False,
        "pad_token_id": 2,
        "text_config": {
            "model_type": "llama",
            "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.groups,
            "head_dim": shape.hidden // shape.heads,
            "intermediate_size": shape.inner,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": 8192,
            "pad_token_id": 2,
            "bos_token_id": 1,
            "eos_token_id": 5,
            "tie_word_embeddings": False,
        },
        "vision_config": {
            "hidden_size": shape.vision_hidden,
            "num_hidden_layers": shape.vision_layers,
            "num_attention_heads": shape.vision_heads,
            "intermediate_size": shape.vision_inner,
            "image_size": shape.tile,
            "patch_size": shape.patch,
        },
    }


def write_rows(folder: Path, method: str, rows: int, *, data: str, charts: Path) -> Path:
    """Rows about `rows` different charts, real ones when they are there; the file's path.

    Args:
        data: `charts` for short answers; `text` for answers of some 400 tokens.
    """
    found = _chart_rows(charts, rows)
    texts = [text for _, _, text in found]
    lines = []
    for index, (image, question, answer) in enumerate(found):
        good = _answer(answer, data)
        bad = _answer(texts[(index + 1) % len(texts)] + " or so", data)
        answers = {"chosen": good, "rejected": bad} if method == "dpo" else {"answer": good}
        shutil.copy(image, folder / Path(image).name)
        lines.append(json.dumps({"image": Path(image).name, "question": question, **answers}))
    path = folder / "rows.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _answer(text: str, data: str) -> str:
    short = f"The answer is {text}."
    return " ".join([short] * 24) if data == "text" else short


def _chart_rows(charts: Path, rows: int) -> list[tuple[str, str, str]]:
    source = charts / "chartqa" / "human.jsonl"
    if source.is_file():
        values = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
        chosen = {v["image"]: v for v in reversed(values)}
        return [
            (str(source.parent / v["image"]), v["question"], v["answer"])
            for v in list(chosen.values())[:rows]
        ]
    images = sorted((SAMPLES / "sft" / "images").glob("*.png"))[:rows]
    return [(str(path), "Which bar is the highest?", path.stem[:6]) for path in images]
