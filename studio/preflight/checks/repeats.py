"""Rows that say the same again, say the opposite, or have images that look alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from studio.core.plurals import counted
from studio.data.schema import Row
from studio.preflight.checks.base import Check, SeenRow, answers_of, plain
from studio.preflight.image_fingerprints import Pictures
from studio.preflight.report import Finding


@dataclass(frozen=True)
class _Print:
    """What is kept of a row: hashes of its texts."""

    number: int
    pictures: tuple[int, ...]
    exact: int
    question: int
    loose: int
    preference: tuple[int, int] | None
    answer: int | None


class Repeats(Check):
    """Exact and near duplicates, contradictions, and look-alike images.

    Exact: the same images, conversation and answers. Near: images that look alike, and the same
    texts but for case and spacing.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._prints: list[_Print] = []
        self.count = 0

    def add(self, seen: SeenRow) -> None:
        self._prints.append(_print(seen))

    def findings(self) -> Iterator[Finding]:
        alike = self._pictures.alike()
        exact, near = self._repeated(alike)
        self.count = len(exact) + len(near)
        if exact:
            yield Finding(
                "duplicates",
                "warning",
                exact,
                f"{counted(len(exact))} repeat an earlier row: same image, question and answers."
                if len(exact) > 1
                else "1 row repeats an earlier one: same image, question and answers.",
                "Exclude them, so that they do not count twice.",
            )
        if near:
            yield Finding(
                "near_duplicates",
                "warning",
                near,
                f"{counted(len(near))} nearly the same as an earlier one: the image looks alike, "
                "the texts differ at most in case and spacing.",
                "Look at them; exclude those that add nothing.",
            )
        yield from self._opposed(alike)
        yield from self._look_alikes(alike)

    def _repeated(self, alike: dict[int, int]) -> tuple[list[int], list[int]]:
        exact, near = [], []
        same: set[tuple] = set()
        similar: set[tuple] = set()
        for one in self._prints:
            key, loose = (one.pictures, one.exact), (_mapped(one.pictures, alike), one.loose)
            if key in same:
                exact.append(one.number)
            elif loose in similar:
                near.append(one.number)
            same.add(key)
            similar.add(loose)
        return exact, near

    def _opposed(self, alike: dict[int, int]) -> Iterator[Finding]:
        said: dict[tuple, dict[object, list[int]]] = {}
        for one in self._prints:
            said_here = said.setdefault((_mapped(one.pictures, alike), one.question), {})
            for meant in (one.preference, one.answer):
                if meant is not None:
                    said_here.setdefault(meant, []).append(one.number)
        reversed_: set[int] = set()
        different: set[int] = set()
        for meanings in said.values():
            single = [rows for meant, rows in meanings.items() if isinstance(meant, int)]
            if len(single) > 1:
                different.update(*single)
            for meaning, rows in meanings.items():
                if (
                    isinstance(meaning, tuple)
                    and meaning[::-1] in meanings
                    and meaning[0] != meaning[1]
                ):
                    reversed_.update(rows)
        if reversed_:
            yield Finding(
                "contradictions",
                "warning",
                sorted(reversed_),
                f"{counted(len(reversed_))} contradict each other: the same two answers to the "
                "same question, once preferred this way and once that way.",
                "Decide which is right and exclude the others.",
            )
        if different:
            yield Finding(
                "different_answers",
                "info",
                sorted(different),
                f"{counted(len(different))} ask the same about the same image and are answered "
                "differently.",
                "Fine when several answers are right; otherwise correct or exclude them.",
            )

    def _look_alikes(self, alike: dict[int, int]) -> Iterator[Finding]:
        if not alike:
            return
        concerned = set(alike) | set(alike.values())
        rows = [one.number for one in self._prints if concerned.intersection(one.pictures)]
        yield Finding(
            "similar_images",
            "info",
            rows,
            f"{counted(len(alike), 'image looks', 'images look')} like another one: the same "
            f"picture, saved or scaled differently. {counted(len(rows), 'row uses', 'rows use')} "
            "them.",
            "Keep such rows on one side of the split; the studio splits by exact image only.",
        )


def _mapped(pictures: tuple[int, ...], alike: dict[int, int]) -> tuple[int, ...]:
    return tuple(alike.get(picture, picture) for picture in pictures)


def _print(seen: SeenRow) -> _Print:
    row = seen.row
    answers = {name: answer.text for name, answer in answers_of(row).items()}
    asked = tuple((message.role, message.text) for message in row.prompt)
    loosely = tuple((role, plain(text)) for role, text in asked)
    said = tuple((name, plain(text)) for name, text in answers.items())
    return _Print(
        number=seen.number,
        pictures=seen.pictures,
        exact=hash((asked, tuple(answers.items()))),
        question=hash(loosely),
        loose=hash((loosely, said)),
        preference=_preference(row),
        answer=hash(plain(row.completion.text)) if row.completion else None,
    )


def _preference(row: Row) -> tuple[int, int] | None:
    if row.chosen is None or row.rejected is None:
        return None
    return hash(plain(row.chosen.text)), hash(plain(row.rejected.text))
