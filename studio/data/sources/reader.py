"""What every kind of source gives: records, one after the other, with their line numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from studio.data.schema import BadRow, FileGroup
from studio.data.sources.file_census import Census, together

PEEKED = 20


@dataclass(frozen=True)
class Record:
    """One raw row and where it is: its line in a text file, else its number (from 1).

    `only_texts`: of a file that has nothing else, so that lists stand there as JSON.
    """

    line: int
    values: dict[str, object]
    only_texts: bool = False


@dataclass
class Reader(ABC):
    """One split of one source.

    Attributes:
        label: What the source is, in a few words ("JSONL file pairs.jsonl").
        splits: Names of all splits of the source.
        folder: Where relative image names are looked up; None when names are refused.
        more_folders: Where they are looked up when they are not there.
        census: Counts the files of the folder that is read, if one is.
        left_out: Members of an archive that were not unpacked.
        named_by_content: The studio wrote the source, and each image's name is its sha256.
    """

    label: str
    splits: tuple[str, ...] = ("train",)
    folder: Path | None = None
    named_by_content: bool = False
    more_folders: tuple[Path, ...] = ()
    census: Census | None = field(default=None, repr=False)
    left_out: list[FileGroup] = field(default_factory=list, repr=False)
    _peeked: list[Record] = field(default_factory=list, repr=False)

    @abstractmethod
    def records(self) -> Iterator[Record | BadRow]:
        """Yield all records from the first on; a damaged one is a BadRow. Raises DataError."""

    def count(self) -> int:
        """Number of records, damaged ones included; may read the whole source."""
        return sum(1 for _ in self.records())

    def known_count(self) -> int | None:
        """Number of records; None when telling it would mean fetching them all."""
        return self.count()

    def files(self, images: Container[Path]) -> list[FileGroup]:
        """Tell what became of each file of a folder or an archive; nothing for other sources.

        Args:
            images: The files that rows named as their images.
        """
        found = self.census.groups(images) if self.census else []
        return together(found, self.left_out)

    @property
    def image_folders(self) -> tuple[Path, ...]:
        """Where the images of the last record are looked up: the data's folder comes first."""
        folders = (self.folder, *self.more_folders) if self.folder else self.more_folders
        return tuple(dict.fromkeys(folders))

    def between(self, start: int, stop: int | None) -> Iterator[Record | BadRow]:
        """Yield the records of a slice."""
        return islice(self.records(), start, stop)

    def peek(self) -> list[Record]:
        """Read the first good records, once."""
        if not self._peeked:
            good = (record for record in self.records() if isinstance(record, Record))
            self._peeked = list(islice(good, PEEKED))
        return self._peeked

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names, in the order of their first appearance."""
        return tuple(dict.fromkeys(name for record in self.peek() for name in record.values))
