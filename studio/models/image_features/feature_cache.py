"""Features of images on disk, across epochs and runs.

One folder per fingerprint of what makes features (weights, processor settings, number format),
one file per image. Any number of runs may read and fill it at once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from studio.models.image_features.cache_files import CacheRecord, read_record, write_record
from studio.models.image_features.row_token_ids import ImageExpansion, Preprocessed

SPARE = 1 << 30


@dataclass
class Hits:
    """How often a cache was asked and had the answer."""

    found: int = 0
    missed: int = 0

    def clear(self) -> None:
        """Count from zero."""
        self.found = self.missed = 0

    @property
    def rate(self) -> float:
        """Share found, 0…1."""
        return self.found / max(1, self.found + self.missed)


@dataclass
class FeatureCache:
    """The features one model makes.

    Attributes:
        folder: Where this model's files are.
        budget: Most bytes the files of all models together may take; nothing is added beyond.
    """

    folder: Path
    budget: int
    hits: Hits = field(default_factory=Hits)
    full: str = ""
    expansions: dict[str, ImageExpansion] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.used = sum(stat.st_size for _, stat in _files(self.folder.parent))

    def holds(self, key: str) -> bool:
        """Return whether there is a file for an image, checked or not."""
        return self._path(key).exists()

    def expansion(self, key: str) -> ImageExpansion | None:
        """Return what stands for an image in a prompt; None when its features must be computed."""
        if key not in self.expansions:
            record = read_record(self._path(key))
            if record is None:
                return None
            with suppress(FileNotFoundError):  # another run has just made room
                os.utime(self._path(key))
            self.expansions[key] = _expansion(record)
        return self.expansions[key]

    def get(self, key: str) -> torch.Tensor | None:
        """Return the features of an image, (image tokens, hidden size); None when they must be
        computed.

        A file is checked against its checksum when this process first reads it.
        """
        record = read_record(self._path(key), check=key not in self.expansions)
        if record is None:
            self.expansions.pop(key, None)
            self.hits.missed += 1
            return None
        self.hits.found += 1
        self.expansions[key] = _expansion(record)
        flat = torch.from_numpy(np.frombuffer(record.body, dtype=np.uint8).copy())
        return flat.view(getattr(torch, record.about["dtype"])).view(record.about["shape"])

    def put(self, key: str, made: Preprocessed, features: torch.Tensor) -> None:
        """Keep the features of an image, while the budget and the disk allow."""
        size = features.numel() * features.element_size()
        if self.full or not self._fits(size):
            return
        about = {
            "dtype": str(features.dtype).removeprefix("torch."),
            "shape": list(features.shape),
            "expansion": list(made.expansion.tokens),
            "grid": list(made.expansion.grid),
        }
        body = features.detach().contiguous().cpu().view(torch.uint8).numpy().tobytes()
        try:
            self.used += write_record(self._path(key), about, body)
        except OSError as error:
            self.full = f"features could not be written: {error.strerror or error}"

    def _fits(self, size: int) -> bool:
        if self.used + size > self.budget:
            self.full = f"the cache has reached its budget of {self.budget / 2**30:.1f} GiB"
        elif shutil.disk_usage(self.folder).free - size < SPARE:
            self.full = "the disk is nearly full"
        return not self.full

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.bin"


def _expansion(record: CacheRecord) -> ImageExpansion:
    return ImageExpansion(tuple(record.about["expansion"]), tuple(record.about["grid"]))


def _files(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file of every model below `root`, but those that another run removes meanwhile."""
    for path in root.glob("*/*/*.bin"):
        with suppress(FileNotFoundError):
            yield path, path.stat()


def prune(root: Path, budget: int, keep: Path) -> int:
    """Delete the files of `root` unused the longest, until all take at most `budget` bytes.

    Those below `keep` go last. Returns the bytes freed.
    """
    files = list(_files(root))
    excess = sum(stat.st_size for _, stat in files) - budget
    freed = 0
    for path, stat in sorted(files, key=lambda f: (keep in f[0].parents, f[1].st_mtime)):
        if freed >= excess:
            break
        path.unlink(missing_ok=True)
        freed += stat.st_size
    return freed
