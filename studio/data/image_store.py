"""The content-addressed store of images: each picture once, named by the sha256 of its bytes."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from PIL import Image

from studio.core.errors import NotFoundError
from studio.core.paths import Workspace
from studio.data.image_decoding import decoding, open_image, opened, read_image, thumbnail_and_view

# An MPO is opened as the JPEG it begins with.
EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "MPO": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp"}
SHA256 = re.compile("[0-9a-f]{64}")


class ImageStore:
    """Originals by the sha256 of their bytes, each with a thumbnail, below one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._images = workspace.images
        self._thumbs = workspace.thumbs

    def add(self, source: bytes | str | os.PathLike[str]) -> str:
        """Keep one image and return its sha256 (hex); adding it again changes nothing.

        Raises:
            DataError: When it cannot be decoded (see `open_image`).
        """
        content = read_image(source)
        sha = hashlib.sha256(content).hexdigest()
        if self._find(sha) and self._thumb(sha).exists():
            return sha
        with decoding():
            original = opened(content)
            thumb, view = thumbnail_and_view(original)
        if view is not None:
            _write(self._view(sha), view, sync=False)
        _write(self._thumb(sha), thumb, sync=False)
        # The original comes last and is synced: where it is, all that a page asks for is there.
        extension = EXTENSIONS[original.format or "PNG"]
        _write(self._images / sha[:2] / f"{sha}.{extension}", content)
        return sha

    def has(self, sha: str) -> bool:
        """Return whether the image with this sha256 is here."""
        return self._find(sha) is not None

    def path(self, sha: str) -> Path:
        """Find the original file. Raises NotFoundError."""
        file = self._find(sha)
        if file is None:
            raise NotFoundError(
                f"The image {sha[:12]}… is not in this workspace.",
                remedy="Import its dataset again.",
                field="image",
            )
        return file

    def thumb_path(self, sha: str) -> Path:
        """Find the thumbnail, at most `THUMB_EDGE` pixels a side. Raises NotFoundError."""
        self.path(sha)
        return self._thumb(sha)

    def view_path(self, sha: str) -> Path:
        """Find the file to show in a browser: the original, or its normalised copy if they differ."""
        original = self.path(sha)
        view = self._view(sha)
        return view if view.exists() else original

    def open(self, sha: str) -> Image.Image:
        """Decode an image. Raises NotFoundError, DataError."""
        return open_image(self.path(sha))

    def _find(self, sha: str) -> Path | None:
        if not SHA256.fullmatch(sha):
            return None
        names = (self._images / sha[:2] / f"{sha}.{ext}" for ext in set(EXTENSIONS.values()))
        return next((name for name in names if name.exists()), None)

    def _thumb(self, sha: str) -> Path:
        return self._thumbs / sha[:2] / f"{sha}.jpg"

    def _view(self, sha: str) -> Path:
        return self._thumbs / sha[:2] / f"{sha}.view.png"


def named_sha(path: Path) -> str:
    """Return the sha256 that a file of the store has as its name; empty for any other file."""
    return path.stem if SHA256.fullmatch(path.stem) else ""


def _write(path: Path, content: bytes, *, sync: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(content)
            if sync:
                handle.flush()
                os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
