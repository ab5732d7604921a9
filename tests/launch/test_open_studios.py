"""Studios on one workspace know of each other; those that were killed are forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest

from studio.core.errors import BusyError
from studio.core.paths import Workspace
from studio.launch import open_studios
from studio.launch.open_studios import Presence, this_studio


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.setattr(open_studios, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(open_studios, "LOOK_SECONDS", 0.0)
    return Workspace.locate(tmp_path)


@pytest.fixture
def entered(workspace):
    """Lets a studio enter the workspace; all leave in the end."""
    inside = []

    def enter(**changes) -> Presence:
        one = Presence(workspace, replace(this_studio(), **changes))
        inside.append(one)
        one.enter(alone_on_machine=True)
        return one

    yield enter
    for one in inside:
        one.leave()


def test_two_studios_are_told_of_each_other_until_one_leaves(entered):
    first = entered(user="ana")
    assert first.others() == []
    second = entered(user="ben")
    second.serves_at("http://127.0.0.1:7861")
    assert [one.user for one in second.others()] == ["ana"]
    [other] = first.others()
    assert f"studio at http://127.0.0.1:7861 (process {os.getpid()} of ben" in str(other)
    second.leave()
    assert first.others() == []


def test_a_studio_that_was_killed_is_forgotten(entered, workspace):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    left = entered(pid=child.pid, pid_started=started)
    left._left.set()  # it beats no more, and did not leave
    here = entered()
    assert [one.pid for one in here.others()] == [child.pid]
    child.kill()
    child.wait()
    assert here.others() == []
    assert len(list(workspace.studios.iterdir())) == 1


def test_another_machine_is_refused_as_long_as_it_is_there(entered):
    there = entered(host="far", machine="far-away")
    with pytest.raises(BusyError, match=r"another machine.*far") as caught:
        entered()
    assert "STUDIO_DATABASE_URL" in caught.value.remedy
    there._left.set()
    assert [one.host for one in entered().others()] == ["far"]


def test_containers_of_one_machine_may_share(entered):
    entered(host="container")
    assert [one.host for one in entered().others()] == ["container"]


def test_a_database_server_is_shared_with_any_machine(entered, workspace):
    entered(host="far", machine="far-away")
    here = Presence(workspace)
    here.enter(alone_on_machine=False)
    assert [one.host for one in here.others()] == ["far"]
    here.leave()


def test_a_damaged_file_and_a_full_disk_stop_nobody(entered, workspace, monkeypatch, caplog):
    workspace.studios.mkdir()
    (workspace.studios / "torn.json").write_text('{"host": "fa')
    told = threading.Event()

    def full(*_, **__):
        told.set()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(open_studios, "write_json", full)
    here = entered()
    assert told.is_set() and here.others() == []
    assert "cannot be told" in caplog.text and "Traceback" in caplog.text


def test_what_stays_of_long_ago_does_not_count(entered, workspace, monkeypatch):
    entered(host="far", machine=this_studio().machine)._left.set()
    here = entered()
    now = time.time() + open_studios.GONE_SECONDS + 1
    monkeypatch.setattr(open_studios.time, "time", lambda: now)
    assert here.others() == []
