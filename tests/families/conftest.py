"""Every family is tried once for all tests."""

from __future__ import annotations

from functools import cache

import pytest

from studio.models.quiet import quiet_libraries
from tests.families.trial import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """Tries families."""
    quiet_libraries()
    return Bench(tmp_path_factory.mktemp("families"))


@pytest.fixture(scope="session")
def trial_of(bench):
    """What a family did, by its name."""
    return cache(bench.trial)
