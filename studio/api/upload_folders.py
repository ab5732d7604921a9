"""Files dropped on the import form: each upload is one folder, which is previewed and imported.

The browser says first how many files and bytes will come, and is refused before it sends them. It
then sends pieces of files, and at the end asks for them to join the upload: all of them or none.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from studio.api import uploads
from studio.api.uploads import own_folder
from studio.core.errors import InputError, NotFoundError, StudioError
from studio.core.paths import can_be_path
from studio.core.plurals import counted
from studio.data.conversation import flaw
from studio.data.sources.folder import IMAGE_ENDINGS

MAX_FILES = 20_000
MOST_PIECES, MOST_PIECE_BYTES, MOST_HEAD = 500, 16 << 20, 1 << 20
LONGEST_NAME, MOST_PARTS = 1_000, 40
_UPLOADED = re.compile(r"[^\s'\"]*[\\/]folders[\\/][^\\/\s]+[\\/][0-9a-f]{16}\b(?:[\\/](\S?))?")
ZIP = "Put them into a ZIP file, or on the studio's machine and name their folder."


@dataclass(frozen=True)
class Piece:
    """A part of a file: where it begins in it, and how many bytes follow."""

    name: str
    start: int
    length: int


@dataclass(frozen=True)
class UploadedFiles:
    """What an upload holds.

    Attributes:
        key: By which its page names it.
        sizes: Bytes of each file, by its name below the folder.
        label: What it is, for people: `charts`, `pairs.jsonl and 24 images`.
        path: What is previewed and imported: the only file, else the innermost folder around all.
    """

    key: str
    folder: Path
    sizes: Mapping[str, int]

    @property
    def root(self) -> Path:
        """The innermost folder around all files."""
        parents = [PurePosixPath(name).parent for name in self.sizes]
        common = os.path.commonpath(parents) if parents else ""
        return self.folder / common

    @property
    def path(self) -> Path:
        return self.folder / next(iter(self.sizes)) if len(self.sizes) == 1 else self.root

    @property
    def label(self) -> str:
        if len(self.sizes) == 1 or self.root != self.folder:
            return self.path.name
        first = min(self.sizes, key=lambda name: (_is_image(name), name.count("/"), name))
        others = len(self.sizes) - 1
        return f"{PurePosixPath(first).name} and {counted(others, 'file')}"

    @property
    def name(self) -> str:
        """A name for the dataset: of the folder, else of the first file that is no image."""
        if len(self.sizes) > 1 and self.root != self.folder:
            return self.root.name
        first = min(self.sizes, key=lambda name: (_is_image(name), name.count("/"), name))
        return PurePosixPath(first).stem

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


@dataclass
class _Coming:
    """Files on their way into an upload: how many were announced, and what is here of them."""

    person: str
    upload: str
    folder: Path
    files: int
    bytes: int
    used: float
    sizes: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _Kept:
    person: str
    files: UploadedFiles
    used: float


@dataclass
class UploadFolders:
    """The uploads of this studio's import forms; each belongs to whoever sent it.

    Args:
        base: Where they are kept; each process has a folder of its own there.
        free: Bytes left on the disk of a folder.
    """

    base: Path
    clock: Callable[[], float] = time.time
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
    _own: Path | None = None
    _kept: dict[str, _Kept] = field(default_factory=dict, repr=False)
    _coming: dict[str, _Coming] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def begin(self, person: str, upload: str, files: int, size: int, largest: int) -> str:
        """Announce files, before any of them is sent; return the key their pieces come under.

        Args:
            upload: Key of the upload they join; empty for a new one.

        Raises:
            InputError: They are too many or too large.
            StudioError: The disk is nearly full.
            NotFoundError: There is no such upload, or it is somebody else's.
        """
        _check_announced(files, size, largest)
        with self._lock:
            self._sweep(uploads.KEPT_SECONDS)
            if upload:
                self.find(person, upload)
            if self._is_full(person, files, size):
                self._sweep(uploads.KEPT_WHEN_NEEDED, person, upload)
            if self._is_full(person, files, size):
                raise InputError(
                    f"With these you would have sent more than {uploads.MAX_PERSON >> 30} GB or "
                    f"{MAX_FILES:,} files.",
                    remedy="Remove an upload that you do not need; files nobody has used for half "
                    "an hour make room by themselves.",
                )
            folder = self._folder()
            if self.free(folder) - size < uploads.DISK_FLOOR:
                raise StudioError(
                    "The disk of the studio is nearly full; the files were not taken.",
                    remedy="Free some space there, then send them again.",
                )
            key = secrets.token_hex(8)
            (folder / f"{key}.coming").mkdir(mode=0o700)
            self._coming[key] = _Coming(
                person, upload, folder / f"{key}.coming", files, size, self.clock()
            )
            return key

    def write(self, person: str, key: str, pieces: Sequence[Piece], content: bytes) -> None:
        """Write pieces of announced files; `content` is theirs, one after the other.

        Raises:
            InputError: A name cannot be one, or they are not what was announced.
            NotFoundError: Nothing was announced under this key.
        """
        coming = self._find_coming(person, key)
        with coming.lock:
            if sum(piece.length for piece in pieces) != len(content):
                raise _broken()
            self._check_pieces(coming, pieces)
            at = 0
            for piece in pieces:
                path = coming.folder / piece.name
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("ab" if piece.start else "xb") as out:
                        out.write(content[at : at + piece.length])
                except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                    raise InputError(
                        f"Two files cannot both be kept: {piece.name!r} is there already.",
                        remedy="Give them different names.",
                    ) from error
                except OSError as error:
                    raise StudioError(
                        f"{piece.name!r} could not be written: {error.strerror or error}.",
                        remedy="Free some space on the studio's disk, then send the files again.",
                    ) from error
                at += piece.length
                coming.sizes[piece.name] = piece.start + piece.length
            coming.used = self.clock()

    def finish(self, person: str, key: str) -> UploadedFiles:
        """Let the announced files join their upload, all of them; return what it holds now.

        A file that the upload has already, with the same name, is replaced.

        Raises:
            InputError: Some of them have not come, or two of them cannot both be kept.
            NotFoundError: Nothing was announced under this key, or the upload has gone.
        """
        coming = self._find_coming(person, key)
        with self._lock, coming.lock:
            if len(coming.sizes) != coming.files or sum(coming.sizes.values()) != coming.bytes:
                raise InputError(
                    f"Only {len(coming.sizes):,} of {counted(coming.files, 'file')} have come.",
                    remedy="Send them again.",
                )
            if coming.upload:
                there = self.find(person, coming.upload)
                _check_together(there.sizes, coming.sizes)
                for name in coming.sizes:
                    target = there.folder / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (coming.folder / name).replace(target)
                shutil.rmtree(coming.folder, ignore_errors=True)
                made = replace(there, sizes={**there.sizes, **coming.sizes})
            else:
                folder = coming.folder.with_name(key)
                coming.folder.rename(folder)
                made = UploadedFiles(key, folder, dict(coming.sizes))
            del self._coming[key]
            self._kept[made.key] = _Kept(person, made, self.clock())
            return made

    def find(self, person: str, key: str) -> UploadedFiles:
        """Return what an upload holds. Raises NotFoundError."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.person != person:
                raise NotFoundError(
                    "The uploaded files are not here any more.",
                    remedy="Drop them again.",
                    field="data.source",
                )
            kept.used = self.clock()
            return kept.files

    def drop(self, person: str, key: str) -> None:
        """Delete an upload, or files on their way into one; nothing when it is not there."""
        with self._lock:
            kept, coming = self._kept.get(key), self._coming.get(key)
            if kept is not None and kept.person == person:
                del self._kept[key]
                shutil.rmtree(kept.files.folder, ignore_errors=True)
            if coming is not None and coming.person == person:
                del self._coming[key]
                with coming.lock:
                    shutil.rmtree(coming.folder, ignore_errors=True)

    def of_path(self, path: str) -> UploadedFiles | None:
        """Return the upload that a path imported from lies in."""
        with self._lock:
            for kept in self._kept.values():
                if Path(path).is_relative_to(kept.files.folder):
                    return kept.files
        return None

    def _folder(self) -> Path:
        if self._own is None:
            self._own = own_folder(self.base)
        return self._own

    def _find_coming(self, person: str, key: str) -> _Coming:
        with self._lock:
            coming = self._coming.get(key)
            if coming is None or coming.person != person:
                raise NotFoundError(
                    "This upload was stopped or took too long.", remedy="Send the files again."
                )
            return coming

    def _check_pieces(self, coming: _Coming, pieces: Sequence[Piece]) -> None:
        sizes = dict(coming.sizes)
        for piece in pieces:
            check_name(piece.name)
            if piece.start != sizes.get(piece.name, 0) or (not piece.start and piece.name in sizes):
                raise _broken()
            sizes[piece.name] = piece.start + piece.length
        if len(sizes) > coming.files or sum(sizes.values()) > coming.bytes:
            raise _broken()

    def _is_full(self, person: str, files: int, size: int) -> bool:
        theirs = [kept.files for kept in self._kept.values() if kept.person == person]
        coming = [one for one in self._coming.values() if one.person == person]
        bytes_held = sum(one.bytes for one in theirs) + sum(one.bytes for one in coming)
        files_held = sum(len(one.sizes) for one in theirs) + sum(one.files for one in coming)
        return bytes_held + size > uploads.MAX_PERSON or files_held + files > MAX_FILES

    def _sweep(self, older: float, person: str = "", but: str = "") -> None:
        """Delete uploads not used for so many seconds, and what broke off on its way."""
        now = self.clock()
        for key, kept in list(self._kept.items()):
            if now - kept.used > older and person in ("", kept.person) and key != but:
                self.drop(kept.person, key)
        for key, coming in list(self._coming.items()):
            if now - coming.used > uploads.TORN_SECONDS:
                self.drop(coming.person, key)


def without_folder(text: str) -> str:
    """Return a text without the folder that uploads are kept in, which says nothing to people."""
    return _UPLOADED.sub(lambda found: found[1] or "what was dropped", text)


def read_head(line: bytes) -> list[Piece]:
    """Read which pieces a request brings. Raises InputError when that cannot be read."""
    try:
        given = json.loads(line)
        pieces = [Piece(*one) for one in given]
        plain = isinstance(given, list) and all(
            isinstance(one.name, str) and type(one.start) is int and type(one.length) is int
            for one in pieces
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise _broken() from error
    if not plain or len(pieces) > MOST_PIECES:
        raise _broken()
    if any(one.start < 0 or one.length < 0 for one in pieces):
        raise _broken()
    return pieces


def check_name(name: str) -> None:
    """Refuse a name that would lead out of the upload, or that no file can have.

    Raises:
        InputError: It is absolute, has `..`, an empty part, or characters no name has.
    """
    parts = name.split("/")
    odd = (
        flaw(name)
        or any(unicodedata.category(letter) == "Cc" for letter in name)
        or "\\" in name
        or len(name) > LONGEST_NAME
        or len(parts) > MOST_PARTS
        or any(part in ("", ".", "..") for part in parts)
        or (len(parts[0]) > 1 and parts[0][1] == ":")
        or not can_be_path(name)
    )
    if odd:
        raise InputError(
            f"A file cannot be called {name[:80]!r} here.",
            remedy="Rename it to letters, digits, dots and dashes, and send the files again.",
        )


def _check_announced(files: int, size: int, largest: int) -> None:
    if files < 1:
        raise InputError("There is no file among these.", remedy="Choose files, or a folder.")
    if files > MAX_FILES:
        raise InputError(
            f"{files:,} files are more than the {MAX_FILES:,} that can be uploaded.", remedy=ZIP
        )
    if largest > uploads.MAX_FILE:
        raise InputError(
            f"One of the files is larger than {uploads.MAX_FILE >> 30} GB.",
            remedy="Put it on the studio's machine and name its path, or split it.",
        )
    if size > uploads.MAX_PERSON:
        raise InputError(
            f"The files have {size / (1 << 30):.1f} GB; {uploads.MAX_PERSON >> 30} GB can be "
            "uploaded.",
            remedy="Put them on the studio's machine and name their folder.",
        )


def _check_together(there: Mapping[str, int], more: Mapping[str, int]) -> None:
    """Refuse files one of which would have to be a folder for another."""
    names = sorted({*there, *more}, key=lambda name: name.split("/"))
    for one, after in pairwise(names):
        if after.startswith(f"{one}/"):
            raise InputError(
                f"{one!r} is a file, and {after!r} would lie in a folder of that name.",
                remedy="Rename one of them, or remove the upload and drop all files at once.",
            )


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_ENDINGS)


def _broken() -> InputError:
    return InputError("The upload was cut off or mixed up.", remedy="Send the files again.")
