"""One workspace for the tests of a file, and the plan of the usual run in it."""

import pytest

from studio.training.planning.preflight_plan import plan_run


@pytest.fixture(scope="module")
def runner(shared_runner):
    """One workspace for all: a step that was traced for one test is known to the next."""
    return shared_runner


@pytest.fixture(scope="module")
def usual(runner):
    """A configuration and its plan, as `runner.config()` has them."""
    config = runner.config()
    return config, plan_run(config, runner.workspace)[0]
