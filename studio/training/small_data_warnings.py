"""Rows too few or too alike to learn more than themselves from, said before training."""

from __future__ import annotations

import json
from typing import Any

from studio.config import RunConfig
from studio.core.paths import RunPaths
from studio.data.row_variety import ENOUGH_TO_JUDGE, FEW_ROWS, SAME_ANSWER, RepeatedValues
from studio.data.trl_conversion import TrainingData
from studio.runs.diagnostics.health_watch import HealthFinding
from studio.runs.event_log import EventLog, read_events
from studio.training.run_rows import image_name

MOST_ROWS = 20_000
SAME_QUESTION, IMAGES_PER_ROW = 0.9, 0.2


def report_narrow(config: RunConfig, paths: RunPaths, data: TrainingData) -> None:
    """Add to the run's event log each finding that it does not have yet."""
    told = {event.values.get("id") for event in read_events(paths.events).events}
    for finding in (small(config, data.used), narrow(data)):
        if finding is not None and finding.id not in told:
            EventLog(paths.events).append("finding", **finding.to_event())


def small(config: RunConfig, rows: int) -> HealthFinding | None:
    """Return a finding where there are fewer than a hundred rows."""
    if rows >= FEW_ROWS:
        return None
    return HealthFinding(
        "small-data",
        0,
        f"Few rows: {rows}",
        f"In {config.epochs_over(rows):.3g} epochs so few rows are soon known by heart; what is "
        "learned may not reach beyond them.",
        "Bring a few hundred rows, keep some for data.evaluation, and train for one to three epochs.",
    )


def narrow(data: TrainingData) -> HealthFinding | None:
    """Return a finding where rows share their answer, their question or their images."""
    table = data.dataset.with_format("arrow")[: min(data.used, MOST_ROWS)]
    rows = table.to_pylist()
    if len(rows) < ENOUGH_TO_JUDGE:
        return None
    answers, questions, images = RepeatedValues[str](), RepeatedValues[str](), set()
    for number, row in enumerate(rows):
        answers.add(_text(row.get("completion") or row.get("chosen")), number)
        questions.add(_text(row["prompt"]), number)
        images |= {image_name(image) for image in row.get("images") or []}
    seen = []
    if same := answers.commonest(SAME_ANSWER):
        seen.append(f"{same[2]:.0%} have the same answer")
    if same := questions.commonest(SAME_QUESTION):
        seen.append(f"{same[2]:.0%} ask the same question")
    if images and len(images) < IMAGES_PER_ROW * len(rows):
        seen.append(f"{len(rows):,} share {len(images):,} images")
    if not seen:
        return None
    return HealthFinding(
        "narrow-data",
        0,
        f"Narrow rows: {', '.join(seen)}",
        "The model learns what is the same in all rows, and may say it everywhere.",
        "Bring rows with other images, questions and answers, or fewer of the commonest.",
    )


def _text(messages: Any) -> str:
    return json.dumps(messages, sort_keys=True, ensure_ascii=False)
