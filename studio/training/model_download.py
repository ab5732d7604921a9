"""A model that arrives from the hub while a run waits for it: signs of life, and how much is here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from studio.core.paths import RunPaths
from studio.models.model_location import model_path
from studio.runs.status import beat

EVERY = 2.0


@contextmanager
def fetching_told(paths: RunPaths, model_id: str) -> Iterator[None]:
    """Tell the run's status of bytes that come in meanwhile; a folder of this machine has none."""
    if Path(model_path(model_id)).exists() or paths.rank:
        yield
        return
    name = repo_folder_name(repo_id=model_id, repo_type="model")
    blobs, ended = Path(constants.HF_HUB_CACHE) / name / "blobs", threading.Event()
    watched = (paths, blobs, _size(blobs), ended)
    watcher = threading.Thread(target=_watch, args=watched, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(paths: RunPaths, blobs: Path, first: int, ended: threading.Event) -> None:
    told = first
    while not ended.wait(EVERY):
        here = _size(blobs)
        if here > told:
            told = here
            beat(paths, stage="loading", stage_done=here - first)


def _size(blobs: Path) -> int:
    """Bytes in the cache's files, those not complete yet among them."""
    total = 0
    for file in blobs.glob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # complete just now, and renamed
            continue
    return total
