"""Small files that hold one checked record each; safe to share, to kill a writer of, and to delete.

A record is written under another name and renamed, so it is there or not; its checksum is read
with it, so a damaged one counts as absent and is removed.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"VLMSC001"
HEADER = struct.Struct("<8sIQ32s")


@dataclass(frozen=True)
class CacheRecord:
    """What a file holds: a description and raw bytes."""

    about: dict[str, Any]
    body: memoryview


def write_record(path: Path, about: dict[str, Any], body: bytes | memoryview) -> int:
    """Write one file; bytes written. Raises OSError, for example when the disk is full."""
    described = json.dumps(about).encode()
    digest = hashlib.sha256(described)
    digest.update(body)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as handle:
            handle.write(HEADER.pack(MAGIC, len(described), len(body), digest.digest()))
            handle.write(described)
            handle.write(body)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return HEADER.size + len(described) + len(body)


def read_record(path: Path, *, check: bool = True) -> CacheRecord | None:
    """Return the record in `path`, mapped into memory; None when there is none or it is damaged.

    Args:
        check: Compare the checksum; without it only the length is looked at.
    """
    try:
        with path.open("rb") as handle:
            mapped = memoryview(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        return None
    except ValueError:
        mapped = memoryview(b"")
    record = _parsed(mapped, check=check)
    if record is None:
        path.unlink(missing_ok=True)
    return record


def _parsed(mapped: memoryview, *, check: bool) -> CacheRecord | None:
    if len(mapped) < HEADER.size:
        return None
    magic, described, length, digest = HEADER.unpack(mapped[: HEADER.size])
    content = mapped[HEADER.size :]
    if magic != MAGIC or len(content) != described + length:
        return None
    if check and hashlib.sha256(content).digest() != digest:
        return None
    return CacheRecord(json.loads(bytes(content[:described])), content[described:])
