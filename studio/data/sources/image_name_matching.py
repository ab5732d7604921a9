"""Files below a folder by their names, to find the one that is named a little differently."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from studio.core.errors import DataError
from studio.data.sources.file_census import MAX_ENTRIES, is_hidden, walked
from studio.data.sources.file_kinds import ARCHIVES, IMAGE_ENDINGS, OTHER_IMAGES, is_image

Parts = tuple[str, ...]
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/*")
_DRIVE = re.compile(r"[A-Za-z]:")
_GIVEN_PLACE = re.compile(r"[?&]d=([^&#]+)")  # Label Studio: /data/local-files/?d=…
_UPLOAD = re.compile(r"[0-9a-f]{2,8}-(?=.)")  # Label Studio: /data/upload/3/1a2b3c4d-name.png
_NUMBER = re.compile(r"(?:coco_[a-z]+\d*_)?0*(\d+)")
_SPLIT = re.compile(r"(train|val|test|dev|eval)(?:[^a-z]|idation|$)")
LONGEST_NAME = 4096  # characters of a file name with its folders
SAID_NAME = 200  # of them, those that a reason quotes
_NEAR = 5_000  # names that the nearest is looked for among


def readings(name: str) -> list[Parts]:
    """Read the folders and the name that an image's name means, the likeliest reading first.

    An address, a percent-encoded name, a path of another machine or of Label Studio: all mean a
    file by the end of what they say.
    """
    text = name.strip().replace("\\", "/")
    if place := _GIVEN_PLACE.search(text):
        text = unquote(place[1])
    elif _SCHEME.match(text) or text.startswith("/data/"):
        text = re.split("[?#]", text, maxsplit=1)[0]
    text = _DRIVE.sub("", _SCHEME.sub("", text, count=1), count=1) if ":" in text[:40] else text
    forms = [text, unquote(text)] if "%" in text else [text]
    found = [parts for form in forms if (parts := _parts(form))]
    if "upload" in name:
        found += [
            (*parts[:-1], bare) for parts in found if (bare := _UPLOAD.sub("", parts[-1], count=1))
        ]
    return list(dict.fromkeys(found))


def _parts(text: str) -> Parts:
    return tuple(part for part in text.split("/") if part not in ("", ".", "..", "~"))


def folded(text: str) -> str:
    """Return a name as names are compared: whatever its case and its form of Unicode."""
    return unicodedata.normalize("NFC", text).casefold()


def find_below(root: Path, name: str) -> Path:
    """Find the file `name` below a folder whose links are resolved.

    Raises:
        DataError: For addresses, absolute names, `..`, links that lead outside, or no such file.
    """
    shown = repr(name if len(name) <= SAID_NAME else f"{name[:SAID_NAME]}…")
    if len(name) > LONGEST_NAME:
        raise DataError(f"{shown} is no file name: {len(name):,} characters.", field="image")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", name) or name.startswith(("//", "\\\\")):
        raise DataError(f"{shown} is an address; images are never fetched.", field="image")
    plain = name.replace("\\", "/")
    parts = plain.split("/")
    if "\0" in name or plain.startswith(("/", "~")) or ".." in parts or re.match("[A-Za-z]:", name):
        raise DataError(f"{shown} leads outside the folder of the data.", field="image")
    try:
        path = (root / plain).resolve()
        inside, there = path.is_relative_to(root), path.is_file()
    except (OSError, ValueError) as error:  # ValueError: characters that no file name has
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DataError(f"{shown} is no usable file name: {reason}.", field="image") from error
    if not inside:
        raise DataError(f"{shown} is a link out of the folder of the data.", field="image")
    if not there:
        raise DataError(f"there is no image file {shown}.", field="image")
    return path


@dataclass
class ImageIndex:
    """The names of all files below one folder; made when it is first asked.

    Attributes:
        complete: Whether all were seen; where not, none is found, as another could fit as well.
        images: How many of them are images.
        archive: One of them that may have images in it.
    """

    root: Path
    complete: bool = True
    images: int = 0
    archive: str = ""
    _by_name: dict[str, list[str]] = field(default_factory=dict)
    _by_stem: dict[str, list[str]] = field(default_factory=dict)
    _by_number: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        for seen, path in enumerate(walked(self.root, MAX_ENTRIES + 1), 1):
            if seen > MAX_ENTRIES:
                self.complete = False
                return
            name = path.relative_to(self.root).as_posix()
            if not is_hidden(name):
                self._add(name)

    def _add(self, name: str) -> None:
        last = folded(name.rpartition("/")[2])
        ending = PurePosixPath(last).suffix
        if ending in ARCHIVES:
            self.archive = self.archive or name
        if ending not in ("", *IMAGE_ENDINGS, *OTHER_IMAGES):
            return
        self._by_name.setdefault(last, []).append(name)
        if is_image(last):
            self.images += 1
            stem = _stem(last)
            self._by_stem.setdefault(stem, []).append(name)
            if number := _NUMBER.fullmatch(stem):
                self._by_number.setdefault(int(number[1]), []).append(name)

    def find(self, names: Sequence[Parts]) -> tuple[list[str], Parts]:
        """Find the files that fit one of the readings of a name best, and that reading.

        More than one file is too many.
        """
        if not self.complete:
            return [], ()
        for same in (self._named, self._of_stem, self._of_number):
            for parts in names:
                if fitting := _best(same(folded(parts[-1])), parts):
                    return fitting, parts
        return [], ()

    def nearest(self, name: str) -> str:
        """Return the name most like this one; empty when none is."""
        some = list(self._by_name)[:_NEAR]
        close = difflib.get_close_matches(folded(name), some, n=1, cutoff=0.6)
        return self._by_name[close[0]][0] if close else ""

    def _named(self, last: str) -> list[str]:
        return self._by_name.get(last, [])

    def _of_stem(self, last: str) -> list[str]:
        return self._by_stem.get(_stem(last), [])

    def _of_number(self, last: str) -> list[str]:
        number = _NUMBER.fullmatch(_stem(last))
        return self._by_number.get(int(number[1]), []) if number else []


def _stem(last: str) -> str:
    """A name without the ending of an image; `v1.2` has none."""
    ending = PurePosixPath(last).suffix
    return last.removesuffix(ending) if ending in (*IMAGE_ENDINGS, *OTHER_IMAGES) else last


def _best(names: Sequence[str], parts: Parts) -> list[str]:
    """Those of the files that share most of the folders before the name."""
    if not names:
        return []
    wanted = [folded(part) for part in parts]
    ranks = {
        name: _shared([folded(part) for part in name.split("/")], wanted)
        for name in names
        if not _other_split(name, wanted)
    }
    best = [name for name, rank in ranks.items() if rank == max(ranks.values())]
    exact = [name for name in best if _shared(name.split("/"), parts) == ranks[name]]
    exact = [name for name in exact if name.split("/")[-1] == parts[-1]]
    return exact if len(exact) == 1 else best


def _shared(path: Sequence[str], parts: Sequence[str]) -> int:
    """How many folders before the name are the same, from the last one on."""
    count = 0
    for one, other in zip(reversed(path[:-1]), reversed(parts[:-1]), strict=False):
        if one != other:
            break
        count += 1
    return count


def _other_split(name: str, wanted: Sequence[str]) -> bool:
    """Returns: whether a file lies in one split and its name asks for another."""
    there = {found[1] for part in name.split("/")[:-1] if (found := _SPLIT.match(folded(part)))}
    asked = {found[1] for part in wanted[:-1] if (found := _SPLIT.match(part))}
    return bool(there and asked and not there & asked)


class ImageFinder:
    """Finds the files that names mean, in one folder after the other."""

    MISSES = 10  # for how many names without a file the nearest is looked for

    def __init__(self) -> None:
        self._indexes: dict[Path, ImageIndex] = {}
        self._roots: dict[Path, Path] = {}
        self._meant: dict[Path, Parts] = {}
        self._missed = 0

    def find(self, folders: Sequence[Path], name: str) -> Path:
        """Find the file that `name` means: exactly so, or else the only one that fits.

        Raises:
            DataError: There is none, or more than one.
        """
        problem = None
        for folder in folders:
            if (root := self._roots.get(folder)) is None:
                root = self._roots[folder] = folder.resolve()
            try:
                return find_below(root, name)
            except DataError as error:
                problem = problem or error
        if problem is None:
            raise DataError(f"the image {name[:80]!r} is only named, not included.", field="image")
        if len(name) > _LONGEST or "\0" in name or "link out" in problem.message:
            raise problem
        return self._fitting(folders, name, problem)

    def _fitting(self, folders: Sequence[Path], name: str, problem: DataError) -> Path:
        names = readings(name)
        for folder in folders:
            index = self._index(folder)
            found, parts = index.find(names)
            if len(found) > 1:
                raise DataError(
                    f"more than one file fits {name[:_SHOWN]!r}: {found[0]!r} and {found[1]!r}.",
                    field="image",
                )
            if found:
                path = find_below(index.root, found[0])
                self._only_one(path, name, parts)
                return path
        raise DataError(
            f"{problem.message.rstrip('.')}; {self._advice(folders, names)}.", field="image"
        )

    def _only_one(self, path: Path, name: str, parts: Parts) -> None:
        """Refuse a second name that only by chance ends as the first one for the same file did."""
        last = _stem(folded(parts[-1]))
        number = _NUMBER.fullmatch(last)
        plain = (*map(folded, parts[:-1]), str(int(number[1])) if number else last)
        before = self._meant.setdefault(path, plain)
        shorter = min(len(plain), len(before))
        if plain[-shorter:] != before[-shorter:] and plain[-2:] != before[-2:]:
            raise DataError(
                f"{name[:_SHOWN]!r} and {'/'.join(before)[:_SHOWN]!r} both end as the one file "
                f"{path.name!r}; give the folder that has them all.",
                field="image",
            )

    def _index(self, folder: Path) -> ImageIndex:
        if folder not in self._indexes:
            self._indexes[folder] = ImageIndex(folder)
        return self._indexes[folder]

    def _advice(self, folders: Sequence[Path], names: Sequence[Parts]) -> str:
        """What to do about a name without a file."""
        indexes = [self._index(folder) for folder in folders]
        if not all(index.complete for index in indexes):
            return f"of more than {MAX_ENTRIES:,} files only those named exactly are found"
        if not any(index.images for index in indexes):
            if archive := next((index.archive for index in indexes if index.archive), ""):
                return (
                    f"no image lies beside the data, but {archive[:_SHOWN]!r} does: unpack it there"
                )
            return (
                "no image lies beside the data: import the folder or a ZIP that has both, or give "
                "the folder of the images"
            )
        self._missed += 1
        near = ""
        if self._missed <= self.MISSES and names:
            near = next((one for index in indexes if (one := index.nearest(names[0][-1]))), "")
        said = f"the nearest is {near[:_SHOWN]!r}; " if near else ""
        return f"{said}give the folder of the images if they lie elsewhere"


_SHOWN = 120  # characters of a name in a reason
_LONGEST = 4096
