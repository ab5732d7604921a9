"""ZIP and tar files: checked before anything is unpacked, then read as folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.data.schema import FileGroup
from studio.data.sources import compression, files
from studio.data.sources import folder as folders
from studio.data.sources.archive_member import Member
from studio.data.sources.compression import (
    MAX_BYTES,
    inflate,
    refused,
    room,
    too_large,
    unpacked_once,
)
from studio.data.sources.file_census import State, grouped, is_hidden, unused
from studio.data.sources.file_kinds import IMAGE_ENDINGS, NOTE_ENDINGS, may_hold_rows
from studio.data.sources.files import existing_file
from studio.data.sources.reader import Reader
from studio.data.sources.tar_members import TarMembers
from studio.data.sources.zip_members import ZipMembers

ENDING = ".zip"
TAR_ENDINGS = (".tar", ".tgz", ".tbz2", ".txz", ".tzst")
UNPACKED_ENDINGS = (*files.ENDINGS, *IMAGE_ENDINGS, *NOTE_ENDINGS)
MAX_FILES = 300_000
FILES, LEFT_OUT = "files", "left-out.json"


class Members(Protocol):
    """An archive that is open."""

    def members(self, most: int) -> list[Member]: ...
    def open(self, member: Member): ...


def is_tar(name: str) -> bool:
    """Return whether a file of this name is a tar file, packed or not."""
    path = PurePosixPath(name.lower())
    inner = PurePosixPath(path.stem).suffix if path.suffix in compression.ENDINGS else path.suffix
    return inner in TAR_ENDINGS or path.suffix in TAR_ENDINGS


def bare_name(name: str) -> str:
    """Return the name of a file of rows or an archive without its endings: `pairs` of `pairs.tar.gz`."""
    path = PurePosixPath(name)
    if path.suffix.lower() in compression.ENDINGS:
        path = PurePosixPath(path.stem)
    known = path.suffix.lower() in (*files.ENDINGS, ENDING, *TAR_ENDINGS)
    return path.stem if known else path.name


def matches(spec: str, workspace: Workspace) -> bool:
    return Path(spec).suffix.lower() == ENDING or is_tar(Path(spec).name)


def open_reader(spec: str, split: str | None, workspace: Workspace, field: str) -> Reader:
    """Read an archive like a folder. Raises DataError naming the member at fault."""
    path = existing_file(spec)
    reader = read_shards([path], split, workspace, field)
    kind = "tar" if is_tar(path.name) else "ZIP"
    reader.label = f"{kind} file {path.name}: {reader.label}"
    return reader


def read_shards(
    paths: Sequence[Path], split: str | None, workspace: Workspace, field: str
) -> Reader:
    """Read one archive, or several that are parts of one, like a folder. Raises DataError."""
    target = unpack(paths, workspace)
    folder = target / FILES
    # Archives of a folder have it as the only one in them.
    while len(inside := list(folder.iterdir())) == 1 and inside[0].is_dir():
        folder = inside[0]
    left_out = [
        FileGroup(**{**one, "examples": tuple(one["examples"])})
        for one in json.loads((target / LEFT_OUT).read_text(encoding="utf-8"))
    ]
    reader = folders.read_folder(folder, split, workspace, field, by_key=is_tar(paths[0].name))
    reader.left_out = left_out
    return reader


def unpack(paths: Sequence[Path], workspace: Workspace) -> Path:
    """Unpack the data files, images and notes of archives once.

    Returns:
        A folder with `FILES`, and `LEFT_OUT`: what was not unpacked, and why.

    Raises:
        DataError: One is damaged, or a member leads outside, is a link, is encrypted, or unpacks
            to far more than it is.
    """

    def fill(folder: Path) -> None:
        space = min(MAX_BYTES, room(workspace))
        left_out: list[tuple[str, State, str, bool]] = []
        for path in paths:
            inside = folder / FILES
            if len(paths) > 1:
                inside /= path.name.split(".")[0] or path.name
            inside.mkdir(parents=True, exist_ok=True)
            with compression.as_reasons(path):
                space -= _unpack_one(path, folder, inside, space, left_out, workspace)
        groups = [vars(group) for group in grouped(left_out)]
        (folder / LEFT_OUT).write_text(json.dumps(groups), encoding="utf-8")

    return unpacked_once(list(paths), workspace, fill)


def _unpack_one(
    path: Path,
    folder: Path,
    inside: Path,
    space: int,
    left_out: list[tuple[str, State, str, bool]],
    workspace: Workspace,
) -> int:
    """Unpack one archive into `inside`; return how many bytes that took."""
    plain, packed = path, folder / "packed.tar"
    if is_tar(path.name) and path.suffix.lower() != ".tar":
        inflate(path, packed, workspace)
        plain = packed
    kind = TarMembers if is_tar(path.name) else ZipMembers
    with kind(plain) as archive:
        members = _checked(path, archive, space)
        left_out += [
            (member.inside, *unused(member.inside), _is_table(member.inside))
            for member in members
            if not _wanted(member)
        ]
        wanted = [member for member in members if _wanted(member)]
        for member in wanted:
            file = inside / member.inside
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, file.open("wb") as unpacked:
                shutil.copyfileobj(source, unpacked, 1024 * 1024)
    packed.unlink(missing_ok=True)
    return sum(member.size for member in wanted)


def _checked(path: Path, archive: Members, space: int) -> list[Member]:
    """The files of an archive, all of which may be unpacked."""
    members = archive.members(MAX_FILES)
    if len(members) > MAX_FILES:
        raise refused(
            path, f"it holds more than {counted(MAX_FILES, 'file')}", f"Keep below {MAX_FILES:,}."
        )
    for member in members:
        if member.problem:
            raise refused(path, f"{member.name[:80]!r} {member.problem}", "Pack it again without.")
    found = [member for member in members if not member.is_folder]
    wanted = [member for member in found if _wanted(member)]
    # A disk that ignores case would write one of the two over the other.
    if len({member.inside.lower() for member in wanted}) < len(wanted):
        raise refused(path, "two files in it have the same name", "Pack it again.")
    total = sum(member.size for member in wanted)
    if total > space:
        raise too_large(path, total, space)
    return found


def _is_table(name: str) -> bool:
    """Whether a member that is not unpacked may hold rows."""
    return may_hold_rows(name) and not is_hidden(name)


def _wanted(member: Member) -> bool:
    name = member.inside
    wanted = files.is_data(name) or PurePosixPath(name).suffix.lower() in UNPACKED_ENDINGS
    return wanted and not is_hidden(name)
