"""Sessions on the server: they end when they should, and no sooner."""

import stat

import pytest

from studio.api.access import sessions
from studio.api.access.sessions import MOST_PER_PERSON, SESSION_SECONDS, Sessions


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kept(tmp_path):
    found = Sessions(Clock())
    found.keep_in(tmp_path / "sessions.json")
    return found


def again(kept: Sessions) -> Sessions:
    """The sessions as they are after a restart."""
    found = Sessions(kept.clock)
    found.keep_in(kept.path)
    return found


def test_the_file_is_private_and_lets_nobody_in(kept):
    cookie = kept.begin("ana", "proof", "Firefox", "10.0.0.1")
    assert cookie not in kept.path.read_text()
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert again(kept).find(cookie).name == "ana"
    assert again(kept).find(kept.find(cookie).id) is None  # what the file holds is no cookie


def test_a_session_ends_after_a_week_by_itself(kept):
    cookie = kept.begin("ana", "proof")
    kept.clock.now += SESSION_SECONDS - 1
    assert kept.find(cookie)
    kept.clock.now += 2
    assert kept.find(cookie) is None and again(kept).find(cookie) is None


def test_an_ended_one_stays_ended_after_a_restart(kept):
    here, there, other = (kept.begin(name, "proof") for name in ("ana", "ana", "lea"))
    kept.end(kept.find(here).id)
    assert [bool(again(kept).find(one)) for one in (here, there, other)] == [False, True, True]
    assert kept.end_all("ana") == 1
    assert [bool(again(kept).find(one)) for one in (here, there, other)] == [False, False, True]


def test_one_person_has_so_many_and_the_longest_unused_goes(kept):
    first = kept.begin("ana", "proof")
    other = kept.begin("lea", "proof")
    for _ in range(MOST_PER_PERSON):
        kept.clock.now += 1
        last = kept.begin("ana", "proof")
    assert kept.find(first) is None and kept.find(last) and kept.find(other)
    assert len(kept.of("ana")) == MOST_PER_PERSON


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sessions": [1, {"id": "x"}]}'])
def test_a_damaged_file_keeps_nobody_out(tmp_path, content):
    (tmp_path / "sessions.json").write_text(content)
    found = Sessions(Clock())
    found.keep_in(tmp_path / "sessions.json")
    assert found.find(found.begin("ana", "proof")).name == "ana"


def test_a_full_disk_lets_people_in_and_is_logged(kept, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sessions, "write_atomic", full)
    assert kept.find(kept.begin("ana", "proof"))
    assert "No space left" in caplog.text
