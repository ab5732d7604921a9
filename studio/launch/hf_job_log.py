"""What a job elsewhere prints, as the log and the diary of its run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from studio.core.paths import RunPaths
from studio.runs.event_log import EventLog, read_events
from studio.runs.status import read_status, update_status
from studio.runs.store import Run


class JobLog:
    """Copies what is new of a job's log into the run's, and its losses into the diary."""

    def __init__(self, run: Run) -> None:
        self.paths: RunPaths = run.paths
        self.events = EventLog(run.paths.events)
        self.every = run.config.schedule.log_every
        self.lines = 0
        kinds = [event.type for event in read_events(run.paths.events).events]
        self.told = sum(kind in ("metrics", "evaluation") for kind in kinds)

    def take(self, lines: list[str]) -> None:
        """All lines of the job so far."""
        with self.paths.log.open("a", encoding="utf-8") as log:
            log.writelines(f"{line.rstrip()}\n" for line in lines[self.lines :])
        self.lines = max(self.lines, len(lines))
        found = list(metrics_in(lines, self.every))
        for step, values in found[self.told :]:
            kind = "evaluation" if any(key.startswith("eval_") for key in values) else "metrics"
            self.events.append(kind, step=step, **values)
            update_status(self.paths, step=step)
        if len(found) > self.told:
            total = read_status(self.paths).total_steps
            self.events.append("progress", step=found[-1][0], total=total)
        self.told = max(self.told, len(found))


def metrics_in(lines: list[str], every: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and numbers of the lines a trainer printed (`{'loss': '1.2', …}`, each `every` steps)."""
    step = 0
    for line in lines:
        values = _numbers(line)
        if values and "train_runtime" not in values:
            step += every * ("loss" in values)
            yield step, values


def _numbers(line: str) -> dict[str, float]:
    if not line.startswith("{"):
        return {}
    try:
        return {str(key): float(value) for key, value in ast.literal_eval(line.strip()).items()}
    except (ValueError, SyntaxError, TypeError, AttributeError):
        return {}
