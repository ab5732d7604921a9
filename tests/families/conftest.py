"""Every family is tried once for all tests."""

from __future__ import annotations

from functools import cache

import pytest

from studio.models.log_levels import quiet_libraries
from tests.families.by_hand import measured
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


@pytest.fixture(scope="session")
def by_hand_of(bench):
    """How far the log-probabilities of a family are from those by hand; see `measured`."""
    return cache(lambda family: measured(bench, family))
