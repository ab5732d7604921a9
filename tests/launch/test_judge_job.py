"""A judge in a process of its own: stopped, killed, gone on with, one at a time."""

import os
import signal
import time

import pytest

from studio.core.errors import BusyError, InputError, NotFoundError
from studio.launch.judge import judges_of
from studio.launch.judge_job import AskedJudge, judge_job, outlook, start_judge, stop_judge
from tests.launch.test_judge import PAIRS, server, store, workspace
from tests.models.endpoint_stand_in import completion

__all__ = ["server", "store", "workspace"]


def wait_for(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("It did not come to that.")


def test_a_judge_that_is_stopped_or_killed_keeps_what_it_judged_and_goes_on(
    workspace, store, server
):
    def slowly(body):
        time.sleep(0.2)
        return completion("Verdict: A")

    server.reply = slowly
    asked = AskedJudge(server.url, "small-vlm")
    assert judge_job(workspace, "set").state == ""
    started = start_judge(workspace, "set", asked, store=store)
    assert (started.state, started.pairs) == ("running", PAIRS)
    with pytest.raises(BusyError, match="is judging"):
        start_judge(workspace, "set", asked, store=store)
    wait_for(lambda: any(one.pairs for one in judges_of(workspace, "set", store=store)))
    stop_judge(workspace, "set")
    wait_for(lambda: judge_job(workspace, "set").state != "running")
    (figures,) = judges_of(workspace, "set", store=store)
    ended = judge_job(workspace, "set")
    assert 0 < figures.pairs <= PAIRS
    assert ended.state == "finished" or "stopped" in ended.message

    left = outlook(workspace, "set", asked, store=store)
    assert left.pairs == PAIRS - figures.pairs
    if left.pairs:
        os.kill(start_judge(workspace, "set", asked, store=store).pid, signal.SIGKILL)
        wait_for(lambda: judge_job(workspace, "set").state == "failed")
        assert "without a word" in judge_job(workspace, "set").message
        start_judge(workspace, "set", asked, store=store)
        wait_for(lambda: judge_job(workspace, "set").state == "finished")
    with pytest.raises(InputError, match="has judged every pair"):
        start_judge(workspace, "set", asked, store=store)
    with pytest.raises(NotFoundError):
        outlook(workspace, "none", asked, store=store)
