"""The project's form of the Team tab: what it was filled with, and what is typed and not saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Values = tuple[Any, ...]


@dataclass(frozen=True)
class Draft:
    """Values of the form's fields, made from version `seen` of the guidelines."""

    values: Values
    seen: int


@dataclass(frozen=True)
class FormState:
    """Of one page.

    Attributes:
        dataset: The one on show; None before the first.
        filled: What its fields were filled with.
        drafts: By dataset, what was typed there and left without saving.
    """

    dataset: str | None = None
    filled: Draft | None = None
    drafts: Mapping[str, Draft] = field(default_factory=dict)

    def left(self, values: Values, seen: int) -> FormState:
        """The form as it stands now is about to be filled anew; what was typed is kept."""
        if self.dataset is None or self.filled is None or values == self.filled.values:
            return self
        return replace(self, drafts={**self.drafts, self.dataset: Draft(values, seen)})

    def show(self, dataset: str, stored: Draft) -> tuple[FormState, Draft, bool]:
        """The state with `dataset` on show, what its fields hold, and whether that is unsaved."""
        drafts = dict(self.drafts)
        draft = drafts.pop(dataset, None)
        shown = draft or stored
        return FormState(dataset, stored, drafts), shown, draft is not None
