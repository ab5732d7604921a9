"""Argilla 2: the folder that `rg.Dataset.from_disk` opens, records as `records.to_json` has them.

https://docs.argilla.io/latest/reference/argilla/records/records/
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.annotation.export.export_contents import (
    Contents,
    ExportFormat,
    Images,
    JudgedPair,
    beside,
    source_meta,
)
from studio.annotation.export.format_losses import ALL_OF_LABELS, ALL_OF_ROWS
from studio.annotation.export.tagged_text import (
    copy_images,
    image_columns,
    image_name,
    turns_of,
    write_list,
)
from studio.annotation.records import ABSTENTIONS
from studio.core.paths import write_json

CONFIG = ".argilla"
ANSWERS = ("response1", "response2")
CHOICES = {
    "response1": "The first",
    "response2": "The second",
    "tie": "Equal",
    "both_good": "Both good",
    "both_bad": "Both bad",
}
IN_ASPECT = {"first_answer": "The first", "second_answer": "The second", "alike": "Alike"}
"""Not the words of a choice between the two, so that no reader takes them for one."""
STRENGTHS = {"slightly": "Slightly", "clearly": "Clearly"}
TEXTS = ("reason", "comment", "edit", "ideal")
AGENT = "vlm-studio"
PEOPLE = uuid.uuid5(uuid.NAMESPACE_URL, "https://argilla.io/users")
"""Argilla names people by a UUID: the same name has the same one in every export."""


def write(contents: Contents, images: Images, folder: Path) -> None:
    """Write `records.json`, `.argilla/` with dataset and settings, and the images."""
    pictures = image_columns(contents.rows)
    aspects = {
        name: f"aspect_{number}_{_slug(name)}" for number, name in enumerate(_aspects(contents), 1)
    }
    write_list(
        folder / "records.json",
        (_record(pair, images, pictures, aspects) for pair in contents.pairs),
    )
    (folder / CONFIG).mkdir()
    write_json(folder / CONFIG / "dataset.json", {"name": contents.name})
    write_json(folder / CONFIG / "settings.json", _settings(pictures, aspects))
    copy_images(contents.rows, images, folder)


def _record(
    pair: JudgedPair, images: Images, pictures: Sequence[str], aspects: Mapping[str, str]
) -> dict[str, Any]:
    row = pair.row
    fields: dict[str, Any] = {
        name: image_name(images, sha) for name, sha in zip(pictures, row.images, strict=False)
    }
    fields["prompt"] = turns_of(row)
    fields |= {name: one.text for name, one in zip(ANSWERS, pair.answers, strict=True)}
    suggestions = {}
    if pair.preferred is not None:
        best = ANSWERS[pair.preferred]
        suggestions["preference"] = {"value": best, "score": None, "agent": AGENT}
    return {
        "id": row.external_id,
        "fields": fields,
        "metadata": _metadata(pair),
        "suggestions": suggestions,
        "responses": _responses(pair, aspects),
        "vectors": {},
        "status": "completed" if pair.said else "pending",
        "_server_id": None,
    }


def _metadata(pair: JudgedPair) -> dict[str, Any]:
    """Argilla's values: texts, numbers and lists of texts; other ones as JSON."""
    row, answered = pair.row, _answered(pair)
    known: dict[str, Any] = {
        f"{name}_author": one.author
        for name, one in zip(ANSWERS, pair.answers, strict=True)
        if one.author
    }
    if row.meta.get("votes"):
        known["votes"] = row.meta["votes"]
    if answered:
        known["annotators"] = [said["annotator"] for said in answered]
        known["answered_at"] = [said["at"] for said in answered]
    columns = {name: _metadata_value(value) for name, value in source_meta(row).items()}
    return beside(columns, known)


def _metadata_value(value: object) -> object:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _responses(pair: JudgedPair, aspects: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    given: dict[str, list[dict[str, str]]] = {}

    def add(question: str, value: str, said: Mapping[str, Any]) -> None:
        user = str(uuid.uuid5(PEOPLE, said["annotator"]))
        entry = {"value": value, "user_id": user, "status": "submitted"}
        given.setdefault(question, []).append(entry)

    for said in _answered(pair):
        add("preference", _choice(said), said)
        for name in ("strength", *TEXTS):
            if said[name]:
                add(name, said[name], said)
        for aspect, best in said["aspects"].items():
            add(aspects[aspect], "alike" if best == "both" else list(IN_ASPECT)[best], said)
    return given


def _choice(said: Mapping[str, Any]) -> str:
    return ANSWERS[said["preferred"]] if said["kind"] == "choose" else said["kind"]


def _answered(pair: JudgedPair) -> list[dict[str, Any]]:
    return [said for said in pair.said if said["kind"] not in ABSTENTIONS]


def _settings(pictures: Sequence[str], aspects: Mapping[str, str]) -> dict[str, Any]:
    fields = [_field(name, "image", required=False) for name in pictures]
    fields += [_field("prompt", "chat", use_markdown=False)]
    fields += [_field(name, "text", use_markdown=False) for name in ANSWERS]
    questions = [_labels("preference", "Which answer is better?", CHOICES, required=True)]
    questions += [_labels("strength", "By how much?", STRENGTHS)]
    questions += [_labels(name, aspect, IN_ASPECT) for aspect, name in aspects.items()]
    questions += [_question(name, name.capitalize(), {"type": "text"}) for name in TEXTS]
    return {
        "guidelines": None,
        "questions": questions,
        "fields": fields,
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": True,
    }


def _field(name: str, kind: str, *, required: bool = True, **more: object) -> dict[str, Any]:
    settings = {"type": kind, **more}
    return {"name": name, "title": name, "required": required, "settings": settings}


def _labels(
    name: str, title: str, choices: Mapping[str, str], *, required: bool = False
) -> dict[str, Any]:
    options = [{"value": value, "text": text} for value, text in choices.items()]
    settings = {"type": "label_selection", "options": options}
    return _question(name, title, settings, required=required)


def _question(
    name: str, title: str, settings: dict[str, Any], *, required: bool = False
) -> dict[str, Any]:
    return {"name": name, "title": title, "required": required, "settings": settings}


def _aspects(contents: Contents) -> list[str]:
    return sorted({aspect for said in contents.records for aspect in said["aspects"]})


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "aspect"


OPENING = """In this folder, with a client of your server:

```python
import argilla as rg

rg.Dataset.from_disk(".", workspace="…", client=rg.Argilla(api_url="…", api_key="…"))
```

Argilla takes labels only of its own users: `user_id` is a UUID made of the name, and the names are
in `metadata.annotators`. Make users with these ids first, or put the ids of yours in their place.
"""

FORMAT = ExportFormat(
    title="Argilla",
    line="records.json with everybody's labels, opened by rg.Dataset.from_disk",
    write=write,
    opening=OPENING,
    holds=(ALL_OF_ROWS | ALL_OF_LABELS)
    - {"weights", "skips", "marks", "flagged", "seconds", "sides", "guideline", "authors_seen"},
    shapes=("preferences", "answers"),
    version="2",
)
