"""The formats known by name, and one record → one row."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from studio.core.errors import DataError
from studio.data.conversation import (
    Conversation,
    check_text,
    flaw,
    is_scored,
    is_turns,
    place_images,
    read_answer,
    read_conversation,
    until_scored,
)
from studio.data.schema import Answer, Message, Part, Row, plain_row

DEFAULT_QUESTION = "Describe this image."
KNOWN = (
    ("ChartQA questions and answers", {"image", "query", "label"}),
    ("RLAIF-V preferences", {"ds_name", "question", "chosen", "rejected"}),
    ("VQAv2 questions and answers", {"question", "multiple_choice_answer"}),
    ("Geoperception questions and answers", {"question", "answer", "predicate"}),
)
MAX_ID = 500
MAX_META_TEXT = 2_000


def describe(columns: Sequence[str], mapping: Mapping[str, str], sample: Mapping | None) -> str:
    """Say in a few words what the rows are: "LLaMA-Factory / ShareGPT preferences"."""
    sample = sample or {}
    for name, needed in KNOWN:
        if needed <= set(columns) and "conversation" not in mapping:
            return name
    what = _what(mapping)
    if "conversation" in mapping:
        turns = sample.get(mapping["conversation"])
        sharegpt = is_turns(turns) and (
            "from" in turns[0] or "<image>" in json.dumps(turns, default=str)
        )
        return f"LLaMA-Factory / ShareGPT {what}" if sharegpt else f"TRL messages: {what}"
    if is_turns(sample.get(mapping.get("question", ""))) or is_turns(
        sample.get(mapping.get("chosen", ""))
    ):
        return f"TRL conversational {what}"
    return what[0].upper() + what[1:]


def check_mapping(columns: Sequence[str], mapping: Mapping[str, str]) -> None:
    """Refuse rows that have neither a question nor an image. Raises DataError."""
    if {"chosen", "rejected"} & set(mapping) and not {"chosen", "rejected"} <= set(mapping):
        missing = "rejected" if "chosen" in mapping else "chosen"
        raise DataError(
            f"No column holds the {missing} answers.",
            remedy=f"Map it; the columns are: {', '.join(columns)}.",
            field=f"data.columns.{missing}",
        )
    if not {"question", "conversation", "image", "chosen"} & set(mapping):
        raise DataError(
            "No column was recognised as the question or the image.",
            remedy=f"Map them; the columns are: {', '.join(columns) or 'none'}.",
            field="data.columns.question",
        )


class RowMaker:
    """Turns records into rows under one mapping.

    Args:
        mapping: Role → column.
        keep_image: Stores one raw image value and returns its sha256; raises DataError.
    """

    def __init__(self, mapping: Mapping[str, str], keep_image: Callable[[object], str]) -> None:
        self._mapping = mapping
        self._keep_image = keep_image
        self._seen: dict[str, int] = {}

    def row(self, values: Mapping[str, object]) -> Row:
        """Make the row of one record. Raises DataError with the reason when it cannot be used."""
        conversation, completion, scored = self._conversation(values)
        images = self._images(values) or conversation.images
        prompt = place_images(conversation.messages, len(images))
        chosen, rejected = self._answer(values, "chosen"), self._answer(values, "rejected")
        if completion is None:
            completion, scored = self._answer(values, "answer"), self._scored(values)
        if completion is not None and not scored:
            prompt, text = until_scored(prompt, completion.text, scored, "weight")
            completion = replace(completion, text=text)
            images = images[
                : sum(part.type == "image" for message in prompt for part in message.parts)
            ]
        row = Row(
            external_id="",
            images=tuple(self._keep_image(image) for image in images),
            prompt=prompt,
            completion=completion,
            chosen=chosen,
            rejected=rejected,
            candidates=self._candidates(values),
            meta=self._meta(values),
        )
        return self._identified(row, self._value(values, "id"))

    def _value(self, values: Mapping[str, object], role: str) -> object:
        return values.get(self._mapping.get(role, ""))

    def _scored(self, values: Mapping[str, object]) -> bool:
        """Whether the answer in a column of its own is to be learned."""
        value = self._value(values, "answer")
        turn = value[-1] if is_turns(value) else value
        return not isinstance(turn, dict) or is_scored(turn, self._mapping["answer"])

    def _conversation(
        self, values: Mapping[str, object]
    ) -> tuple[Conversation, Answer | None, bool]:
        """Messages up to the last answer, that answer, and whether it is to be learned."""
        column = self._mapping.get("conversation") or self._mapping.get("question")
        if column:
            read = read_conversation(values.get(column), column)
        elif is_turns(turns := self._value(values, "chosen")) and len(turns) > 1:
            read = read_conversation(turns, "chosen")
            read = Conversation(read.messages[:-1], read.images)
        else:
            read = read_conversation(DEFAULT_QUESTION, "question")
        messages = read.messages
        completion, scored = None, True
        if messages[-1].role == "assistant":
            text, scored = read_answer(messages[-1].text, column or "question"), messages[-1].scored
            messages, completion = messages[:-1], Answer(text)
        if not any(message.role == "user" for message in messages):
            raise DataError("the conversation has no user turn.", field=column or "question")
        system = self._value(values, "system")
        if system and messages[0].role != "system":
            text = check_text(str(system), "system")
            messages = (Message("system", (Part("text", text),)), *messages)
        return Conversation(messages, read.images), completion, scored

    def _images(self, values: Mapping[str, object]) -> tuple[object, ...]:
        column = self._mapping.get("image")
        if column is None:
            return ()
        value = values.get(column)
        if isinstance(value, (list, tuple)):
            return tuple(value)
        if value in (None, "", b""):
            if column.lower() == "images":
                return ()
            raise DataError("the image is missing.", field=column)
        return (value,)

    def _answer(self, values: Mapping[str, object], role: str) -> Answer | None:
        column = self._mapping.get(role)
        value = values.get(column) if column else None
        if column is None or (role == "answer" and value in (None, "", [])):
            return None
        author = str(self._value(values, f"{role}_author") or "")
        return Answer(read_answer(value, column), check_text(author, f"{role}_author"))

    def _candidates(self, values: Mapping[str, object]) -> tuple[Answer, ...]:
        value = self._value(values, "candidates")
        if isinstance(value, dict):
            value = [{"text": text, "author": author} for author, text in value.items()]
        answers = []
        for part in value if isinstance(value, list) else []:
            author = part.get("author") or part.get("model") if isinstance(part, dict) else ""
            author = check_text(str(author or ""), "candidates")
            answers.append(Answer(read_answer(part, "candidates"), author))
        return tuple(answers)

    def _meta(self, values: Mapping[str, object]) -> dict[str, object]:
        used = set(self._mapping.values())
        rest = {k: v for k, v in values.items() if k not in used and _is_plain(k) and _is_plain(v)}
        packed = rest.get("meta")
        if isinstance(packed, str) and self._mapping.get("id") == "id":
            rest = {k: v for k, v in rest.items() if k != "meta"} | _packed(packed)
        return rest

    def _identified(self, row: Row, given: object) -> Row:
        """The row under its own id, else one made of its contents; repeats are numbered."""
        identity = check_text(str(given)[:MAX_ID], "id") if given not in (None, "") else ""
        if not identity:
            content = json.dumps({**plain_row(row), "meta": None}, sort_keys=True)
            identity = hashlib.sha256(content.encode()).hexdigest()[:16]
        self._seen[identity] = self._seen.get(identity, 0) + 1
        if self._seen[identity] > 1:
            identity = f"{identity[: MAX_ID - 10]}#{self._seen[identity]}"
        return Row(**{**row.__dict__, "external_id": identity})


def _what(mapping: Mapping[str, str]) -> str:
    if "chosen" in mapping:
        return "preferences"
    if "candidates" in mapping:
        return "questions with candidate answers"
    if "conversation" in mapping:
        return "conversations"
    if "answer" in mapping:
        return "questions and answers" if "question" in mapping else "images with captions"
    return "questions without answers" if "question" in mapping else "images without answers"


def _is_plain(value: object) -> bool:
    """Whether a value can be kept beside a row: as JSON that every database and browser reads."""
    if isinstance(value, str):
        return len(value) <= MAX_META_TEXT and not flaw(value)
    if isinstance(value, (list, tuple)):
        return len(value) <= 50 and all(_is_plain(part) for part in value)
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _packed(text: str) -> dict[str, object]:
    """The `meta` column of an export, or the text itself when it is something else."""
    try:
        meta = json.loads(text)
    except ValueError:
        return {"meta": text}
    return meta if isinstance(meta, dict) else {"meta": text}
