"""Every family is tried once for all tests."""

from __future__ import annotations

import gc
from functools import cache

import pytest

from studio.models.quiet import quiet_libraries
from tests.families.trial import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """Tries families; what the libraries hold is not searched for garbage again and again."""
    quiet_libraries()
    gc.collect()
    gc.freeze()
    yield Bench(tmp_path_factory.mktemp("families"))
    gc.unfreeze()


@pytest.fixture(scope="session")
def trial_of(bench):
    """What a family did, by its name."""
    return cache(bench.trial)
