"""Files packed one by one (`.gz`, `.zst`, `.bz2`, `.xz`), unpacked within limits."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.core.errors import DataError, first_line, source_error
from studio.core.paths import Workspace, building

MAX_BYTES = 64 * 1024**3
MAX_RATIO = 200
SMALL = 1024 * 1024  # files below are no bomb, however well they are packed
KEPT = 4
_BLOCK = 1024 * 1024
_LAYOUT = "2"  # of what lies below `Workspace.unpacked`
# What reading packed data raises that are not what they were packed as.
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    EOFError,
)


def _zstd(path: Path) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _zstd,
    ".zstd": _zstd,
}
ENDINGS = tuple(_OPENERS)
"""Of single files that are packed."""
_OPENERS |= {".tgz": gzip.open, ".tbz2": bz2.open, ".txz": lzma.open, ".tzst": _zstd}


def unpacked_file(path: Path, workspace: Workspace) -> Path:
    """Unpack one compressed file once; return the file with its name less the last ending.

    Raises:
        DataError: It is damaged, or unpacks to far more than it is.
    """

    def fill(folder: Path) -> None:
        inflate(path, folder / path.stem, workspace)

    return unpacked_once([path], workspace, fill) / path.stem


def unpacked_once(paths: list[Path], workspace: Workspace, fill: Callable[[Path], None]) -> Path:
    """Return the folder that `fill` made of these files, now or the last time; keep a few such."""
    identity = _LAYOUT + "|".join(
        f"{path.resolve()}:{(facts := path.stat()).st_size}:{facts.st_mtime_ns}" for path in paths
    )
    target = workspace.unpacked / hashlib.sha256(identity.encode()).hexdigest()[:16]
    if target.is_dir():
        os.utime(target)  # the oldest goes first
        return target
    with as_reasons(paths[0]), building(target) as folder:
        fill(folder)
    there = sorted(workspace.unpacked.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
    for old in there[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def inflate(path: Path, target: Path, workspace: Workspace) -> None:
    """Unpack one compressed file to `target`, not a byte more than the limits allow."""
    most = min(MAX_BYTES, room(workspace))
    by_ratio = max(SMALL, MAX_RATIO * path.stat().st_size)
    written = 0
    with _OPENERS[path.suffix.lower()](path) as packed, target.open("wb") as unpacked:
        while block := packed.read(_BLOCK):
            written += len(block)
            if written > by_ratio:
                raise refused(
                    path, f"it unpacks to more than {MAX_RATIO} times its size", "Unpack it first."
                )
            if written > most:
                raise too_large(path, written, most)
            unpacked.write(block)


def room(workspace: Workspace) -> int:
    """Return how many bytes are free where files are unpacked."""
    return shutil.disk_usage(workspace.root).free


@contextmanager
def as_reasons(path: Path) -> Iterator[None]:
    """What reading packed data raises, as a sentence about the file."""
    try:
        yield
    except DataError:
        raise
    except _BROKEN as error:  # whose words are in the sentence: the log needs no traceback
        raise refused(path, f"it is damaged ({first_line(error)})", "Pack it again.") from None
    except ValueError as error:  # of damaged data as well, but perhaps of a fault here
        raise refused(path, f"it is damaged ({first_line(error)})", "Pack it again.") from error
    except OSError as error:
        if error.errno is None:  # so gzip and bzip2 say that their data are damaged
            raise refused(path, f"it is damaged ({error})", "Pack it again.") from None
        raise refused(
            path,
            f"it cannot be unpacked here ({error.strerror})",
            "Check the free space, or unpack it by hand and import the folder.",
        ) from error


def refused(path: Path, reason: str, remedy: str) -> DataError:
    """Make the error of a packed file that is not unpacked."""
    return source_error(f"{path.name} was not unpacked: {reason}.", remedy)


def too_large(path: Path, size: int, most: int) -> DataError:
    """Make the error of a packed file for which there is no room."""
    return refused(
        path,
        f"it unpacks to {size / 1024**3:,.1f} GB or more",
        f"There is room for {most / 1024**3:,.1f} GB; import its parts.",
    )
