"""What a list says of each run, parsed once per change of its run file and kept on disk.

Opening a workspace with hundreds of runs must not parse hundreds of YAML files; the index in
`cache/` can be deleted at any time.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from studio.config import RunConfig, yaml_text
from studio.core.errors import first_line
from studio.core.paths import RunPaths, Workspace, read_json, write_json

Stamp = tuple[int, int]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunCard:
    """A run in one line; `readable` is False when its run file is not."""

    name: str = ""
    method: str = ""
    model: str = ""
    quantization: str = "none"
    rank: int = 0
    source: str = ""
    readable: bool = True


class CardIndex:
    """Cards of the runs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.path = workspace.run_cards
        self._lock = threading.Lock()
        self._cards: dict[str, tuple[Stamp, RunCard]] | None = None
        self._changed = False

    def get(self, paths: RunPaths) -> RunCard | None:
        """Return the card of a run; None when it has no run file."""
        now = stamp(paths.config)
        if now is None:
            return None
        with self._lock:
            if self._cards is None:
                self._cards = self._load()
            known = self._cards.get(paths.run_id)
            if known is None or known[0] != now:
                self._cards[paths.run_id] = known = (now, _read(paths))
                self._changed = True
            return known[1]

    def save(self) -> None:
        """Write the index when it has grown."""
        with self._lock:
            if self._changed and self._cards is not None:
                self._changed = False
                entries = {key: [when, asdict(card)] for key, (when, card) in self._cards.items()}
                write_json(self.path, {"cards": entries})

    def _load(self) -> dict[str, tuple[Stamp, RunCard]]:
        names = {item.name for item in fields(RunCard)}
        try:
            entries = (read_json(self.path) or {}).get("cards", {})
            return {
                key: (tuple(when), RunCard(**card))
                for key, (when, card) in entries.items()
                if set(card) == names
            }
        except (ValueError, TypeError, AttributeError):
            logger.exception("%s is damaged, so it is made again.", self.path)
            return {}


def stamp(path: Path) -> Stamp | None:
    """Return what changes whenever a file is replaced or appended to; None without a file."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):  # a stray file among the runs' folders
        return None
    return found.st_mtime_ns, found.st_size


def _read(paths: RunPaths) -> RunCard:
    try:
        values = yaml_text.read(paths.config)
        return _card(values)
    except (OSError, TypeError, AttributeError, ValueError) as error:
        # Somebody else's file, looked at again whenever runs are listed: its reason says enough.
        logger.warning("The run file %s cannot be read: %s", paths.config, first_line(error))
        return RunCard(name=paths.run_id, readable=False)


def _card(values: dict[str, Any]) -> RunCard:
    if set(values) - set(RunConfig.model_fields):
        raise ValueError("unknown settings")
    model, adapter = values.get("model", {}), values.get("adapter", {})
    return RunCard(
        name=str(values["name"]) if "name" in values else "run",
        method=str(values.get("method", "sft")),
        model=str(model.get("id", "embedded")),
        quantization=str(model.get("quantization", "none")),
        rank=int(adapter.get("rank", 0)) if adapter else 0,
        source=str((values.get("data") or {}).get("source", "")),
    )
