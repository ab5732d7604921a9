"""Images that are in more than one split."""

from __future__ import annotations

from collections.abc import Iterator

from studio.core.plurals import counted
from studio.preflight.checks.base import Check, SeenRow, plain
from studio.preflight.image_fingerprints import Pictures
from studio.preflight.report import Finding


class Leakage(Check):
    """Rows of a later split whose image, or one that looks like it, is in an earlier split.

    Rows without an image go by their question.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._rows: list[tuple[int, str, tuple[int, ...]]] = []

    def add(self, seen: SeenRow) -> None:
        keys = seen.pictures or (-1 - abs(hash(plain(seen.row.question))),)
        self._rows.append((seen.number, seen.split, keys))

    def findings(self) -> Iterator[Finding]:
        order = list(dict.fromkeys(split for _, split, _ in self._rows))
        if len(order) < 2:
            return
        alike = self._pictures.alike()
        exact = self._leaked(order, {})
        near = sorted(set(self._leaked(order, alike)) - set(exact))
        names = ", ".join(order)
        if exact:
            yield Finding(
                "leakage",
                "error",
                exact,
                f"{counted(len(exact))} whose image is also in an earlier split ({names}). "
                "Figures measured on them are too good.",
                "Exclude them, or let the studio split by image anew.",
            )
        if near:
            yield Finding(
                "near_leakage",
                "warning",
                near,
                f"{counted(len(near))} whose image looks like one in an earlier split ({names}).",
                "Look at them; exclude those that show the same picture.",
            )

    def _leaked(self, order: list[str], alike: dict[int, int]) -> list[int]:
        first: dict[int, int] = {}
        places = {split: place for place, split in enumerate(order)}
        for _, split, keys in self._rows:
            for key in keys:
                key = alike.get(key, key)
                first[key] = min(first.get(key, places[split]), places[split])
        return [
            number
            for number, split, keys in self._rows
            if any(first[alike.get(key, key)] < places[split] for key in keys)
        ]
