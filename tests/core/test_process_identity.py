"""A process is known by its id and the time it started."""

import os

import psutil

from studio.core.process_identity import process_alive


def test_a_reused_process_id_is_not_taken_for_the_worker():
    started = psutil.Process().create_time()
    assert process_alive(os.getpid(), started)
    assert not process_alive(os.getpid(), started - 100)
    assert not process_alive(0, 0.0)
