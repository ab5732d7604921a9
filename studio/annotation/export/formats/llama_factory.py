"""LLaMA-Factory: ShareGPT conversations with `chosen` and `rejected`, and `dataset_info.json`.

https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md
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
    write_list,
)
from studio.core.paths import write_json
from studio.data.image_tags import tagged
from studio.data.schema import VERDICT, Row

SPEAKERS = {"user": "human", "assistant": "gpt", "system": "system"}


def write(contents: Contents, images: Images, folder: Path) -> None:
    """Write `<shape>.json`, its entry for `dataset_info.json`, and the images beside them."""
    file = f"{contents.shape}.json"
    write_list(folder / file, (_record(row, images, contents.shape) for row in contents.rows))
    write_json(folder / "dataset_info.json", {contents.name: _description(contents, file)})
    copy_images(contents.rows, images, folder)


def _record(row: Row, images: Images, shape: str) -> dict[str, Any]:
    system, prompt = "", row.prompt
    if prompt[0].role == "system":
        system, prompt = tagged(prompt[0]), prompt[1:]
    turns = [{"from": SPEAKERS[turn.role], "value": tagged(turn)} for turn in prompt]
    record: dict[str, Any] = {"conversations": turns}
    if row.chosen is not None and row.rejected is not None:
        record["chosen"] = {"from": "gpt", "value": row.chosen.text}
        record["rejected"] = {"from": "gpt", "value": row.rejected.text}
    elif row.completion is not None:
        turns.append({"from": "gpt", "value": row.completion.text})
    if shape == "verdicts":
        record["kto_tag"] = row.meta[VERDICT] == "good"
    record["images"] = [image_name(images, sha) for sha in row.images]
    return record | {"system": system}


def _description(contents: Contents, file: str) -> dict[str, Any]:
    columns = {"messages": "conversations", "images": "images", "system": "system"}
    described: dict[str, Any] = {"file_name": file, "formatting": "sharegpt"}
    if contents.shape == "preferences":
        described["ranking"] = True
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    elif contents.shape == "verdicts":
        columns["kto_tag"] = "kto_tag"
    return described | {"columns": columns}


OPENING = """Train with `dataset_dir` naming this folder and `dataset` the name in `dataset_info.json`.
"""

FORMAT = ExportFormat(
    title="LLaMA-Factory",
    line="ShareGPT JSON with images, and its dataset_info.json",
    write=write,
    opening=OPENING,
    holds=CONVERSATION,
    shapes=("preferences", "completions", "verdicts"),
    refuses=refuse_tags,
)
