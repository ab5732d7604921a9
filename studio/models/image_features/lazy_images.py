"""Rows whose images are named, not decoded, so that a cached image is never read as pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from datasets import Dataset
from PIL import Image

from studio.data.image_decoding import open_image
from studio.data.image_store import named_sha
from studio.data.trl_format import SCORED, bare


@dataclass(frozen=True)
class ImageRef:
    """One image: where its bytes are, and the sha256 (hex) of its content."""

    key: str
    source: str | bytes | Image.Image

    def pixels(self) -> Image.Image:
        """Decode: RGB, upright. Raises DataError when it cannot be decoded."""
        return self.source if isinstance(self.source, Image.Image) else open_image(self.source)


def image_ref(value: Any) -> ImageRef:
    """Return the reference of a cell of an `images` column: a path, bytes, a picture, or Arrow's
    struct.
    """
    if isinstance(value, ImageRef):
        return value
    if isinstance(value, dict):
        value = value["bytes"] or value["path"]
    if isinstance(value, Image.Image):
        header = f"{value.mode} {value.size}".encode()
        return ImageRef(hashlib.sha256(header + value.tobytes()).hexdigest(), value)
    if isinstance(value, bytes):
        return ImageRef(hashlib.sha256(value).hexdigest(), value)
    path = Path(value)
    if sha := named_sha(path):  # hashed when it came into the workspace
        return ImageRef(sha, str(path))
    stat = path.stat()
    return ImageRef(_file_key(str(path), stat.st_size, stat.st_mtime_ns), str(path))


def with_refs(dataset: Dataset) -> Dataset:
    """Return `dataset` with references in its `images` column instead of decoded images."""
    return dataset.with_transform(_columns)


def _columns(batch: dict[str, list]) -> dict[str, list]:
    return {name: [_cell(name, value) for value in values] for name, values in batch.items()}


def _cell(name: str, value: Any) -> Any:
    if name == "images":
        return [image_ref(cell) for cell in value]
    return value if name == SCORED else bare(value)


@lru_cache(maxsize=65536)
def _file_key(path: str, size: int, modified: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
