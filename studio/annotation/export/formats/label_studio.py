"""Label Studio: tasks with everybody's annotations, and the labeling interface that shows them.

https://labelstud.io/guide/task_format, https://labelstud.io/tags/pairwise
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from studio.annotation.export.export_contents import (
    Contents,
    ExportFormat,
    Images,
    JudgedPair,
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

TASKS, INTERFACE = "tasks.json", "labeling-interface.xml"
LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves the files below `LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`."""
ANSWERS = ("response1", "response2")
SIDES = ("left", "right")
BOTH = ",".join(ANSWERS)
IN_ASPECT = ("first answer", "second answer", "alike")
"""Not the words of a choice between the two, so that no reader takes them for one."""
NEITHER = ("tie", "both_good", "both_bad", "unsure")
STRENGTHS = ("slightly", "clearly")
TEXTS = ("reason", "comment", "edit", "ideal")
MODEL = "vlm-studio"


def write(contents: Contents, images: Images, folder: Path) -> None:
    """Write `tasks.json`, `labeling-interface.xml` and the images."""
    aspects = sorted({aspect for said in contents.records for aspect in said["aspects"]})
    named = {aspect: f"aspect{number}" for number, aspect in enumerate(aspects, 1)}
    people = sorted({said["annotator"] for said in contents.records})
    numbers = {name: number for number, name in enumerate(people, 1)}
    # Each task has every key that the interface shows; Label Studio refuses it otherwise.
    empty = dict.fromkeys(image_columns(contents.rows), "")
    talks = _has_talk(contents)
    tasks = (
        _task(number, pair, _data(pair, images, empty, talks), named, numbers)
        for number, pair in enumerate(contents.pairs, 1)
    )
    write_list(folder / TASKS, tasks)
    (folder / INTERFACE).write_text(interface(contents, named), encoding="utf-8")
    copy_images(contents.rows, images, folder)


def _task(
    number: int,
    pair: JudgedPair,
    data: dict[str, Any],
    aspects: Mapping[str, str],
    people: Mapping[str, int],
) -> dict[str, Any]:
    made = []
    if pair.preferred is not None:
        made = [{"model_version": MODEL, "result": [_chosen(pair.preferred)]}]
    return {
        "id": number,
        "data": data,
        "meta": source_meta(pair.row),
        "annotations": [_annotation(said, aspects, people) for said in pair.said],
        "predictions": made,
    }


def _data(
    pair: JudgedPair, images: Images, empty: Mapping[str, str], talks: bool
) -> dict[str, Any]:
    row = pair.row
    shown: dict[str, Any] = {**empty} | {
        name: LOCAL_FILES + quote(image_name(images, sha))
        for name, sha in zip(empty, row.images, strict=False)
    }
    turns = turns_of(row)
    shown |= {"prompt": turns[-1]["content"]}
    if talks:
        shown["messages"] = turns
    shown |= {name: one.text for name, one in zip(ANSWERS, pair.answers, strict=True)}
    shown["row"] = row.external_id
    for name, one in zip(ANSWERS, pair.answers, strict=True):
        if one.author:
            shown[f"{name}_author"] = one.author
    if row.meta.get("votes"):
        shown["votes"] = row.meta["votes"]
    return shown


def _annotation(
    said: Mapping[str, Any], aspects: Mapping[str, str], people: Mapping[str, int]
) -> dict[str, Any]:
    name = said["annotator"]
    return {
        "completed_by": {"id": people[name], "email": name},
        "created_at": said["at"],
        "lead_time": said["seconds"],
        "was_cancelled": said["kind"] in ABSTENTIONS,
        "result": list(_results(said, aspects)),
    }


def _results(said: Mapping[str, Any], aspects: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    if said["kind"] == "choose":
        yield _chosen(said["preferred"])
    elif said["kind"] != "skip":
        yield _choice("tie", said["kind"])
    if said["strength"]:
        yield _choice("strength", said["strength"])
    for aspect, best in said["aspects"].items():
        yield _choice(aspects[aspect], IN_ASPECT[2 if best == "both" else best])
    for name in TEXTS:
        if said[name]:
            yield _result(name, "prompt", "textarea", {"text": [said[name]]})
    for mark in said["marks"]:
        place = {"start": mark["start"], "end": mark["end"], "text": mark["text"]}
        name = ANSWERS[mark["answer"]]
        yield _result(f"marks_{name}", name, "labels", {**place, "labels": ["wrong"]})


def _chosen(place: int) -> dict[str, Any]:
    return _result("preference", BOTH, "pairwise", {"selected": SIDES[place]})


def _choice(name: str, value: str) -> dict[str, Any]:
    return _result(name, "prompt", "choices", {"choices": [value]})


def _result(name: str, shown: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"from_name": name, "to_name": shown, "type": kind, "value": value}


def interface(contents: Contents, aspects: Mapping[str, str]) -> str:
    """Write the labeling interface for what the tasks hold."""
    lines = ["<View>"]
    for name in image_columns(contents.rows):
        lines.append(f'  <Image name="{name}" value="${name}"/>')
    if _has_talk(contents):
        lines.append(
            '  <Paragraphs name="messages" value="$messages" layout="dialogue"'
            ' nameKey="role" textKey="content"/>'
        )
    lines.append('  <Text name="prompt" value="$prompt"/>')
    lines.append('  <Header value="Which answer is better?"/>')
    lines.append(
        f'  <Pairwise name="preference" toName="{BOTH}"'
        f' leftClass="{ANSWERS[0]}" rightClass="{ANSWERS[1]}"/>'
    )
    for name in ANSWERS:
        lines.append(f'  <Text name="{name}" value="${name}"/>')
        lines.append(
            f'  <Labels name="marks_{name}" toName="{name}"><Label value="wrong"/></Labels>'
        )
    lines += _choices("tie", "Neither is better", NEITHER)
    lines += _choices("strength", "By how much", STRENGTHS)
    for aspect, name in aspects.items():
        lines += _choices(name, aspect, IN_ASPECT)
    for name in TEXTS:
        lines.append(f'  <TextArea name="{name}" toName="prompt" placeholder="{name}"/>')
    return "\n".join([*lines, "</View>", ""])


def _choices(name: str, title: str, values: tuple[str, ...]) -> list[str]:
    inside = "".join(f"<Choice value={quoteattr(value)}/>" for value in values)
    return [
        f"  <Header value={quoteattr(title)}/>",
        f'  <Choices name="{name}" toName="prompt" choice="single">{inside}</Choices>',
    ]


def _has_talk(contents: Contents) -> bool:
    return any(len(row.prompt) > 1 for row in contents.rows)


OPENING = """Start Label Studio with `LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true` and
`LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT` naming this folder, make a project with the labeling
interface of `labeling-interface.xml`, add `images` as a source storage of local files (without
syncing it), and import `tasks.json`.

Label Studio takes labels only of its members, known by `completed_by.email`: invite them first, or
start it with `ALLOW_IMPORT_TASKS_WITH_UNKNOWN_EMAILS=true`, and they are yours.
"""

FORMAT = ExportFormat(
    title="Label Studio",
    line="tasks.json with everybody's labels, and a labeling interface",
    write=write,
    opening=OPENING,
    holds=(ALL_OF_ROWS | ALL_OF_LABELS)
    - {"weights", "flagged", "sides", "guideline", "authors_seen"},
    shapes=("preferences", "answers"),
    version="1",
)
