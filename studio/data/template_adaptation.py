"""How a model's chat template wants conversations: what the rows are changed by, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from studio.data.schema import Answer, Message, Row

THOUGHT = "</think>"
PART = "·answer "


@dataclass(frozen=True)
class Fit:
    """What a chat template does that rows must be fitted to.

    Attributes:
        system: Whether it takes a system turn; else its text goes in front of the question.
        apart: When the answers of one conversation are trained as rows of their own, because the
            template writes an earlier answer differently than it was given: `never`, when an
            earlier answer holds a `thought`, or `always`.
    """

    system: bool = True
    apart: Literal["never", "thought", "always"] = "never"

    def parts(self, row: Row) -> bool:
        """Return whether the answers of a row are to be trained apart."""
        earlier = [message for message in row.prompt if message.role == "assistant"]
        if not any(message.scored for message in earlier) or self.apart == "never":
            return False
        return self.apart == "always" or any(THOUGHT in message.text for message in earlier)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fit:
        """Read what `to_json` made."""
        return cls(**values)


ANY_MODEL = Fit()


def answers_apart(row: Row) -> list[Row]:
    """Make one row for each answer that is learned: the conversation up to it, and that answer.

    Earlier answers of these rows are read, not scored.
    """
    parts: list[Row] = []
    for number, message in enumerate(row.prompt):
        if message.learned:
            completion = Answer(message.text)
            parts.append(_part(row, row.prompt[:number], completion, len(parts) + 1))
    return [*parts, _part(row, row.prompt, row.completion or row.chosen, len(parts) + 1)]


def whole_id(part_id: str) -> str:
    """Return the id of the row that a part belongs to."""
    return part_id.partition(PART)[0]


def _part(row: Row, prompt: tuple[Message, ...], completion: Answer | None, number: int) -> Row:
    read = tuple(replace(m, scored=False) if m.role == "assistant" else m for m in prompt)
    places = sum(part.type == "image" for message in read for part in message.parts)
    return replace(
        row,
        external_id=f"{row.external_id}{PART}{number}",
        images=row.images[:places],
        prompt=read,
        completion=completion,
    )
