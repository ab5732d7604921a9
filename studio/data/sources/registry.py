"""Which kind of source a spec is; the first that matches opens it."""

from __future__ import annotations

from pathlib import PurePath
from types import ModuleType

from studio.core.errors import source_error
from studio.core.paths import Workspace
from studio.data.sources import archive, embedded, files, folder, hub, own_exports
from studio.data.sources.reader import Reader

LIBRARY = "library:"
FILE_ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".zip", ".tar", ".gz")
KINDS: tuple[ModuleType, ...] = (embedded, own_exports, folder, archive, files, hub)


def is_on_hub(spec: str, workspace: Workspace) -> bool:
    """Return whether a source is a dataset of the hub; of a file that is gone, its ending tells."""
    spec = spec.strip()
    if not spec or spec.startswith(LIBRARY) or PurePath(spec).suffix.lower() in FILE_ENDINGS:
        return False
    return next((kind for kind in KINDS if kind.matches(spec, workspace)), None) is hub


def open_reader(
    spec: str, split: str | None, workspace: Workspace, field: str = "data.train"
) -> Reader:
    """Open the reader of one split of `spec`.

    Raises:
        DataError: Nothing is called so, or it lacks the split (then naming `field`).
    """
    spec = spec.strip()
    if spec.startswith(LIBRARY):
        raise source_error(
            f"{spec[:200]!r} is the library, which changes; only training and checks read it.",
            'Export the dataset and name the export: "exports/<name>".',
        )
    try:
        kind = next((kind for kind in KINDS if spec and kind.matches(spec, workspace)), None)
        if kind is not None:
            return kind.open_reader(spec, split, workspace, field)
    except OSError as error:
        raise source_error(
            f"{spec[:200]!r} cannot be read: {error.strerror or error}.",
            "Check its name and its permissions.",
        ) from error
    raise source_error(
        f"{spec[:200]!r} is no file, folder or hub dataset." if spec else "No source is given.",
        'Give a path, a hub id such as "owner/name", "exports/<name>" or "embedded:sft".',
    )
