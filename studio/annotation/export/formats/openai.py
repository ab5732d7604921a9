"""OpenAI's fine-tuning files, which Fireworks and Together read too; images are in the lines.

https://platform.openai.com/docs/guides/direct-preference-optimization
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from studio.annotation.export.export_contents import Contents, ExportFormat, Images
from studio.annotation.export.format_losses import CONVERSATION
from studio.annotation.export.tagged_text import write_lines
from studio.data.schema import Answer, Message, Row

TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
MOST_IMAGES = 10
LARGEST_IMAGE = 10 * 1024 * 1024
LARGEST_ROW = 20 * 1024 * 1024
"""Bytes of all images of a row: in base64 its line stays below what the studio itself reads."""


def write(contents: Contents, images: Images, folder: Path) -> None:
    """Write `<shape>.jsonl`, each image as a data URL in its turn."""
    records = (_record(row, images) for row in contents.rows)
    write_lines(folder / f"{contents.shape}.jsonl", records)


def refuses(row: Row, images: Images) -> str:
    """Refuse rows whose images the fine-tuning of OpenAI does not take."""
    paths = [images.path(sha) for sha in row.images]
    if any(path.suffix.lower() not in TYPES for path in paths):
        return "image_type"
    sizes = [path.stat().st_size for path in paths]
    if len(sizes) > MOST_IMAGES or max(sizes, default=0) > LARGEST_IMAGE:
        return "image_size"
    return "image_size" if sum(sizes) > LARGEST_ROW else ""


def _record(row: Row, images: Images) -> dict[str, Any]:
    urls = iter([_data_url(images.path(sha)) for sha in row.images])
    messages = [_turn(message, urls) for message in row.prompt]
    if row.chosen is not None and row.rejected is not None:
        return {
            "input": {"messages": messages},
            "preferred_output": [_answer(row.chosen)],
            "non_preferred_output": [_answer(row.rejected)],
        }
    return {"messages": [*messages, *([_answer(row.completion)] if row.completion else [])]}


def _turn(message: Message, urls: Any) -> dict[str, Any]:
    weight = {} if message.scored else {"weight": 0}
    if all(part.type == "text" for part in message.parts):
        return {"role": message.role, "content": message.text, **weight}
    content = [
        {"type": "text", "text": part.text}
        if part.type == "text"
        else {"type": "image_url", "image_url": {"url": next(urls)}}
        for part in message.parts
    ]
    return {"role": message.role, "content": content, **weight}


def _answer(answer: Answer) -> dict[str, str]:
    return {"role": "assistant", "content": answer.text}


def _data_url(path: Path) -> str:
    encoded = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{TYPES[path.suffix.lower()]};base64,{encoded}"


OPENING = """Upload the file with the purpose `fine-tune`. OpenAI itself takes images only in best answers
(supervised fine-tuning), not in preferences; Fireworks and Together say which models take them.
"""

FORMAT = ExportFormat(
    title="OpenAI fine-tuning",
    line="JSON Lines, images inside; also for Fireworks and Together",
    write=write,
    opening=OPENING,
    holds=CONVERSATION | {"weights"},
    refuses=refuses,
)
