"""Counts what became of each file of a folder: imported, ignored or refused, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal

from studio.data.schema import FileGroup
from studio.data.sources.file_kinds import (
    ARCHIVES,
    DESCRIPTIONS,
    UNSAID,
    is_image,
    may_hold_rows,
    why_refused,
)

HIDDEN = "hidden"
NO_DATA = "no data file and no image"
UNNAMED = "no row that was read names it"
PACKED = "an archive beside the data is not unpacked"
DESCRIPTION = "tells of the dataset, and has no rows"
LINK = "a link that leads out of the folder"
OTHER_SPLIT = "belongs to another split"
EXAMPLES = 5
MAX_ENTRIES = 500_000
State = Literal["imported", "ignored", "refused"]
Fate = tuple[State, str, bool]


class ImageFiles(set[Path]):
    """The files that rows named as their images; those that are no usable image with the reason."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[Path, str] = {}


@dataclass
class Census:
    """What is known of a folder whose rows are read.

    Attributes:
        root: The folder.
        read: The files that rows or their notes come from.
        ignored: Files that are not read, with the reason.
        elsewhere: Folders of other splits.
        unread: Why data files that are not mentioned are not read; `is_data` tells which are such.
    """

    root: Path
    read: set[Path] = field(default_factory=set)
    ignored: Mapping[Path, str] = field(default_factory=dict)
    elsewhere: frozenset[Path] = frozenset()
    unread: str = ""
    is_data: Callable[[str], bool] = may_hold_rows

    def groups(self, images: Container[Path]) -> list[FileGroup]:
        """Group all files below the folder by their fate.

        Args:
            images: The files that rows named as their images.
        """
        return grouped(
            (path.relative_to(self.root).as_posix(), *self._fate(path, images))
            for path in walked(self.root)
        )

    def _fate(self, path: Path, images: Container[Path]) -> Fate:
        """What became of a file, and whether it has rows that are not read."""
        state, why = self._state(path, images)
        if state == "imported" or why in (HIDDEN, LINK, DESCRIPTION):
            return state, why, False
        return state, why, self.is_data(path.name) or may_hold_rows(path.name)

    def _state(self, path: Path, images: Container[Path]) -> tuple[State, str]:
        name = path.relative_to(self.root).as_posix()
        if isinstance(images, ImageFiles) and path in images.refused:
            return "refused", images.refused[path]
        if path in self.read or path in images:
            return "imported", ""
        if is_hidden(name):
            return "ignored", HIDDEN
        if path.is_symlink() and (linked := self._of_link(path.resolve(), images)):
            return linked
        if path in self.ignored:
            return "ignored", self.ignored[path]
        if not self.elsewhere.isdisjoint(path.parents):
            return "ignored", OTHER_SPLIT
        if path.name in DESCRIPTIONS:
            return "ignored", DESCRIPTION
        if self.unread and self.is_data(path.name):
            return "ignored", self.unread
        if is_image(name):
            return "ignored", UNNAMED
        return unused(name)

    def _of_link(self, target: Path, images: Container[Path]) -> tuple[State, str] | None:
        """The fate of what a link leads to; None for a file inside that nothing asks for."""
        if target in images:
            return "imported", ""
        return None if target.is_relative_to(self.root) else ("ignored", LINK)


def unused(name: str) -> tuple[State, str]:
    """Tell the state and the reason of a file that nothing asks for."""
    if is_hidden(name):
        return "ignored", HIDDEN
    ending = PurePath(name).suffix.lower()
    if ending in ARCHIVES:
        return "ignored", PACKED
    if ending not in UNSAID and (why := why_refused(name)):
        return "refused", why
    return "ignored", NO_DATA


def walked(root: Path, most: int = MAX_ENTRIES, strict: bool = False) -> Iterator[Path]:
    """Yield the files below a folder in order, `most` at most; links to folders stay closed.

    Args:
        strict: A folder that cannot be looked into raises OSError, instead of seeming empty.
    """
    seen = 0
    for place, folders, names in os.walk(root, onerror=_raised if strict else None):
        folders.sort()
        for name in sorted(names):
            seen += 1
            if seen > most:
                return
            yield Path(place, name)


def _raised(error: OSError) -> None:
    raise error


def is_hidden(name: str) -> bool:
    """Return whether a name below a folder is none that people see."""
    parts = PurePosixPath(name).parts
    return any(part.startswith((".", "__MACOSX")) or part.lower() in _SYSTEM for part in parts)


def grouped(fates: Iterable[tuple[str, State, str, bool]]) -> list[FileGroup]:
    """Group names by their fates: imported first, then the larger ones."""
    counts: dict[Fate, int] = {}
    examples: dict[Fate, list[str]] = {}
    for name, state, why, unread in fates:
        key = (state, why, unread)
        counts[key] = counts.get(key, 0) + 1
        if len(some := examples.setdefault(key, [])) < EXAMPLES:
            some.append(name)
    order = sorted(counts, key=lambda key: (_ORDER[key[0]], -counts[key]))
    return [FileGroup(key[0], key[1], counts[key], tuple(examples[key]), key[2]) for key in order]


def together(*several: Iterable[FileGroup]) -> list[FileGroup]:
    """Put groups of files of different places into one list."""
    merged: dict[tuple[str, str, bool], FileGroup] = {}
    for group in (group for groups in several for group in groups):
        if before := merged.get(group.fate):
            names = (*before.examples, *group.examples)[:EXAMPLES]
            group = replace(group, count=before.count + group.count, examples=names)
        merged[group.fate] = group
    return sorted(merged.values(), key=lambda group: (_ORDER[group.state], -group.count))


_SYSTEM = ("thumbs.db", "desktop.ini")
_ORDER = {"imported": 0, "refused": 1, "ignored": 2}
