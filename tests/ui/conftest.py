"""The browser that drives the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui import serving


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium to drive; a machine without one fails the tests that need it."""
    candidates = (
        os.environ.get("STUDIO_CHROMIUM"),
        shutil.which("chromium-headless-shell"),  # a page takes a third less of the processor
        "/usr/bin/chromium",
        *map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome")),
    )
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            return candidate
    pytest.fail("No Chromium found: install one, or name it in STUDIO_CHROMIUM.")


@pytest.fixture(autouse=True)
def told_is_kept() -> Iterator[None]:
    """After every test: what a page was told is saved is on the disk; see `serving`."""
    yield
    for studio in serving.LIVE:
        studio.check()
