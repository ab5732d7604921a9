"""The members of a ZIP file, told without unpacking them."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import IO

from studio.data.sources.archive_member import Member
from studio.data.sources.text_encoding import CHINESE

_UTF8_NAME = 0x800
_UNMARKED = "cp437"
"""How Python reads a name that does not say what it is written in."""


class ZipMembers:
    """Reads a ZIP file; nothing in it is trusted."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)

    def __enter__(self) -> ZipMembers:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def members(self, most: int) -> list[Member]:
        """List what is in it; more than `most` are listed too, their number is known anyway."""
        infos = self._zip.infolist()
        encoding = _encoding([info for info in infos if not info.flag_bits & _UTF8_NAME])
        return [_member(info, encoding) for info in infos]

    def open(self, member: Member) -> IO[bytes]:
        """Open the bytes of a member."""
        return self._zip.open(member.handle)


def _encoding(unmarked: list[zipfile.ZipInfo]) -> str:
    """How the names are written that do not say it; those of one archive alike."""
    raw = [name for info in unmarked if not (name := _raw_name(info)).isascii()]
    for encoding in ("utf-8", CHINESE):
        if raw and all(_is(name, encoding) for name in raw):
            return encoding
    return _UNMARKED


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    try:
        return info.filename.encode(_UNMARKED)
    except UnicodeEncodeError:
        return b""


def _is(name: bytes, encoding: str) -> bool:
    try:
        text = name.decode(encoding)
        if encoding == CHINESE:  # a Western name read so has rare characters
            text.encode("gb2312")
    except UnicodeError:
        return False
    return True


def _member(info: zipfile.ZipInfo, encoding: str) -> Member:
    name = info.filename
    if encoding != _UNMARKED and not info.flag_bits & _UTF8_NAME and not name.isascii():
        name = _raw_name(info).decode(encoding, "replace")
    kind = stat.S_IFMT(info.external_attr >> 16)
    flaw = ""
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        flaw = "is a link or a device"
    elif info.flag_bits & 0x1:
        flaw = "is encrypted"
    return Member(name, info.file_size, info.compress_size, info.is_dir(), info, flaw)
