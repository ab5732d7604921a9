"""Times as people read them, in the time zone of this machine."""

from __future__ import annotations

import time


def minute(at: float) -> str:
    """Write a time to the minute: `2026-05-03 14:05`."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
