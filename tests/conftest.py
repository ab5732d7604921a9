"""A nursery of workers, shared by all tests that start some."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from nursery import CLIENT

HERE = Path(__file__).resolve().parent


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
