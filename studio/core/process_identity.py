"""Whether a process that was written down is still the same one."""

from __future__ import annotations

import psutil


def process_alive(pid: int, started: float) -> bool:
    """Return whether process `pid` exists, is no zombie, and started when `started` says."""
    if not pid:
        return False
    try:
        process = psutil.Process(pid)
        return (
            process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < 1.0
        )
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
