import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from studio.core import child_client
from studio.core.child_client import PipeWorker
from studio.core.errors import RunFailedError
from tests.places import ROOT


def test_messages_come_in_order_and_noise_does_not(worker: PipeWorker) -> None:
    messages = list(worker.request({"kind": "echo", "text": "grün"}))

    assert [message["text"] for message in messages] == ["one", "two", "grün"]
    assert [message.get("done", False) for message in messages] == [False, False, True]
    log = worker.log.read_text()
    assert "import noise" in log
    assert "library noise" in log
    assert "noise of a subprocess" in log


def test_call_gives_the_last_message(worker: PipeWorker) -> None:
    assert worker.call({"kind": "value", "value": 7}) == {"value": 7, "done": True}


def test_concurrent_requests_do_not_mix(worker: PipeWorker) -> None:
    found: dict[int, int] = {}

    def ask(value: int) -> None:
        found[value] = worker.call({"kind": "value", "value": value})["value"]

    threads = [threading.Thread(target=ask, args=(value,)) for value in range(12)]
    with worker.request({"kind": "count"}) as counting:
        next(counting)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        next(counting)

    assert found == {value: value for value in range(12)}


def test_a_child_that_cannot_hear_a_cancel_is_killed(worker: PipeWorker, monkeypatch) -> None:
    monkeypatch.setattr(child_client, "HEAR_SECONDS", 0.2)
    reply = worker.request({"kind": "deaf"})
    next(reply)
    worker.cancel(reply.request_id)

    with pytest.raises(RunFailedError, match="did not hear that it should stop"):
        next(reply)
    assert not worker.alive
    assert worker.call({"kind": "value", "value": 7})["value"] == 7


def test_a_child_that_hears_a_cancel_lives(worker: PipeWorker, monkeypatch) -> None:
    monkeypatch.setattr(child_client, "HEAR_SECONDS", 5.0)
    reply = worker.request({"kind": "count"})
    next(reply)
    pid = worker.pid
    worker.cancel(reply.request_id)
    assert list(reply)[-1]["stopped"]
    assert worker.call({"kind": "value", "value": 1})["value"] == 1
    assert worker.pid == pid
    assert not worker._child._unheard


def test_cancel_is_seen_while_the_request_runs(worker: PipeWorker) -> None:
    reply = worker.request({"kind": "count"})
    next(reply)
    worker.cancel(reply.request_id)

    *_, last = reply
    assert last == {"stopped": True, "done": True}


def test_closing_a_reply_cancels_it_and_leaves_the_child_usable(worker: PipeWorker) -> None:
    with worker.request({"kind": "count"}) as reply:
        next(reply)
    pid = worker.pid

    assert list(reply) == []
    assert worker.call({"kind": "value", "value": 1})["value"] == 1
    assert worker.pid == pid


def test_a_dead_child_leaves_its_last_words_and_is_started_anew(worker: PipeWorker) -> None:
    waiting = worker.request({"kind": "count"})
    next(waiting)
    with pytest.raises(RunFailedError, match=r"exit code 3.*the last words"):
        worker.call({"kind": "die"})
    with pytest.raises(RunFailedError):
        list(waiting)

    assert not worker.alive
    assert worker.call({"kind": "value", "value": 3})["value"] == 3


def test_a_killed_child_is_said_to_be_killed(worker: PipeWorker) -> None:
    reply = worker.request({"kind": "count"})
    next(reply)
    psutil.Process(worker.pid).kill()

    with pytest.raises(RunFailedError, match="SIGKILL"):
        list(reply)


def test_a_child_that_writes_much_to_standard_error_is_not_blocked(worker: PipeWorker) -> None:
    assert worker.call({"kind": "stderr"}) == {"done": True}


def test_a_command_that_cannot_start_says_why(tmp_path: Path) -> None:
    worker = PipeWorker([str(tmp_path / "absent.py")], tmp_path / "log", command=[sys.executable])

    with pytest.raises(RunFailedError, match=r"absent\.py"):
        worker.call({"kind": "value"})


def test_close_ends_the_process(worker: PipeWorker) -> None:
    reply = worker.request({"kind": "count"})
    next(reply)
    process = psutil.Process(worker.pid)
    worker.close()

    assert not process.is_running()
    with pytest.raises(RunFailedError, match="closed"):
        list(reply)


def test_the_child_ends_when_the_studio_is_killed(worker: PipeWorker, tmp_path: Path) -> None:
    worker.call({"kind": "value", "value": 1})
    program = (
        "import sys; from pathlib import Path; from studio.core.child_client import PipeWorker\n"
        f"w = PipeWorker([{str(tmp_path / 'child.py')!r}], Path({str(tmp_path / 'l')!r}),"
        " command=[sys.executable])\n"
        "r = w.request({'kind': 'count'}); next(r); print(w.pid, flush=True); list(r)"
    )
    studio = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    pid = int(studio.stdout.readline())
    assert psutil.pid_exists(pid)
    studio.kill()
    studio.wait()

    deadline = time.monotonic() + 20
    while _running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _running(pid)


def _running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
