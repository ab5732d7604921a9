"""Questions to try the chat on: those of the run that is chatted with, and charts that come along."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from studio.core.errors import DataError, NotFoundError
from studio.core.paths import SAMPLES, Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.data.sources import open_source
from studio.data.sources.embedded import PREFIX as EMBEDDED_SETS
from studio.data.sources.own_exports import PREFIX as EXPORTS
from studio.runs.curves import Diary
from studio.runs.store import Run

logger = logging.getLogger(__name__)
ROWS = SAMPLES / "heldout" / "train.jsonl"
SHOWN_KINDS = ("highest", "value", "comparison", "trend", "description", "data", "count", "form")
OWN = 8
"""Questions of a run that are shown before the others."""
SHARE = "%"


@dataclass(frozen=True)
class ChatSample:
    """Images and a question about them.

    Attributes:
        shown: The file that stands for it in a list, small where there is a small one.
        own: Whether it is one of the run that is chatted with.
    """

    images: tuple[Path, ...]
    question: str
    shown: Path
    own: bool = False


def load_samples(rows: Path = ROWS) -> list[ChatSample]:
    """Return the first sample of every kind in `SHOWN_KINDS`; none when the file is not there."""
    if not rows.is_file():
        return []
    first: dict[str, ChatSample] = {}
    for line in rows.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        image = rows.parent / row["image"]
        first.setdefault(row["kind"], ChatSample((image,), row["question"], image))
    return [first[kind] for kind in SHOWN_KINDS if kind in first]


def samples_of(run: Run, workspace: Workspace, images: ImageStore) -> list[ChatSample]:
    """What shows what the run changed: its probes, answers that changed first, then its rows."""
    found: dict[ChatSample, None] = {}
    for shas, question in (*_probes(run), *_rows(run, workspace)):
        sample = _sample(shas, question, images)
        if sample is not None:
            found.setdefault(sample)
    return list(found)[:OWN]


def _probes(run: Run) -> list[tuple[tuple[str, ...], str]]:
    diary = Diary(run.paths.events).refresh()
    last = diary.probes[max(diary.probes)] if diary.probes else []

    def as_before(place: int) -> bool:
        return place >= len(last) or last[place] == diary.probe_rows[place].base

    places = sorted(range(len(diary.probe_rows)), key=as_before)
    rows = [diary.probe_rows[place] for place in places]
    return [(tuple(row.images), row.question) for row in rows]


def _rows(run: Run, workspace: Workspace) -> Iterator[tuple[tuple[str, ...], str]]:
    """Return the first rows it was evaluated on, else trained on, of data that lies here."""
    data = run.config.data
    if not data.source.startswith((EMBEDDED_SETS, EXPORTS)):
        return
    split = data.evaluation if data.evaluation and SHARE not in data.evaluation else data.train
    try:
        source = open_source(
            data.source,
            split=split,
            columns=data.columns or None,
            workspace=workspace,
            where=data.where,
        )
        rows = [row for row in islice(source.rows(), OWN) if isinstance(row, Row)]
    except DataError:
        logger.exception("No questions of run %s: its rows cannot be read.", run.run_id)
        return
    yield from ((row.images, row.question) for row in rows)


def _sample(shas: tuple[str, ...], question: str, images: ImageStore) -> ChatSample | None:
    """None without an image, and where one is not in the workspace any more."""
    if not shas or not question:
        return None
    try:
        paths = tuple(images.path(sha) for sha in shas)
        return ChatSample(paths, question, images.thumb_path(shas[0]), own=True)
    except NotFoundError:
        return None
