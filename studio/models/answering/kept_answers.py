"""Answers on disk: what was computed once is known to every later evaluation of the same.

One file per model and adapter, one line per answer, written as soon as its batch is done. A writer
that is killed tears at most the last line, and a torn line is not read.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)
ENDING = ".jsonl"
MOST_BYTES = 1 << 30
"""Of all kept answers together; those of models not asked for longest go first."""


class KeptAnswers:
    """What one contestant said and scored, by what it was asked.

    Attributes:
        full: Why nothing more is kept; empty while it is.
    """

    def __init__(self, folder: Path | None, digest: str) -> None:
        self._path = folder / f"{digest}{ENDING}" if folder else None
        self._known: dict[str, dict[str, Any]] = {}
        self.full = ""
        if self._path is not None and self._path.exists():
            self._path.touch()
            prune(self._path.parent, MOST_BYTES, keep=self._path)
            for line in self._path.read_bytes().splitlines():
                self._read(line)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what is known by a key."""
        return self._known.get(key)

    def put(self, entries: Mapping[str, dict[str, Any]]) -> None:
        """Keep entries by their keys. A disk that is full costs the reuse only."""
        self._known.update(entries)
        if self._path is None or self.full or not entries:
            return
        lines = [json.dumps({"key": key, **value}) + "\n" for key, value in entries.items()]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab+") as handle:
                torn = handle.tell() and not _ends_whole(handle)
                handle.write(b"\n" * bool(torn) + "".join(lines).encode())
        except OSError as error:
            logger.warning("Answers cannot be kept in %s.", self._path, exc_info=True)
            self.full = f"Answers could not be kept: {error.strerror or error}."

    def _read(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            self._known[entry.pop("key")] = entry
        except (ValueError, KeyError, AttributeError, TypeError):
            return


def prune(folder: Path, most: int, *, keep: Path) -> None:
    """Delete the files of answers that were not used for longest, until all take `most` bytes.

    Args:
        keep: Stays, whatever it takes: it is in use.
    """
    found = []
    for path in folder.glob(f"*{ENDING}"):
        try:
            known = path.stat()
        except FileNotFoundError:  # another process was quicker
            continue
        found.append((known.st_mtime_ns, known.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most:
            return
        if path != keep:
            path.unlink(missing_ok=True)
            total -= size


def key_of(*parts: object) -> str:
    """Return one short name for everything an answer depends on."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def digest_of_folder(folder: Path, names: Iterable[str]) -> str:
    """Return 32 hexadecimal digits of files in a folder, those that are missing included."""
    digest = hashlib.sha256()
    for name in names:
        file = folder / name
        digest.update(f"{name} {file.is_file()} ".encode())
        if file.is_file():
            with file.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()[:32]


def _ends_whole(handle: Any) -> bool:
    handle.seek(-1, 2)
    return handle.read(1) == b"\n"
