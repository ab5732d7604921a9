"""Reference log-probabilities: computed when a row is first seen, read ever after.

The reference never changes during a run, so a row's two numbers do not either. They are kept by
what they depend on: the tokens and images of the row, and the fingerprint of the reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from studio.models.image_features.feature_cache import Hits
from studio.training.fast_path.shared_prompt_layout import Strand

LINE = "{key} {chosen!r} {rejected!r} {check}\n"


@dataclass
class ReferenceCache:
    """The numbers of one reference, in memory and appended to one file per process.

    Attributes:
        folder: Where all processes and runs with this reference keep their files.
        writer: Name of this process's file.
    """

    folder: Path
    writer: str
    known: dict[str, tuple[float, float]] = field(default_factory=dict)
    hits: Hits = field(default_factory=Hits)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.txt"):
            for line in path.read_text(encoding="ascii", errors="replace").splitlines():
                self._read(line)

    def get(self, keys: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Chosen and rejected log-probabilities (rows,), when all rows are known."""
        rows = [self.known.get(key) for key in keys]
        if None in rows:
            self.hits.missed += len(keys)
            return None
        self.hits.found += len(keys)
        chosen, rejected = zip(*rows, strict=True)
        return torch.tensor(chosen), torch.tensor(rejected)

    def put(self, keys: Sequence[str], chosen: torch.Tensor, rejected: torch.Tensor) -> None:
        """Keep what was computed. A disk that is full costs the reuse across runs only."""
        lines = []
        for key, first, second in zip(keys, chosen.tolist(), rejected.tolist(), strict=True):
            self.known[key] = (first, second)
            check = _check(key, first, second)
            lines.append(LINE.format(key=key, chosen=first, rejected=second, check=check))
        try:
            with (self.folder / f"{self.writer}.txt").open("a", encoding="ascii") as handle:
                handle.write("".join(lines))
        except OSError:
            return

    def _read(self, line: str) -> None:
        parts = line.split(" ")
        if len(parts) != 4:
            return
        try:
            chosen, rejected = float(parts[1]), float(parts[2])
        except ValueError:
            return
        if parts[3] == _check(parts[0], chosen, rejected):
            self.known[parts[0]] = (chosen, rejected)


def row_keys(strands: Sequence[Strand]) -> tuple[str, ...]:
    """Return the name of each pair, from its tokens and its images' content.

    Args:
        strands: All chosen answers, then all rejected ones.
    """
    half = len(strands) // 2
    return tuple(_row_key(pair) for pair in zip(strands[:half], strands[half:], strict=True))


def _row_key(pair: Sequence[Strand]) -> str:
    digest = hashlib.sha256(" ".join(pair[0].images).encode())
    for strand in pair:
        digest.update(b"|" + strand.ids.tobytes())
        digest.update(strand.scored.astype(np.int64).tobytes())
    return digest.hexdigest()[:40]


def _check(key: str, chosen: float, rejected: float) -> str:
    return hashlib.sha256(f"{key} {chosen!r} {rejected!r}".encode()).hexdigest()[:8]
