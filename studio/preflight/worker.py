"""The checking child: `python -m studio checker`. The studio's side is `preflight.client`."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

from PIL import Image

from studio.config.model import ModelConfig
from studio.core.child_server import Request, serve
from studio.core.errors import StoppedError
from studio.core.paths import Workspace
from studio.data.checked_rows import NumberedRows, source_rows
from studio.data.image_store import ImageStore
from studio.models.image_tokens import Expansions
from studio.models.log_levels import quiet_libraries
from studio.preflight.check import check_rows
from studio.preflight.model_processor import Model, open_model
from studio.preflight.model_view import sight_of

SHOWN_EDGE = 1_100
JPEG_ABOVE = 400 * 400


LibraryRows = Callable[[Workspace, str], AbstractContextManager[NumberedRows]]


class Desk:
    """What the child keeps between requests: the model opened last.

    Args:
        library: Opens the rows of a dataset of the library for as long as they are read.
    """

    def __init__(self, workspace: Workspace, library: LibraryRows) -> None:
        self._workspace, self._library = workspace, library
        self._lock = threading.Lock()
        self._config: ModelConfig | None = None
        self._model: Model | None = None

    def handle(self, request: Request) -> Generator[dict[str, Any], None, dict[str, Any]]:
        """Check rows, or show one image as the model sees it."""
        model = self._open(ModelConfig.model_validate(request.payload["model"]))
        if "image" in request.payload:
            return self._sight(model, request.payload["image"])
        return (yield from self._check(model, request))

    def _open(self, config: ModelConfig) -> Model:
        with self._lock:
            if self._model is None or config != self._config:
                self._model, self._config = open_model(config), config
            return self._model

    def _check(
        self, model: Model, request: Request
    ) -> Generator[dict[str, Any], None, dict[str, Any]]:
        payload = request.payload
        with self._rows(payload) as rows:
            going = check_rows(rows, self._workspace, model, max_length=payload["max_length"])
            while True:
                try:
                    step = next(going)
                except StopIteration as end:
                    return {"report": end.value.to_json()}
                if request.cancelled.is_set():
                    raise StoppedError("The check was stopped.")
                yield {"step": asdict(step)}

    def _rows(self, payload: dict[str, Any]) -> AbstractContextManager[NumberedRows]:
        if payload.get("dataset"):
            return self._library(self._workspace, payload["dataset"])
        return nullcontext(source_rows(payload["source"], self._workspace))

    def _sight(self, model: Model, sha: str) -> dict[str, Any]:
        image = ImageStore(self._workspace).open(sha)
        found = sight_of(model.processor, image)
        return {
            "tokens": Expansions(model.processor).measure((1, image.size)).tokens,
            "original": image.size,
            "tiles": found.tiles,
            "width": found.width,
            "height": found.height,
            "picture": encoded(found.picture),
            "overview": encoded(found.overview) if found.overview else None,
        }


def encoded(picture: Image.Image) -> str:
    """Return a picture as a data address, scaled down to what a page can show."""
    shown = picture
    if max(picture.size) > SHOWN_EDGE:
        shown = picture.copy()
        shown.thumbnail((SHOWN_EDGE, SHOWN_EDGE), Image.Resampling.LANCZOS)
    large = shown.width * shown.height > JPEG_ABOVE
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG" if large else "PNG", **({"quality": 92} if large else {}))
    kind = "jpeg" if large else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def main(workspace: Workspace, library: LibraryRows) -> None:
    """Answer requests until standard input closes."""
    quiet_libraries()
    serve(Desk(workspace, library).handle)
