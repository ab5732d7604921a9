"""Slow files first, one thread per process, and a nursery for the processes that tests start."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from studio.api.access import passwords
from studio.core import logs
from studio.core.child_client import PipeWorker
from studio.core.torch_import import loading
from tests.new_databases import made_quickly
from tests.nursery import open_nursery

HERE = Path(__file__).resolve().parent
FROZEN = pytest.StashKey[int]()
COMPUTING = ("training", "launch", "families")
# Tests run side by side, and small models gain nothing from a second thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a test imports late is some hundred thousand objects; accelerate looks through all of them for
# garbage at the end of every run.
NEW_MODULES = 100
# A planner that gets ready while nobody waits takes the processor from the next test.
os.environ.setdefault("STUDIO_WARM", "0")


def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are processors.

    A test in a browser waits half of its time: for a person's pauses, for the page, for a worker.
    """
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long is begun first, so that no process is left with it at the end.

    Files that drive a browser, which wait much, take turns with files that compute.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    areas = {path: path.relative_to(HERE).parts[0] for path in files}
    waiting = [path for path in files if areas[path] == "browser"]
    computing = [path for path in files if areas[path] in COMPUTING]
    computing.sort(key=lambda path: -len(files[path]))
    turns = [path for pair in zip_longest(waiting, computing) for path in pair if path]
    first = [*turns, *(path for path in files if path not in {*turns})]
    items[:] = [item for path in first for item in files[path]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """What tests before have imported is never looked for as garbage again."""
    modules = len(sys.modules)
    if modules > item.config.stash.get(FROZEN, 0) + NEW_MODULES:
        item.config.stash[FROZEN] = modules
        gc.freeze()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported for the tests stays, so that nothing in it is ever looked for as garbage."""
    with loading():
        return (yield)


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Python that has torch loaded when it starts; all processes of a session share its nursery."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with open_nursery(folder / "n") as interpreter:
        yield interpreter


@pytest.fixture(scope="session")
def client(python: str) -> str:
    """Source of what becomes `python -m studio worker RUN_DIR`, for `python -c`."""
    worker = f"[{python!r}, '-m', 'studio', 'worker', sys.argv[-1]]"
    return f"import os, sys; os.execv({python!r}, {worker})"


@pytest.fixture
def forked(python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the studio starts with `python` has torch loaded when it starts."""
    monkeypatch.setattr(sys, "executable", python)
    usual = PipeWorker.__init__.__kwdefaults__
    monkeypatch.setitem(usual, "command", (python, "-m", "studio"))


@pytest.fixture(scope="session", autouse=True)
def migrate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., None]]:
    """What really migrates; see `made_quickly`."""
    with pytest.MonkeyPatch.context() as patch:
        yield made_quickly(patch, tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[int]:
    """Hashes that cost nothing; gives the `n` of the others, which started studios know.

    What they cost outside of tests has a test of its own.
    """
    usual = passwords.SCRYPT["n"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(passwords.SCRYPT, "n", 16)
        yield usual


@pytest.fixture
def usual_passwords(cheap_passwords: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes as a studio that is a process of its own expects them."""
    monkeypatch.setitem(passwords.SCRYPT, "n", cheap_passwords)


@pytest.fixture(autouse=True)
def unbounded_logs() -> Iterator[None]:
    """Take bounds of a log away after a test: the next ones would find records of theirs missing."""
    yield
    for log in (logs.strangers, logs.events, logs.requests):
        for bound in [one for one in log.filters if isinstance(one, logs.Bounded)]:
            log.removeFilter(bound)
