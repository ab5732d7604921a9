"""Frozen datasets of the workspace: `exports/<name>` (the newest) or `exports/<name>-<hash>`."""

from __future__ import annotations

from studio.core.errors import source_error
from studio.core.paths import Workspace
from studio.data.manifest import list_exports
from studio.data.sources.arrow_files import ArrowReader
from studio.data.sources.reader import Reader
from studio.data.split_slices import choose_split

PREFIX = "exports/"


def matches(spec: str, workspace: Workspace) -> bool:
    return spec.startswith(PREFIX)


def open_reader(spec: str, split: str | None, workspace: Workspace, field: str) -> Reader:
    """Open the export named. Raises DataError naming the exports there are."""
    exports = list_exports(workspace)
    wanted = spec.removeprefix(PREFIX).strip("/")
    named = [export for export in exports if wanted in (export.path.name, export.name)]
    if not named:
        there = ", ".join(export.spec for export in exports[:8])
        choose = f"choose another ({there})" if there else "make one with Export in Data"
        raise source_error(
            f"There is no export {wanted!r} in this workspace: it was deleted or moved, or the "
            "name is another one.",
            f"Put its folder back as {workspace.exports / wanted}, or {choose}. A run that "
            "was trained on it cannot go on without it: clone the run and choose the dataset of "
            "the library again, which freezes its rows anew.",
        )
    folder, linked = named[0].path, named[0].automatic
    files = {path.stem: path for path in sorted(folder.glob("*.parquet"), reverse=True)}
    name = choose_split(split, tuple(files), field)
    return ArrowReader(
        label=f"export {folder.name}",
        splits=tuple(files),
        folder=folder if linked else None,
        named_by_content=linked,
        paths=(files[name],),
    )
