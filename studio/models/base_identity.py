"""Whether the model that an adapter was trained on is the one that it is put on.

An adapter's description names its base model by a hub id or by a path on the machine it was made
on. Two names mean the same model when they are the same name, or when the files behind both are
here and hold the same weights. Equal last parts of two names prove nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from studio.core.paths import EMBEDDED, TINY_VLM

BLOCKS = 16
BLOCK = 64 * 1024
"""Of each weights file so many blocks of so many bytes are compared, evenly spaced."""
NAMES = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")
"""Entries of a configuration that say where a model is or how it was saved, not what it is."""
_CACHED = re.compile(r"(?:^|/)models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/[^/]+$")


def is_same_base(recorded: str, model_id: str) -> bool:
    """Compare the base model that an adapter names with the one that is used.

    Returns:
        Whether both are one model: by name, or by the files behind the names.
    """
    ours, theirs = plain_name(model_id), plain_name(recorded)
    if ours == theirs:
        return True
    known = _fingerprint_of(theirs)
    return known is not None and known == _fingerprint_of(ours)


def plain_name(base: str) -> str:
    """Return one spelling for each way to write the name of a model."""
    text = base.replace("\\", "/").rstrip("/")
    if text == EMBEDDED or text.endswith("assets/tiny-vlm"):
        return EMBEDDED
    cached = _CACHED.search(text)
    if cached:
        return f"{cached['owner']}/{cached['name']}"
    return str(Path(base).resolve()) if _is_folder(base) else text


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # too long for a path
        return False


def _fingerprint_of(name: str) -> str | None:
    folder = _folder_of(name)
    if folder is None:
        return None
    files = sorted([*folder.glob("*.safetensors"), folder / "config.json"])
    if len(files) < 2 or not all(file.is_file() for file in files):  # links may be broken
        return None
    stamps = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _fingerprint(stamps)


def _folder_of(name: str) -> Path | None:
    if name == EMBEDDED:
        return TINY_VLM
    if _is_folder(name):
        return Path(name)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return None
    try:
        found = try_to_load_from_cache(name, "config.json")
    except ValueError:  # no name that the hub would have
        return None
    return Path(found).parent if isinstance(found, str) else None


@lru_cache(maxsize=64)
def _fingerprint(stamps: tuple[tuple[str, int, int], ...]) -> str | None:
    digest = hashlib.sha256()
    for name, size, _ in stamps:
        file = Path(name)
        if file.name == "config.json":
            try:
                values = json.loads(file.read_text(encoding="utf-8"))
                kept = {key: value for key, value in values.items() if key not in NAMES}
            except (ValueError, AttributeError):
                return None  # no JSON object: it says nothing about the model
            digest.update(json.dumps(kept, sort_keys=True).encode())
            continue
        digest.update(f"{file.name} {size}".encode())
        with file.open("rb") as handle:
            for block in range(BLOCKS):
                handle.seek(max(0, size - BLOCK) * block // (BLOCKS - 1))
                digest.update(handle.read(BLOCK))
    return digest.hexdigest()
