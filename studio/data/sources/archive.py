"""ZIP files: everything is checked before anything is unpacked, then they are read as folders."""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from studio.core.errors import DataError, first_line, source_error
from studio.core.paths import Workspace, building
from studio.data.sources import folder as folders
from studio.data.sources.files import ENDINGS, existing_file
from studio.data.sources.reader import Reader

ENDING = ".zip"
UNPACKED_ENDINGS = (*ENDINGS, *folders.IMAGE_ENDINGS, ".txt")
MAX_FILES = 300_000
MAX_BYTES = 64 * 1024**3
MAX_RATIO = 200
SMALL = 1024 * 1024  # files below are no bomb, however well they are packed
KEPT = 4
# What reading a member raises whose bytes are not what they were packed as.
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    EOFError,
    ValueError,
)


def matches(spec: str, workspace: Workspace) -> bool:
    return Path(spec).suffix.lower() == ENDING


def open_reader(spec: str, split: str | None, workspace: Workspace, field: str) -> Reader:
    """Read an archive like a folder. Raises DataError naming the member at fault."""
    path = existing_file(spec)
    folder = unpack(path, workspace)
    # Archives of a folder have it as the only one in them.
    while len(inside := list(folder.iterdir())) == 1 and inside[0].is_dir():
        folder = inside[0]
    reader = folders.open_reader(str(folder), split, workspace, field)
    reader.label = f"ZIP file {path.name}: {reader.label}"
    return reader


def unpack(path: Path, workspace: Workspace) -> Path:
    """Unpack the data files, images and captions of an archive once; return the folder.

    Raises:
        DataError: It is damaged, or a member leads outside, is a link, is encrypted, or unpacks
            to far more than it is.
    """
    facts = path.stat()
    identity = f"{path.resolve()}:{facts.st_size}:{facts.st_mtime_ns}"
    target = workspace.unpacked / hashlib.sha256(identity.encode()).hexdigest()[:16]
    if target.is_dir():
        os.utime(target)  # the oldest goes first
        return target
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked(path, archive, workspace)
            with building(target) as folder:
                for member in members:
                    file = folder / _inside(member)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as packed, file.open("wb") as unpacked:
                        shutil.copyfileobj(packed, unpacked, 1024 * 1024)
    except DataError:
        raise
    except _BROKEN as error:
        raise _refused(path, f"it is damaged ({first_line(error)})", "Pack it again.") from error
    except OSError as error:
        if error.errno is None:  # so bzip2 says that its data are damaged
            raise _refused(path, f"it is damaged ({error})", "Pack it again.") from error
        raise _refused(
            path,
            f"it cannot be unpacked here ({error.strerror})",
            "Check the free space, or unpack it by hand and import the folder.",
        ) from error
    there = sorted(workspace.unpacked.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
    for old in there[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def _checked(path: Path, archive: zipfile.ZipFile, workspace: Workspace) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise _refused(path, f"it holds {len(members):,} files", f"Keep below {MAX_FILES:,}.")
    for member in members:
        problem = _problem(member)
        if problem:
            raise _refused(path, f"{member.filename[:80]!r} {problem}", "Pack it again without.")
    files = [member for member in members if not member.is_dir() and _wanted(member)]
    # A disk that ignores case would write one of the two over the other.
    names = {_inside(member).lower() for member in files}
    if len(names) < len(files):
        raise _refused(path, "two files in it have the same name", "Pack it again.")
    total = sum(member.file_size for member in files)
    free = shutil.disk_usage(workspace.root).free
    if total > min(MAX_BYTES, free):
        raise _refused(
            path,
            f"it unpacks to {total / 1024**3:,.1f} GB",
            f"There is room for {min(MAX_BYTES, free) / 1024**3:,.1f} GB; import its parts.",
        )
    return files


def _problem(member: zipfile.ZipInfo) -> str:
    """Why a member must not be unpacked; empty when it may."""
    name = _inside(member)
    if name.startswith("/") or ".." in PurePosixPath(name).parts or re.match("[A-Za-z]:", name):
        return "leads outside the archive"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.file_size > SMALL and member.file_size > MAX_RATIO * max(1, member.compress_size):
        return f"unpacks to more than {MAX_RATIO} times its size"
    return ""


def _inside(member: zipfile.ZipInfo) -> str:
    """The name of a member; some programs write those of Windows."""
    return member.filename.replace("\\", "/")


def _wanted(member: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(_inside(member))
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.parts)
    return not hidden and name.suffix.lower() in UNPACKED_ENDINGS


def _refused(path: Path, reason: str, remedy: str) -> DataError:
    return source_error(f"{path.name} was not unpacked: {reason}.", remedy)
