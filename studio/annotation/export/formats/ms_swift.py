"""ms-swift: `messages` whose last turn is the better answer, and `rejected_response`.

https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.annotation.export.export_contents import Contents, ExportFormat, Images
from studio.annotation.export.format_losses import CONVERSATION
from studio.annotation.export.tagged_text import (
    copy_images,
    image_name,
    refuse_tags,
    write_lines,
)
from studio.data.image_tags import tagged
from studio.data.schema import VERDICT, Message, Row


def write(contents: Contents, images: Images, folder: Path) -> None:
    """Write `<shape>.jsonl` with the images beside it."""
    records = (_record(row, images, contents.shape) for row in contents.rows)
    write_lines(folder / f"{contents.shape}.jsonl", records)
    copy_images(contents.rows, images, folder)


def _record(row: Row, images: Images, shape: str) -> dict[str, Any]:
    answer = row.chosen or row.completion
    messages = [_turn(message) for message in row.prompt]
    messages.append({"role": "assistant", "content": answer.text if answer else ""})
    record: dict[str, Any] = {"messages": messages}
    if row.rejected is not None:
        record["rejected_response"] = row.rejected.text
    elif shape == "verdicts":
        record["label"] = row.meta[VERDICT] == "good"
    return record | {"images": [image_name(images, sha) for sha in row.images]}


def _turn(message: Message) -> dict[str, Any]:
    weight = {} if message.scored else {"loss": False}
    return {"role": message.role, "content": tagged(message), **weight}


OPENING = """In this folder: `swift rlhf --rlhf_type dpo --dataset preferences.jsonl …` for preferences,
`--rlhf_type kto` with `verdicts.jsonl`, `swift sft --dataset completions.jsonl …` for best answers.
Image paths count from the folder the command runs in.
"""

FORMAT = ExportFormat(
    title="ms-swift",
    line="JSON Lines with images: messages and rejected_response, or label",
    write=write,
    opening=OPENING,
    holds=CONVERSATION | {"weights"},
    shapes=("preferences", "completions", "verdicts"),
    refuses=refuse_tags,
)
