"""Which kind of source a spec is; the first that matches opens it."""

from __future__ import annotations

from types import ModuleType

from studio.data.sources import embedded, exports, files, folder, hub
from studio.data.sources.base import Reader
from studio.errors import DataError
from studio.paths import Workspace

KINDS: tuple[ModuleType, ...] = (embedded, exports, folder, files, hub)


def open_reader(
    spec: str, split: str | None, workspace: Workspace, field: str = "data.train"
) -> Reader:
    """The reader of one split of `spec`.

    Raises:
        DataError: Nothing is called so, or it lacks the split (then naming `field`).
    """
    spec = spec.strip()
    for kind in KINDS:
        if spec and kind.matches(spec, workspace):
            return kind.open_reader(spec, split, workspace, field)
    raise DataError(
        f"{spec!r} is no file, folder or hub dataset." if spec else "No source is given.",
        remedy='Give a path, a hub id such as "owner/name", "exports/<name>" or "embedded:sft".',
        field="data.source",
    )
