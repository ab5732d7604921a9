"""The members of a tar file, told without unpacking them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import IO

from studio.data.sources.archive_member import Member
from studio.data.sources.text_encoding import CHINESE

LONGEST_READ = 16 * 1024 * 1024
"""Bytes that are read in one go; a header that claims more is no header."""


class TarMembers:
    """Reads a plain tar file; nothing in it is trusted."""

    def __init__(self, path: Path) -> None:
        self._file = _Capped(str(path))
        self._tar = tarfile.open(fileobj=self._file, mode="r:", errorlevel=2)  # noqa: SIM115

    def __enter__(self) -> TarMembers:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        self._file.close()

    def members(self, most: int) -> list[Member]:
        """List what is in it; one more than `most` at most."""
        found: list[Member] = []
        while len(found) <= most and (info := self._tar.next()) is not None:
            setattr(self._tar, "members", [])  # noqa: B010 - it would keep them all
            found.append(_member(info))
        return found

    def open(self, member: Member) -> IO[bytes]:
        """Open the bytes of a regular member."""
        file = self._tar.extractfile(member.handle)
        if file is None:
            raise ValueError(f"{member.name} has no content")
        return file


def _member(info: tarfile.TarInfo) -> Member:
    problem = ""
    if not (info.isreg() or info.isdir()) or info.issparse():
        problem = "is a link or a device"
    return Member(_name(info), info.size, info.size, info.isdir(), info, problem)


def _name(info: tarfile.TarInfo) -> str:
    """The name of a member; one that is not UTF-8 is Chinese, as far as anybody can tell."""
    raw = info.name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(CHINESE, "replace")


class _Capped(io.FileIO):
    """A file to read from that refuses to read very much at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= LONGEST_READ:
            raise ValueError("a header that is too long")
        return super().read(size) or b""
