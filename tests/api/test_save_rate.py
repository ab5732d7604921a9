"""An outbox drains at once; a script does not."""

from __future__ import annotations

from studio.api.save_rate import A_SECOND, CAPACITY, SaveRate


def test_an_outbox_is_taken_at_once_and_a_script_waits_for_each():
    now = [0.0]
    rate = SaveRate(clock=lambda: now[0])
    assert [rate.wait("ana") for _ in range(CAPACITY)] == [0] * CAPACITY
    assert rate.wait("ana") == 1
    assert rate.wait("ben") == 0
    now[0] += 1.0
    assert [rate.wait("ana") for _ in range(int(A_SECOND))] == [0] * int(A_SECOND)
    assert rate.wait("ana") > 0
    now[0] += 1e6
    assert [rate.wait("ana") for _ in range(CAPACITY)] == [0] * CAPACITY


def test_a_clock_that_stands_still_takes_no_more_than_the_bucket_holds():
    rate = SaveRate(capacity=3, clock=lambda: 5.0)
    assert [rate.wait("ana") for _ in range(5)] == [0, 0, 0, 1, 1]
