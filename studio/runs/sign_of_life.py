"""Whether a worker that is there still says so, in its status or its log."""

from __future__ import annotations

import time

from studio.runs.store import Run

STALLED_AFTER = 180.0


def stalled(run: Run) -> bool:
    """Return whether the worker lives but has given no sign, not even in its log, for three minutes."""
    if not run.status.active or time.time() - run.status.updated <= STALLED_AFTER:
        return False
    return time.time() - last_sign(run) > STALLED_AFTER and run.alive


def last_sign(run: Run) -> float:
    """Return when a run last gave a sign of life; seconds since the epoch."""
    log = run.paths.log
    return max(run.status.updated, log.stat().st_mtime if log.is_file() else 0.0)
