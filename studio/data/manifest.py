"""The manifest of a frozen export: what it holds and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from studio.core.paths import Workspace, read_json

MANIFEST = "manifest.json"
TRL = "trl"
IMAGES = "images"
"""Folder of an automatic copy with links to its images, each named by its sha256."""
LIBRARY_SPEC = "library"  # in the manifest: the source that a run gave, `library:<dataset>…`


@dataclass(frozen=True)
class FrozenExport:
    """One frozen dataset of a workspace.

    Attributes:
        name: The name it was frozen under; the folder adds the hash of its contents.
        method: `sft` or `dpo`: what its rows can train.
        rows: Number of rows by split.
        created_at: Seconds since the epoch.
        manifest: The whole manifest.
    """

    name: str
    path: Path
    method: str
    rows: dict[str, int]
    created_at: float
    manifest: dict = field(default_factory=dict, repr=False)

    @property
    def automatic(self) -> bool:
        """Whether it is the copy of library rows that a plan or a run made for itself."""
        return LIBRARY_SPEC in self.manifest

    @property
    def spec(self) -> str:
        """What `open_source` and a run file call it."""
        return f"exports/{self.path.name}"


def list_exports(workspace: Workspace) -> list[FrozenExport]:
    """List the exports of a workspace, newest first, without files for other tools."""
    exports = []
    for folder in sorted(workspace.exports.glob("*/")):
        manifest = None if folder.name.startswith(".") else read_json(folder / MANIFEST)
        if manifest is not None and manifest.get("format") == TRL:
            exports.append(
                FrozenExport(
                    name=manifest["name"],
                    path=folder,
                    method=manifest["method"],
                    rows=manifest["rows"],
                    created_at=manifest["created_at"],
                    manifest=manifest,
                )
            )
    return sorted(exports, key=lambda export: export.created_at, reverse=True)
