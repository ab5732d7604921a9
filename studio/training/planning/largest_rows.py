"""Which rows make the largest batch, and how long rows are, from a sample that finds the long ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from PIL import Image, UnidentifiedImageError
from transformers import PretrainedConfig, ProcessorMixin
from trl.data_utils import prepare_multimodal_messages

from studio.data.trl_format import SCORED
from studio.training.run_rows import RunData

SPREAD, LONGEST, LOOKED_AT = 24, 6, 20_000
SKIP = ("images", SCORED)
ANSWERS = {"sft": ("completion",), "dpo": ("chosen", "rejected")}


@dataclass(frozen=True)
class RowSample:
    """Rows and their tokens.

    Attributes:
        largest: Row numbers, most tokens first.
        tokens: Tokens of the sampled rows; for DPO of the longer of the two answers.
        spread: Those of the rows taken evenly, for the median.
    """

    largest: list[int]
    tokens: dict[int, int]
    spread: list[int]


def sample_rows(data: RunData, processor: ProcessorMixin, method: str) -> RowSample:
    """Count the tokens of rows spread evenly, and of those with the most text or pixels."""
    dataset = data.train.dataset
    even = range(0, len(dataset), max(1, len(dataset) // SPREAD))[:SPREAD]
    numbers = dict.fromkeys([*even, *_extremes(dataset)])
    tokens = {n: count_tokens(dataset[n], processor, method) for n in numbers}
    largest = sorted(tokens, key=lambda n: (-tokens[n], n))
    return RowSample(largest, tokens, [tokens[n] for n in even])


def count_tokens(row: dict[str, Any], processor: ProcessorMixin, method: str) -> int:
    """Return the tokens of one row as the processor makes them, image tokens included."""
    return max(_tokens(row, answer, processor) for answer in ANSWERS[method])


def guess_tokens(config: PretrainedConfig, rows: Sequence[dict[str, Any]], method: str) -> int:
    """Return the tokens of a row when there is no processor: one tile per image, four letters per
    token.
    """
    vision = getattr(config, "vision_config", None)
    size, patch = _first(vision, "image_size", 384), _first(vision, "patch_size", 14)
    shrink: Any = getattr(config, "scale_factor", None) or getattr(vision, "spatial_merge_size", 1)
    pooled = getattr(config, "mm_tokens_per_image", None)
    per_image = pooled or max(1, (size // patch) ** 2 // int(shrink) ** 2)
    return max(_guess(row, per_image, method) for row in rows)


def _guess(row: dict[str, Any], per_image: int, method: str) -> int:
    texts = [_text(row["prompt"]) + _text(row[answer]) for answer in ANSWERS[method]]
    return len(row.get("images") or []) * per_image + max(map(len, texts)) // 4 + 8


def _first(settings: Any, name: str, default: int) -> int:
    value = getattr(settings, name, None) or default
    return int(value[0] if isinstance(value, (list, tuple)) else value)


def _text(messages: Sequence[dict[str, Any]]) -> str:
    parts = [m["content"] for m in messages]
    return "".join(
        part if isinstance(part, str) else "".join(item.get("text") or "" for item in part)
        for part in parts
    )


def _tokens(row: dict[str, Any], answer: str, processor: ProcessorMixin) -> int:
    images = row.get("images") or []
    messages = [
        *prepare_multimodal_messages(row["prompt"], images=list(images)),
        *prepare_multimodal_messages(row[answer]),
    ]
    encoded = processor.apply_chat_template(messages, tokenize=True, return_dict=True)
    ids = encoded["input_ids"]
    return len(ids[0]) if isinstance(ids[0], list) else len(ids)


def _extremes(dataset: Dataset) -> list[int]:
    raw = dataset.with_format(None)
    looked_at = raw.select(range(min(len(raw), LOOKED_AT)))
    columns = [looked_at[name][:] for name in looked_at.column_names if name not in SKIP]
    letters = [len(str(text)) for text in zip(*columns, strict=True)]
    areas = [
        sum(_pixels(image.get("path")) for image in images) for images in looked_at["images"][:]
    ]
    by_text = sorted(range(len(letters)), key=lambda n: -letters[n])[:LONGEST]
    by_area = sorted(range(len(areas)), key=lambda n: (-areas[n], -letters[n]))[:LONGEST]
    return [*by_area, *by_text]


def _pixels(path: str | None) -> int:
    if not path:
        return 0
    try:
        with Image.open(path) as opened:
            return opened.width * opened.height
    except (OSError, UnidentifiedImageError):
        return 0
