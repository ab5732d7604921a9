"""What one row of data is, whatever file it came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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


@dataclass(frozen=True)
class Answer:
    """One candidate answer to an item."""

    text: str
    author: str = ""


@dataclass(frozen=True)
class Row:
    """One item with what is known about its answers.

    Attributes:
        external_id: Stable within its source; importing it again changes nothing.
        images: Contents (sha256 hex) of the images, in the order of the placeholders.
        prompt: The conversation up to the last user turn.
        completion: The reference answer (SFT), if any.
        chosen, rejected: A preference, if any.
        candidates: Answers without a preference yet, if any.
        meta: Other columns, as plain JSON values.
    """

    external_id: str
    images: tuple[str, ...]
    prompt: tuple[Message, ...]
    completion: Answer | None = None
    chosen: Answer | None = None
    rejected: Answer | None = None
    candidates: tuple[Answer, ...] = ()
    meta: dict[str, object] = field(default_factory=dict)

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


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read."""

    line: int
    reason: str
    field: str = ""


def plain_row(row: Row) -> dict[str, Any]:
    """Turn a row into plain values; turns say `scored` only if they are not, so digests stay."""
    values = asdict(row)
    for message in values["prompt"]:
        if message["scored"]:
            del message["scored"]
    return values
