"""Answers end with their time, and with a command to stop."""

import torch

from studio.runs.control import command_file
from studio.runs.status import read_status


def test_a_wish_to_stop_ends_answers_at_once(shared_runner):
    from studio.training.probes.time_limit import LEAST_TOKENS, Clock

    run = shared_runner.store.create(shared_runner.config())
    clock = Clock(run.paths)
    clock.begin(0)
    grown = [torch.zeros(2, 10 + made) for made in range(1, LEAST_TOKENS + 1)]
    assert [bool(clock(ids, None).all()) for ids in grown] == [False] * 7 + [True]
    assert clock.late and not clock.stopped and clock.tokens == LEAST_TOKENS
    command_file.request(run.paths, "stop")
    stopping = Clock(run.paths)
    stopping.begin()
    assert stopping(grown[0], None).all() and stopping.stopped
    assert read_status(run.paths).stage == "probing"
