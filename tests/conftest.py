"""Slow files first, one thread per process, and a nursery of workers for tests that start some."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nursery import CLIENT

HERE = Path(__file__).resolve().parent
SLOW_FIRST = ("ui", "train", "services", "families")
# Tests run side by side, and small models gain nothing from a second thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A planner that gets ready while nobody waits takes the processor from the next test.
os.environ.setdefault("STUDIO_WARM", "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long is begun first, so that no process is left with it at the end."""
    items.sort(key=lambda item: _rank(item.path.relative_to(HERE).parts[0]))


def _rank(area: str) -> int:
    return SLOW_FIRST.index(area) if area in SLOW_FIRST else len(SLOW_FIRST)


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """Source of the client that has workers forked; a nursery stands ready."""
    path = str(tmp_path_factory.mktemp("n") / "s")
    nursery = subprocess.Popen(
        [sys.executable, str(HERE / "nursery.py"), path],
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent,
    )
    assert nursery.stdout.readline() == "ready\n"
    yield CLIENT.format(path=path)
    nursery.kill()
    nursery.wait()
