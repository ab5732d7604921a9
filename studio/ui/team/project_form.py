"""The project's form of the Team tab: what it was filled with, and what is typed and not saved.

What a form was filled with travels with its fields, in one of its own. An event carries the fields
as they were when it was made, and the server may have filled the form anew since: of what the
server remembers, nothing says whose values came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import ConflictError

Values = tuple[Any, ...]


@dataclass(frozen=True)
class Filled:
    """What the form was filled with.

    Attributes:
        dataset: Whose settings they are; empty before the first.
        seen: The version of the guidelines.
        values: The settings, in the order of the fields.
    """

    dataset: str = ""
    seen: int = 0
    values: Values = ()

    @property
    def text(self) -> str:
        """As it lies in the form."""
        return json.dumps([self.dataset, self.seen, self.values])

    @classmethod
    def read(cls, text: str | None) -> Filled:
        """What lies in a form. Raises ConflictError when no form of this studio was filled so."""
        if not text:
            return cls()
        try:
            dataset, seen, values = json.loads(text)
            return cls(str(dataset), int(seen), tuple(values))
        except (ValueError, TypeError, RecursionError) as error:
            raise ConflictError(
                "What the form was filled with cannot be read.",
                remedy="Copy what you typed and reload the page.",
            ) from error


@dataclass(frozen=True)
class Draft:
    """What the form shows of a dataset: its settings, its guidelines, and what it is made from."""

    values: Values
    guidelines: str
    filled: Filled


@dataclass(frozen=True)
class Drafts:
    """Of one page, by dataset: what was typed there and left without saving."""

    by_dataset: Mapping[str, Draft] = field(default_factory=dict)

    def of(self, dataset: str) -> Draft | None:
        return self.by_dataset.get(dataset)

    def keep(self, draft: Draft) -> Drafts:
        return Drafts({**self.by_dataset, draft.filled.dataset: draft})

    def drop(self, dataset: str) -> Drafts:
        kept = self.by_dataset.items()
        return Drafts({name: draft for name, draft in kept if name != dataset})
