"""Results kept in the workspace's cache under what they depend on; each is safe to delete."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from studio.core.paths import read_json, write_json

LIBRARIES = ("torch", "transformers", "trl", "peft")
MOST_KEPT = 500
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, OSError)
T = TypeVar("T")
logger = logging.getLogger(__name__)


def key_of(parts: Iterable[Any], texts: Iterable[str] = ()) -> str:
    """Return the digest plain values and texts, in this order, to 32 hexadecimal digits."""
    digest = hashlib.sha256()
    spelled = (json.dumps(part, sort_keys=True, default=str) for part in parts)
    for text in chain(spelled, texts):
        data = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:%b" % (len(data), data))  # 1, 2 is not 12
    return digest.hexdigest()[:32]


def read_note(file: Path, parse: Callable[[dict[str, Any]], T]) -> T | None:
    """Return what `parse` makes of what was kept; None without it, and when it is damaged."""
    try:
        values = read_json(file)
        return None if values is None else parse(values)
    except DAMAGED:
        logger.warning("The note %s is damaged, so it is made again.", file, exc_info=True)
        return None


def keep_note(file: Path, values: dict[str, Any]) -> None:
    """Keep `values`; the oldest notes beside it make room."""
    kept = sorted(file.parent.glob("*.json"), key=_age)
    for old in kept[: max(0, len(kept) - MOST_KEPT + 1)]:
        old.unlink(missing_ok=True)
    write_json(file, values, durable=False)


@cache
def libraries() -> tuple[str, ...]:
    """Return the versions of the libraries that a step is made of."""
    return tuple(version(name) for name in LIBRARIES)


@cache
def code_of(*folders: Path) -> str:
    """Return the digest of the modules in and below `folders`."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _age(file: Path) -> float:
    with suppress(FileNotFoundError):  # another process has just made room
        return file.stat().st_mtime
    return 0.0
