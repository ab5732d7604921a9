"""What a maximum length would cut: answers, which is said, or images, which is refused."""

from __future__ import annotations

from typing import Any

from transformers import ProcessorMixin
from trl.data_utils import prepare_multimodal_messages

from studio.config import RunConfig
from studio.errors import DataError
from studio.train.data import RunData
from studio.train.memory.rows import Sample

FIELD = "data.max_length"


def within_limit(config: RunConfig, tokens: int) -> int:
    """Tokens of a row that trains: `data.max_length` at most."""
    limit = config.data.max_length
    return tokens if limit is None else min(tokens, limit)


def cut_rows(
    config: RunConfig, data: RunData, sample: Sample | None, processor: ProcessorMixin | None
) -> list[str]:
    """Sentences on how many of the sampled rows `data.max_length` cuts; none without it.

    TRL keeps the start of a row, where prompt and images are, and cuts the end of the answer. The
    sample holds the rows with the largest images and the longest texts.

    Raises:
        DataError: A row's prompt alone is longer, so image tokens or the whole answer would go.
    """
    limit = config.data.max_length
    if limit is None:
        return []
    if sample is None or processor is None:
        return ["Without the model's processor it is not known which rows the maximum length cuts."]
    for number, tokens in sample.tokens.items():
        prompt = prompt_tokens(data.train.dataset[number], processor) if tokens > limit else 0
        if prompt >= limit:
            raise DataError(
                f"Row {number + 1} has {prompt:,} tokens before its answer, images included: cut at "
                f"{limit:,} it would lose image tokens or all of its answer.",
                remedy=f"Empty it, set it above {max(sample.tokens.values()):,}, or lower "
                "model.image.longest_edge.",
                field=FIELD,
            )
    cut = sum(tokens > limit for tokens in sample.spread)
    if not cut and max(sample.tokens.values()) <= limit:
        return []
    share = cut / len(sample.spread)
    return [
        f"The maximum length cuts the answers of about {share:.0%} of the rows "
        f"({cut} of {len(sample.spread)} sampled; the longest has "
        f"{max(sample.tokens.values()):,} tokens). They never learn to end."
    ]


def prompt_tokens(row: dict[str, Any], processor: ProcessorMixin) -> int:
    """Tokens of a row up to its answer, image tokens included."""
    messages = prepare_multimodal_messages(row["prompt"], images=list(row.get("images") or []))
    encoded = processor.apply_chat_template(
        messages, tokenize=True, return_dict=True, add_generation_prompt=True
    )
    ids = encoded["input_ids"]
    return len(ids[0]) if isinstance(ids[0], list) else len(ids)
