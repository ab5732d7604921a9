"""Exports in the workspace: which there are, and one of them as a ZIP file that is streamed."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.annotation.export.hub_publish import MANIFEST
from studio.core.errors import NotFoundError
from studio.core.paths import Workspace, read_state

CHUNK = 1024 * 1024
COMPRESSED = frozenset((".parquet", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".zip"))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class KeptExport:
    """One export on disk.

    Attributes:
        name: Of its folder below `exports/`.
        made_at: Seconds since the epoch.
        size: Bytes of its files.
        rows: How many pairs or answers it holds; 0 where its manifest does not say.
    """

    name: str
    made_at: float
    size: int
    rows: int
    dataset: str
    format: str


def find_export(workspace: Workspace, name: str) -> Path:
    """Find the folder of an export. Raises NotFoundError for everything that is not one."""
    folder = workspace.exports / name
    if (
        not _NAME.fullmatch(name)
        or folder.is_symlink()
        or folder.resolve().parent != workspace.exports.resolve()
        or not (folder / MANIFEST).is_file()
    ):
        raise NotFoundError(f"There is no export {name[:80]!r}.", remedy="Reload the page.")
    return folder


def newest_exports(workspace: Workspace, most: int) -> tuple[list[KeptExport], int]:
    """List the newest exports, newest first, and count all of them."""
    dated = [
        (manifest.stat().st_mtime, manifest.parent.name)
        for manifest in workspace.exports.glob(f"*/{MANIFEST}")
        if _NAME.fullmatch(manifest.parent.name) and not manifest.parent.is_symlink()
    ]
    newest = sorted(dated, reverse=True)[:most]
    return [describe(workspace.exports / name) for _, name in newest], len(dated)


def describe(folder: Path) -> KeptExport:
    """Describe one export by its manifest and its files."""
    manifest = read_state(folder / MANIFEST)
    rows = manifest.get("pairs", manifest.get("answers", 0))
    made_at = manifest.get("exported_at")
    if not isinstance(made_at, int | float):
        made_at = (folder / MANIFEST).stat().st_mtime
    return KeptExport(
        name=folder.name,
        made_at=float(made_at),
        size=sum(path.stat().st_size for path in _files(folder)),
        rows=rows if isinstance(rows, int) else 0,
        dataset=str(manifest.get("dataset", "")),
        format=str(manifest.get("format", "trl")),
    )


def archive(folder: Path) -> Iterator[bytes]:
    """Stream the files of an export as a ZIP file; never more than one part is in memory."""
    sink: Any = _Sink()  # what of a file a ZIP that is only written needs
    with zipfile.ZipFile(sink, "w") as target:
        for path in _files(folder):
            info = zipfile.ZipInfo.from_file(path, f"{folder.name}/{path.relative_to(folder)}")
            packed = path.suffix.lower() in COMPRESSED
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, target.open(info, "w") as entry:
                while part := source.read(CHUNK):
                    entry.write(part)
                    yield sink.take()
    yield sink.take()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


class _Sink:
    """A file that is written only, and from which what was written is taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Do nothing: there is no file below that could be flushed."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
