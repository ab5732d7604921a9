"""One record, its values known by their roles → rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from studio.core.errors import DataError
from studio.data.columns import (
    AUTHOR_KEYS,
    LETTERS,
    RANK_KEYS,
    SCORE_KEYS,
    is_pending,
    read_verdict,
    read_winner,
    structured,
)
from studio.data.conversation import (
    Conversation,
    alternatives,
    as_turns,
    check_text,
    is_scored,
    is_turns,
    number_text,
    read_answer,
    read_conversation,
    until_scored,
)
from studio.data.image_tags import OTHER_MEDIA, fill_objects, place_images
from studio.data.record_fields import is_missing
from studio.data.schema import (
    ACCEPTED,
    VERDICT,
    Answer,
    GivenLabel,
    Message,
    Part,
    Row,
    plain_row,
)

DEFAULT_QUESTION = "Describe this image."
LANGUAGE = re.compile("[a-z]{2}(?:[-_][A-Za-z]{2,4})?")
MAX_ID = 500
REASONING = "reasoning"
UNJUDGED = object()
"""A verdict that is missing where other rows have one: the answer is one to be judged."""
Roles = Mapping[str, Any]
"""What a record says: `question`, `image`, `chosen` … → the raw value."""


@dataclass(frozen=True)
class RecordRoles:
    """The values of one record by their roles.

    Attributes:
        names: Role → the column it came from, for reasons.
        meta: What is kept beside the row, as plain JSON values.
        sides: Names of the two columns that `winner` chooses from.
        zero_based: Numbers of `winner` count from 0.
        choices_from_one: Numbers of choices count from 1.
    """

    values: Roles
    names: Mapping[str, str] = field(default_factory=dict)
    meta: dict[str, object] = field(default_factory=dict)
    sides: tuple[str, str] = ("1", "2")
    zero_based: bool = False
    choices_from_one: bool = False


class RowMaker:
    """Makes rows of records; numbers those that have the id of another.

    Args:
        keep_image: Stores one raw image value and returns its sha256; raises DataError.
        default_question: What rows with an image and an answer ask that have no question.
    """

    def __init__(
        self, keep_image: Callable[[object], str], default_question: str = DEFAULT_QUESTION
    ) -> None:
        self._keep_image, self._default = keep_image, default_question
        self._seen: dict[str, int] = {}

    def rows(self, record: RecordRoles) -> list[Row]:
        """Make the rows of one record. Raises DataError with the reason when it is of no use."""
        several = list(_expanded(record.values))
        rows = []
        for number, values in enumerate(several, 1):
            given = values.get("id")
            if len(several) > 1 and not is_missing(given):
                given = f"{str(given)[: MAX_ID - 10]}/{number}"
            identity = "" if is_missing(given) else check_text(number_text(given)[:MAX_ID], "id")
            parts = _RowParts(values, record, self._default)
            if identity:
                rows.append(parts.row(self._keep_image, self._numbered(identity)))
                continue
            row = parts.row(self._keep_image, "")
            content = json.dumps({**plain_row(_unsided(row)), "meta": None}, sort_keys=True)
            identity = hashlib.sha256(content.encode()).hexdigest()[:16]
            rows.append(replace(row, external_id=self._numbered(identity)))
        return rows

    def _numbered(self, identity: str) -> str:
        """The id, with a number where other rows have it."""
        self._seen[identity] = self._seen.get(identity, 0) + 1
        if self._seen[identity] == 1:
            return identity
        return f"{identity[: MAX_ID - 10]}#{self._seen[identity]}"


def _unsided(row: Row) -> Row:
    """A row without what people said of its answers: each of them writes the same row."""
    if not row.labels:
        return row
    sides = tuple(sorted(row.labels[0].sides, key=lambda side: (side.text, side.author)))
    return replace(row, chosen=None, rejected=None, candidates=sides)


def _expanded(values: Roles) -> Iterator[Roles]:
    """One record as the rows it holds: lists of chosen and rejected answers are pairs."""
    chosen, rejected = (_several(values.get(role)) for role in ("chosen", "rejected"))
    if rejected is None or (chosen is None and len(rejected) == 1):
        yield values
        return
    if chosen is None:
        chosen = [values.get("chosen")] * len(rejected)
    if len(chosen) == 1:
        chosen = chosen * len(rejected)
    if len(chosen) != len(rejected):
        # Phrasings of both sides: which belongs to which is not told, so each is used once.
        rejected = [
            rejected[number % len(rejected)] for number in range(max(len(chosen), len(rejected)))
        ]
        chosen = [chosen[number % len(chosen)] for number in range(len(rejected))]
    for better, worse in zip(chosen, rejected, strict=True):
        given = {} if better is None else {"chosen": better}
        yield {**values, **given, "rejected": worse}


def _several(value: Any) -> list[Any] | None:
    """The answers in a list of them; None for a single one, or turns."""
    if isinstance(value, (list, tuple)) and as_turns(value) is None:
        return [part for part in value if not is_missing(part)] or None
    return None


class _RowParts:
    """Reads the parts of one row."""

    def __init__(self, values: Roles, record: RecordRoles, default_question: str) -> None:
        self._values, self._record, self._default = values, record, default_question
        self._meta = record.meta.copy()
        self._labels: tuple[GivenLabel, ...] = ()

    def row(self, keep_image: Callable[[object], str], identity: str) -> Row:
        """Put the row together. Raises DataError."""
        if "video" in self._values:
            raise DataError("it is about a video or a sound; only images are read.", field="video")
        if "rejected_image" in self._values:
            raise DataError(
                "its rejected answer is about other images; a pair here has one set of images.",
                field=self._name("rejected_image"),
            )
        read, completion, scored = self._conversation()
        prompt, images = place_images(read.messages, self._images() or read.images)
        marked = any("<" in part.text for message in prompt for part in message.parts)
        if marked:
            _check_media(prompt)
        if completion is None:
            completion, scored = self._answer(), self._is_scored()
        if completion is not None and not scored:
            prompt, text = until_scored(prompt, completion.text, scored, "weight")
            completion = replace(completion, text=text)
            images = images[: sum(p.type == "image" for m in prompt for p in m.parts)]
        if read.reasoning:
            self._meta[REASONING] = list(read.reasoning)
        chosen, rejected, candidates = self._preference(completion)
        if chosen is not None and rejected is not None:
            completion = None if chosen == completion else completion
        completion, candidates = self._judged(completion, candidates)
        if marked or "objects" in self._values:
            prompt, completion = self._objects_filled(prompt, completion)
        self._check_same_question(read)
        return Row(
            external_id=identity,
            images=tuple(keep_image(image) for image in images),
            prompt=prompt,
            completion=completion,
            chosen=chosen,
            rejected=rejected,
            candidates=candidates,
            meta=self._meta,
            labels=self._labels,
        )

    def _name(self, role: str) -> str:
        return self._record.names.get(role, role)

    def _conversation(self) -> tuple[Conversation, Answer | None, bool]:
        """Messages up to the last answer, that answer, and whether it is to be learned."""
        read = self._prompt()
        messages = read.messages
        completion, scored = None, True
        if messages[-1].role == "assistant":
            text = read_answer(messages[-1].text, self._name("conversation"))
            scored = messages[-1].scored
            messages, completion = messages[:-1], Answer(text, self._author("answer"))
        if not any(message.role == "user" for message in messages):
            raise DataError("the conversation has no user turn.", field=self._name("question"))
        system = self._values.get("system")
        if system and messages[0].role != "system":
            text = check_text(str(system), "system")
            messages = (Message("system", (Part("text", text),)), *messages)
        return Conversation(messages, read.images, read.reasoning), completion, scored

    def _prompt(self) -> Conversation:
        values = self._values
        role = "conversation" if "conversation" in values else "question"
        read = self._asked(role) if role in values else self._asked_in_answers()
        if "history" in values:
            history = as_turns(structured(values["history"])) or []
            before = read_conversation(history, self._name("history"))
            messages = (*before.messages, *read.messages)
            read = Conversation(messages, (*before.images, *read.images), read.reasoning)
        return read

    def _asked(self, role: str) -> Conversation:
        value, name = self._values[role], self._name(role)
        if role == "question" and type(value) is str:
            return read_conversation(self._with_context(value), name)
        value = structured(value) if role == "conversation" else value
        if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
            return self._asked_in_turn(value, name)
        if as_turns(value) is not None or isinstance(value, dict):
            return read_conversation(value, name)
        text = number_text(self._values[role])
        return read_conversation(self._with_context(text), name)

    def _asked_in_turn(self, questions: Sequence[str], name: str) -> Conversation:
        """Several questions about an image, with as many answers: a conversation."""
        if len(questions) == 1:
            return read_conversation(self._with_context(questions[0]), name)
        answers = structured(self._values.get("answer"))
        if not isinstance(answers, (list, tuple)) or len(answers) != len(questions):
            raise DataError(f"{name} is a list of {len(questions)} questions.", field=name)
        return read_conversation(
            [list(turn) for turn in zip(questions, answers, strict=True)], name
        )

    def _asked_in_answers(self) -> Conversation:
        """The question where only the answers repeat it, else the default one."""
        for role in ("chosen", "rejected", "first"):
            turns = as_turns(structured(self._values.get(role)))
            if turns is not None and len(turns) > 1:
                read = read_conversation(turns, self._name(role))
                return Conversation(read.messages[:-1], read.images, read.reasoning)
        if not self._default:
            raise DataError(
                f"there is no question; map a column to it, or give one for all rows "
                f"(question=={DEFAULT_QUESTION}).",
                field="question",
            )
        return read_conversation(self._with_context(self._default), "question")

    def _with_context(self, text: str) -> str:
        """The question with what belongs to it: its input or hint, and its choices."""
        if "context" not in self._values and "choices" not in self._values:
            return text
        context = self._values.get("context")
        name = self._name("context").lower()
        if isinstance(context, str):
            before = name in ("hint", "passage", "context", "ocr_context", "提示", "上下文")
            text = f"{context}\n{text}" if before else f"{text}\n{context}"
        choices = [choice for choice in self._choices() if choice]
        if choices and not all(choice in text for choice in choices):
            text += "".join(f"\n{letter}. {c}" for letter, c in zip(LETTERS, choices, strict=False))
        return text

    def _choices(self) -> list[str]:
        value = structured(self._values.get("choices"))
        if isinstance(value, dict):
            value = value["text"] if isinstance(value.get("text"), list) else list(value.values())
        if not isinstance(value, (list, tuple)):
            return []
        texts = [
            part.get("text", part.get("value")) if isinstance(part, dict) else part
            for part in value
        ]
        return [check_text(number_text(text), "choices") for text in texts if not is_missing(text)]

    def _images(self) -> tuple[object, ...]:
        value = self._values.get("image")
        if isinstance(value, str) and value[:1] == "[":
            value = structured(value)
        if isinstance(value, (list, tuple)):
            flat = [p for part in value for p in (part if isinstance(part, list) else [part])]
            if flat and isinstance(flat[0], (int, float, list)):
                raise DataError("the image is a list of numbers; give a file.", field="image")
            return tuple(part for part in flat if not is_missing(part))
        if is_missing(value):
            return ()
        return (str(value) if isinstance(value, int) else value,)

    def _is_scored(self) -> bool:
        """Whether the answer in a column of its own is to be learned."""
        value = self._values.get("answer")
        turn = value[-1] if is_turns(value) else value
        return not isinstance(turn, dict) or is_scored(turn, self._name("answer"))

    def _author(self, role: str) -> str:
        value = self._values.get(f"{role}_author")
        return "" if is_missing(value) else check_text(str(value), f"{role}_author")

    def _answer(self) -> Answer | None:
        """The reference answer; of several that are right, the most frequent one."""
        name, value = self._name("answer"), self._values.get("answer")
        question = structured(self._values.get("question"))
        if isinstance(question, list) and len(question) > 1 and not is_turns(question):
            return None
        if is_missing(value):
            return None
        if isinstance(value, dict) and not {"role", "from"} & value.keys():
            _check_one_language(value, name)
        texts = alternatives(value, name)
        texts = [self._of_choice(text) for text in texts]
        first, _ = Counter(texts).most_common(1)[0]
        others = self._accepted(name, first)
        accepted = list(dict.fromkeys([first, *texts, *others]))
        people = others or texts
        if len(people) > len(set(people)):
            # Several people said the same: how many counts in VQA accuracy.
            accepted = [*(text for text in accepted if text not in people), *people]
        if len(accepted) > 1:
            self._meta[ACCEPTED] = accepted
        return Answer(first, self._author("answer"))

    def _accepted(self, name: str, first: str) -> list[str]:
        given = alternatives(structured(self._values.get("accepted")), "accepted")
        choices = self._choices()
        number = LETTERS.find(first) if len(first) == 1 else -1
        return given + ([choices[number]] if 0 <= number < len(choices) else [])

    def _of_choice(self, text: str) -> str:
        """The letter of a choice that was given by its number."""
        choices = self._choices()
        if not choices or not text.isdecimal() or text in choices:
            return text
        number = int(text) - self._record.choices_from_one
        if not 0 <= number < min(len(choices), len(LETTERS)):
            raise DataError(f"choice {text} of {len(choices)}.", field=self._name("answer"))
        return LETTERS[number]

    def _side(self, role: str) -> Answer | None:
        value = self._values.get(role)
        if is_missing(value):
            return None
        if isinstance(value, list) and len(value) == 1 and not is_turns(value):
            value = value[0]
        return Answer(read_answer(value, self._name(role)), self._author(role))

    def _preference(
        self, completion: Answer | None
    ) -> tuple[Answer | None, Answer | None, tuple[Answer, ...]]:
        """The better and the worse answer, where that is told, and all others."""
        if "first" in self._values and "second" in self._values:
            return self._two_sided()
        chosen, rejected = self._side("chosen"), self._side("rejected")
        if rejected is not None and chosen is None:
            chosen = completion  # swift's `rejected_response`, POVID's `rejected_conversations`
            if chosen is None:
                raise DataError("it has a rejected answer and no better one.", field="chosen")
        if chosen is not None and rejected is None:
            raise DataError("it has a chosen answer and no rejected one.", field="rejected")
        better, worse, candidates = self._ranked()
        if chosen is not None:
            return chosen, rejected, candidates
        return better, worse, candidates

    def _two_sided(self) -> tuple[Answer | None, Answer | None, tuple[Answer, ...]]:
        sides = tuple(self._side(role) for role in ("first", "second"))
        first, second = sides
        if first is None or second is None:
            raise DataError("one of the two answers is missing.", field=self._name("first"))
        both = (first, second)
        self._labels = tuple(_labels(self._values.get("labels"), both))
        told = self._values.get("winner")
        winner = read_winner(told, self._record.sides, self._record.zero_based)
        named = [told == answer.author != "" for answer in both]
        if winner is None and any(named) and not all(named):
            winner = named.index(True)  # the model's own name
        if winner is None and is_missing(told):
            winner = self._higher()
        if winner in (0, 1):
            return both[winner], both[1 - winner], ()
        return None, None, both

    def _higher(self) -> int | None:
        """Which of two answers has the higher score; None where they have none, or the same."""
        first, second = (
            _number(self._values.get(role), 1) for role in ("first_score", "second_score")
        )
        if first is None or second is None or first == second:
            return None
        return 0 if first > second else 1

    def _ranked(self) -> tuple[Answer | None, Answer | None, tuple[Answer, ...]]:
        """Answers to choose from: the best and the worst by rank or score, and the rest."""
        if "candidates" not in self._values:
            return None, None, ()
        found = list(self._candidates())
        answers = tuple(answer for answer, _ in found)
        marks = [mark for _, mark in found]
        if len(answers) < 2 or any(mark is None for mark in marks):
            return None, None, answers
        values = [float(mark) for mark in marks if mark is not None]
        best, worst = values.index(max(values)), values.index(min(values))
        if values[best] == values[worst]:
            return None, None, answers
        rest = tuple(a for number, a in enumerate(answers) if number not in (best, worst))
        return answers[best], answers[worst], rest

    def _candidates(self) -> Iterator[tuple[Answer, float | None]]:
        """Each answer to choose from, with a mark that is higher the better it is."""
        value = structured(self._values.get("candidates"))
        for number, part in enumerate(_as_objects(value)):
            part = structured(part) if isinstance(part, str) and part[:1] == "{" else part
            author, mark = "", None
            if isinstance(part, dict):
                author = next((part[key] for key in AUTHOR_KEYS if part.get(key)), "")
                mark = _mark(part)
            else:
                models = structured(self._values.get("candidate_authors"))
                if isinstance(models, list) and number < len(models):
                    author = models[number]
            for role, sign in (("scores", 1), ("ranks", -1)):
                marks = structured(self._values.get(role))
                if isinstance(marks, list) and number < len(marks):
                    mark = _number(marks[number], sign)
            author = check_text(str(author or ""), "candidates")
            if is_missing(part):
                continue
            yield Answer(read_answer(part, "candidates"), author), mark

    def _judged(
        self, completion: Answer | None, candidates: tuple[Answer, ...]
    ) -> tuple[Answer | None, tuple[Answer, ...]]:
        """A single answer that is called bad is none to learn from."""
        if completion is None or "verdict" not in self._values:
            return completion, candidates
        if self._values["verdict"] is UNJUDGED or is_pending(self._values["verdict"]):
            return None, (*candidates, completion)
        good = read_verdict(self._values["verdict"])
        if good is None:
            raise DataError(
                f"{self._name('verdict')} says {str(self._values['verdict'])[:40]!r}, which is "
                "neither good nor bad.",
                field="verdict",
            )
        self._meta[VERDICT] = "good" if good else "bad"
        return (completion, candidates) if good else (None, (*candidates, completion))

    def _objects_filled(
        self, prompt: tuple[Message, ...], completion: Answer | None
    ) -> tuple[tuple[Message, ...], Answer | None]:
        """Names and boxes at their places in the texts."""
        texts = [part.text for message in prompt for part in message.parts]
        if not any(
            "<bbox>" in t or "<ref-object>" in t
            for t in (*texts, completion.text if completion else "")
        ):
            return prompt, completion
        objects = self._values.get("objects")
        told: dict[str, Any] = objects if isinstance(objects, dict) else {}
        names, boxes = iter(told.get("ref") or ()), iter(told.get("bbox") or ())
        filled = tuple(
            replace(
                message,
                parts=tuple(
                    replace(p, text=fill_objects(p.text, names, boxes)) for p in message.parts
                ),
            )
            for message in prompt
        )
        if completion is not None:
            completion = replace(completion, text=fill_objects(completion.text, names, boxes))
        return filled, completion

    def _check_same_question(self, read: Conversation) -> None:
        """Refuse a rejected conversation that is about something else. Raises DataError."""
        rejected = self._values.get("rejected")
        turns = None if isinstance(rejected, str) else as_turns(rejected)
        if turns is None or len(turns) < 2:
            return
        theirs = read_conversation(turns, self._name("rejected")).messages[:-1]
        asked = [m.text.replace("<image>", "").strip() for m in theirs if m.role == "user"]
        ours = [m.text.replace("<image>", "").strip() for m in read.messages if m.role == "user"]
        if asked and asked != ours[-len(asked) :]:
            raise DataError(
                "the rejected conversation asks something else than the other one.",
                field=self._name("rejected"),
            )


def _as_objects(value: Any) -> list[Any]:
    """Answers to choose from as a list: by author, or column by column."""
    if isinstance(value, dict):
        columns = list(value.values())
        if columns and all(isinstance(column, list) for column in columns):
            return [dict(zip(value, parts, strict=False)) for parts in zip(*columns, strict=False)]
        return [{"text": text, "author": author} for author, text in value.items()]
    return list(value) if isinstance(value, (list, tuple)) else []


def _mark(part: Mapping[str, Any]) -> float | None:
    for keys, sign in ((SCORE_KEYS, 1), (RANK_KEYS, -1)):
        for key in keys:
            if (mark := _number(part.get(key), sign)) is not None:
                return mark
    return None


def _number(value: Any, sign: int) -> float | None:
    try:
        return None if is_missing(value) or isinstance(value, bool) else sign * float(value)
    except (TypeError, ValueError):
        return None


def _labels(given: Any, sides: tuple[Answer, Answer]) -> Iterator[GivenLabel]:
    """What people said about two answers; `winner` is 0 or 1, or -1 for a tie."""
    for one in given if isinstance(given, (list, tuple)) else ():
        winner = sides[one["winner"]] if one["winner"] in (0, 1) else None
        yield GivenLabel(
            str(one["annotator"]),
            sides,
            winner,
            one.get("given_at"),
            str(one.get("comment") or ""),
            kind="" if winner else str(one.get("kind") or ""),
        )


def _check_media(prompt: Sequence[Message]) -> None:
    for message in prompt:
        if message.role == "user" and (found := OTHER_MEDIA.search(message.text)):
            raise DataError(
                f"it has a {found[1] or found[2]}; only images are read.", field="video"
            )


def _check_one_language(value: Mapping[str, Any], name: str) -> None:
    """Refuse one text for each of several languages: nobody said which is meant."""
    texts = all(isinstance(part, str) for part in value.values())
    if len(value) > 1 and texts and all(LANGUAGE.fullmatch(str(key)) for key in value):
        names = ", ".join(repr(str(key)) for key in list(value)[:5])
        raise DataError(
            f"{name} holds one text for each of {names}; map the one to use by its path.",
            field=name,
        )
