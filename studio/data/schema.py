"""What one row of data is, whatever file it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeGuard

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Part:
    """A piece of a message: text, or the place of the next image."""

    type: Literal["text", "image"]
    text: str = ""


@dataclass(frozen=True)
class Message:
    """One turn. Image parts are bare placeholders, filled from `Row.images` in order.

    Attributes:
        scored: False for an assistant's turn that must not be learned (`weight: 0`).
    """

    role: Role
    parts: tuple[Part, ...]
    scored: bool = True

    @property
    def text(self) -> str:
        """Its text parts, joined."""
        return "".join(part.text for part in self.parts if part.type == "text")

    @property
    def learned(self) -> bool:
        """Whether it is an answer that training scores."""
        return self.role == "assistant" and self.scored and bool(self.text.strip())


@dataclass(frozen=True)
class Answer:
    """One candidate answer to an item.

    Attributes:
        tokens: How many its writer counted, if known.
        decoding: How a model wrote it: model, run, step, temperature, top_p, seed, `at` (seconds
            since the epoch) …; two answers are the same whatever this says.
    """

    text: str
    author: str = ""
    tokens: int | None = field(default=None, compare=False)
    decoding: Mapping[str, object] | None = field(default=None, compare=False)


TIES: tuple[str, ...] = ("tie", "both_good", "both_bad")
ABSTENTIONS: tuple[str, ...] = ("skip", "unsure")
"""Kinds of labels that are no vote."""


@dataclass(frozen=True)
class GivenLabel:
    """What somebody said about two answers of a row in another tool.

    Attributes:
        annotator: Their name there.
        sides: The two answers, as they stand in the row.
        winner: The one they preferred; None: a tie.
        given_at: Seconds since the epoch (UTC), if known.
        kind: One of `TIES` or `ABSTENTIONS`; empty: a choice, or a tie without a winner.
    """

    annotator: str
    sides: tuple[Answer, Answer]
    winner: Answer | None
    given_at: float | None = None
    comment: str = ""
    kind: str = ""


ACCEPTED = "accepted_answers"
VERDICT = "verdict"
"""Names in `Row.meta`: other answers that count as right, each as often as people gave it, and
`good` or `bad` of a single one."""


@dataclass(frozen=True)
class Row:
    """One item with what is known about its answers.

    Attributes:
        external_id: Stable within its source; importing it again changes nothing.
        images: Contents (sha256 hex) of the images, in the order of the placeholders.
        prompt: The conversation up to the last user turn.
        completion: The reference answer (SFT), if any.
        chosen, rejected: A preference, if any.
        candidates: Answers without a preference yet, if any: pairs to be judged.
        alone: More answers, which are paired with none.
        meta: Other columns, as plain JSON values.
        labels: What people said in the tool the row comes from.
    """

    external_id: str
    images: tuple[str, ...]
    prompt: tuple[Message, ...]
    completion: Answer | None = None
    chosen: Answer | None = None
    rejected: Answer | None = None
    candidates: tuple[Answer, ...] = ()
    meta: dict[str, object] = field(default_factory=dict)
    labels: tuple[GivenLabel, ...] = ()
    alone: tuple[Answer, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        """Every answer that counts as right, the one that is trained first; without repeats."""
        others = self.meta.get(ACCEPTED)
        texts = [self.completion.text] if self.completion else []
        texts += [text for text in others if isinstance(text, str)] if _is_list(others) else []
        return tuple(dict.fromkeys(texts))

    @property
    def preference(self) -> tuple[Answer, Answer]:
        """The chosen and the rejected answer. Raises ValueError where one is missing."""
        if self.chosen is None or self.rejected is None:
            raise ValueError(f"row {self.external_id} has no preference")
        return self.chosen, self.rejected

    @property
    def question(self) -> str:
        """The text of the last user turn."""
        users = [message for message in self.prompt if message.role == "user"]
        return users[-1].text if users else ""


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, (list, tuple))


@dataclass(frozen=True)
class FieldUse:
    """What became of one column or nested field of a source.

    Attributes:
        path: `question`, `data.image_url`, `completions[].response`.
        rows: In how many rows it has a value.
        role: What it is read as (`question`, `chosen` …); empty when it is not read.
        kept: In how many rows it is kept beside the row.
        why: Why it is neither, in the rows where that is so.
        left_out: In how many rows it has a value, but the row as a whole cannot be used.
        empty: A column that has no value in any row that was read.
    """

    path: str
    rows: int
    role: str = ""
    kept: int = 0
    why: str = ""
    left_out: int = 0
    empty: bool = False

    @property
    def lost(self) -> int:
        """In how many rows that can be used its value is not used at all."""
        return 0 if self.role else self.rows - self.kept - self.left_out


def tops(path: str) -> Iterator[str]:
    """Yield a path and what it may lie within: `a[].b`, `a[]` and `a` of `a[].b`."""
    yield path
    for end, mark in enumerate(path):
        if mark == "." or path.startswith("[]", end):
            yield path[:end]


def joined_fields(of_splits: Sequence[Sequence[FieldUse]]) -> list[FieldUse]:
    """Add up the fields of several splits, in the order of their first appearance."""
    joined: dict[tuple[str, str], FieldUse] = {}
    filled = {top for uses in of_splits for use in uses if not use.empty for top in tops(use.path)}
    for use in (use for uses in of_splits for use in uses):
        if use.empty and use.path in filled:
            continue
        known = joined.get((use.path, use.role))
        if known is not None:
            use = replace(
                known,
                rows=known.rows + use.rows,
                kept=known.kept + use.kept,
                why=known.why or use.why,
                left_out=known.left_out + use.left_out,
            )
        joined[use.path, use.role] = use
    return list(joined.values())


@dataclass(frozen=True)
class FileGroup:
    """Files of a folder or an archive with the same fate.

    Attributes:
        why: The reason, for files that are not imported.
        examples: The first of their names.
        unread: They hold rows, or may hold some, none of which is read.
    """

    state: Literal["imported", "ignored", "refused"]
    why: str
    count: int
    examples: tuple[str, ...]
    unread: bool = False

    @property
    def fate(self) -> tuple[str, str, bool]:
        """What files of one group have in common."""
        return self.state, self.why, self.unread


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read."""

    line: int
    reason: str
    field: str = ""


def plain_row(row: Row) -> dict[str, Any]:
    """Turn a row into plain values, the same for the same contents in every version.

    Labels are not among them, turns say `scored` only if they are not, and answers how they were
    made only where that is known.
    """
    values = asdict(row)
    for name in ("completion", "chosen", "rejected"):
        values[name] = values[name] and _plain_answer(values[name])
    values["candidates"] = tuple(map(_plain_answer, values["candidates"]))
    for message in values["prompt"]:
        if message["scored"]:
            del message["scored"]
    del values["labels"], values["alone"]
    return values


def _plain_answer(values: dict[str, Any]) -> dict[str, Any]:
    unknown = [name for name in ("tokens", "decoding") if values[name] is None]
    return {name: value for name, value in values.items() if name not in unknown}
