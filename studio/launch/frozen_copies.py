"""Frozen copies of library rows: which one holds the library as it is, and which nobody needs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from studio.annotation import ItemFilter
from studio.core.paths import Workspace, read_json, write_json
from studio.data.manifest import LIBRARY_SPEC, MANIFEST, FrozenExport, list_exports
from studio.data.trl_format import Method

IN_USE_SECONDS = 900.0  # a plan or a dry step may still be reading it
KEPT_NOTES = 500
_NAMED = re.compile(r"exports/([\w.-]+)")


@dataclass(frozen=True)
class Frozen:
    """A frozen copy of library rows.

    Attributes:
        source: What a run file calls it: `exports/<name>-<hash>`; empty when no row was left.
        rows: Rows by split.
        left_out: Items left out, by reason.
    """

    source: str
    rows: dict[str, int]
    left_out: dict[str, int] = field(default_factory=dict)


class Copies:
    """The automatic copies of a workspace, with a note of what each was made from."""

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = time.time) -> None:
        self._workspace, self._clock = workspace, clock

    def find(self, where: ItemFilter, method: Method, state: str) -> Frozen | None:
        """The copy of these rows, made when the dataset was in this state; marked as used."""
        note = read_json(self._note(where, method, state))
        if note is None:
            return None
        found = Frozen(**note)
        if not found.source:
            return found
        try:
            (self._workspace.root / found.source / MANIFEST).touch(exist_ok=True)
        except OSError:  # somebody removed it
            return None
        return found

    def keep(self, where: ItemFilter, method: Method, state: str, made: Frozen) -> None:
        """Note that `made` holds the rows of this state."""
        write_json(self._note(where, method, state), asdict(made), durable=False)

    def forget_unused(self) -> list[str]:
        """Remove copies that nothing refers to and nobody used of late; returns their names.

        Of each source the one used last stays, and every one that a run or settings saved under
        a name mention. Exports that people made are never touched.
        """
        needed = set(self._mentioned())
        latest: set[tuple[str, str]] = set()
        gone = []
        automatic = [one for one in list_exports(self._workspace) if one.automatic]
        for export in sorted(automatic, key=_used_at, reverse=True):
            made_of = (str(export.manifest[LIBRARY_SPEC]), export.method)
            kept = made_of not in latest or needed & {export.path.name, export.name}
            latest.add(made_of)
            if not kept and self._clock() - _used_at(export) > IN_USE_SECONDS:
                _remove(export.path)
                gone.append(export.path.name)
        self._drop_notes()
        return gone

    def _mentioned(self) -> Iterator[str]:
        """Names of exports in run files and saved settings."""
        runs, saved = self._workspace.runs, self._workspace.settings
        for path in (*runs.glob("*/run.yaml"), *saved.glob("**/*.y*ml")):
            with suppress(OSError):
                yield from _NAMED.findall(path.read_text(encoding="utf-8", errors="replace"))

    def _drop_notes(self) -> None:
        """Notes of copies that are gone, and the oldest of very many."""
        notes = sorted(
            self._workspace.frozen.glob("*.json"), key=lambda path: -path.stat().st_mtime
        )
        for place, path in enumerate(notes):
            note = read_json(path)
            source = note and note["source"]
            there = source == "" or (source and (self._workspace.root / source).is_dir())
            if place >= KEPT_NOTES or not there:
                path.unlink(missing_ok=True)

    def _note(self, where: ItemFilter, method: Method, state: str) -> Path:
        asked = json.dumps([asdict(where), method, state], sort_keys=True)
        name = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._workspace.frozen / f"{name}.json"


def _used_at(export: FrozenExport) -> float:
    return (export.path / MANIFEST).stat().st_mtime


def _remove(folder: Path) -> None:
    """Out of sight first, so that nobody finds half of it."""
    hidden = folder.with_name(f".{folder.name}.gone")
    shutil.rmtree(hidden, ignore_errors=True)
    folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)
