"""Which kind of source a spec is; the first that matches opens it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from studio.core.errors import DataError, source_error
from studio.core.paths import Workspace, typed_path
from studio.data.sources import archive, embedded, files, folder, hub, own_exports
from studio.data.sources.reader import Reader

LIBRARY = "library:"
KINDS: tuple[ModuleType, ...] = (embedded, own_exports, folder, archive, files, hub)


def open_reader(
    spec: str,
    split: str | None,
    workspace: Workspace,
    field: str = "data.train",
    images: Path | None = None,
) -> Reader:
    """Open the reader of one split of `spec`.

    Args:
        images: A folder in which image names are looked up too.

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
            reader = kind.open_reader(spec, split, workspace, field)
            if images is not None:
                reader.more_folders = (_image_folder(images), *reader.more_folders)
            return reader
    except OSError as error:
        raise source_error(
            f"{spec[:200]!r} cannot be read: {error.strerror or error}.",
            "Check its name and its permissions.",
        ) from error
    raise source_error(
        f"{spec[:200]!r} is no file, folder or hub dataset." if spec else "No source is given.",
        'Give a path, a hub id such as "owner/name", "exports/<name>" or "embedded:sft".',
    )


def _image_folder(images: Path) -> Path:
    folder = typed_path(str(images))
    if not folder.is_dir():
        raise DataError(
            f"There is no folder {str(images)[:200]!r} with images.",
            remedy="Give a folder on the machine the studio runs on.",
            field="data.images",
        )
    return folder
