"""Guessing gets slower and slower, for whoever guesses."""

import threading

import httpx

from studio.api.access import passwords
from studio.api.access.login_throttle import (
    FIRST_WAIT,
    FREE,
    LONGEST_WAIT,
    LONGEST_WAIT_KNOWN,
    Throttle,
    network,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_waits_grow_to_an_end_and_are_forgotten_after_a_calm_hour():
    throttle = Throttle(Clock())
    for _ in range(FREE["pair"]):
        assert throttle.attempt("lea", "10.0.0.1") == 0
    waits = []
    for _ in range(12):
        waits.append(throttle.attempt("lea", "10.0.0.1"))
        throttle.clock.now += waits[-1]
        assert throttle.attempt("lea", "10.0.0.1") == 0
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits == sorted(waits) and waits[-1] == LONGEST_WAIT
    throttle.clock.now += 3601
    assert throttle.attempt("lea", "10.0.0.1") == 0
    assert throttle.attempt("lea", "10.0.0.1") == 0


def test_attempts_at_once_are_all_counted():
    """Each counts before it is known how it ends: a hundred at a time are no way around."""
    throttle = Throttle(Clock())
    assert [throttle.attempt("lea", "10.0.0.1") > 0 for _ in range(100)].count(False) == FREE[
        "pair"
    ]


def test_the_right_password_clears_what_its_owner_mistyped():
    throttle = Throttle(Clock())
    for _ in range(50):
        for _ in range(FREE["pair"]):
            assert throttle.attempt("lea", "10.0.0.1") == 0
        throttle.clock.now += 3601
        throttle.succeeded("lea", "10.0.0.1")


def test_an_attempt_nobody_had_time_for_counts_as_none_and_clears_none():
    throttle = Throttle(Clock())
    for _ in range(FREE["pair"] - 1):
        throttle.attempt("lea", "10.0.0.1")
    for _ in range(50):
        assert throttle.attempt("lea", "10.0.0.1") == 0
        throttle.take_back("lea", "10.0.0.1")
    assert throttle.attempt("lea", "10.0.0.1") == 0
    assert throttle.attempt("lea", "10.0.0.1") > 0


def test_a_known_browser_counts_for_itself():
    throttle = Throttle(Clock())
    while throttle.attempt("lea", "10.0.0.1") == 0:
        pass
    assert throttle.attempt("lea", "10.0.0.1", "device") == 0
    for _ in range(30):
        throttle.clock.now += LONGEST_WAIT_KNOWN
        assert throttle.attempt("lea", "10.0.0.1", "device") == 0


def test_one_address_at_many_names_and_one_name_from_many_addresses():
    throttle = Throttle(Clock())
    tried = sum(throttle.attempt(f"name-{number}", "10.0.0.1") == 0 for number in range(100))
    assert tried == FREE["address"]
    tried = sum(throttle.attempt("lea", f"10.0.{number}.1") == 0 for number in range(1, 100))
    assert tried == FREE["name"]


def test_one_network_of_ipv6_is_one_address():
    assert network("2001:db8::1") == network("2001:db8::ffff")
    assert network("2001:db8::1") != network("2001:db8:0:1::1")
    assert network("::ffff:10.0.0.1") == network("10.0.0.1") == "10.0.0.1"
    assert network("testclient") == "testclient"


def test_a_right_password_starts_no_new_wait_for_others_at_its_address():
    throttle = Throttle(Clock())
    for number in range(FREE["address"]):
        assert throttle.attempt(f"name-{number}", "10.0.0.1") == 0
    throttle.clock.now += FIRST_WAIT
    for number in range(5):
        assert throttle.attempt(f"right-{number}", "10.0.0.1") == 0
        throttle.succeeded(f"right-{number}", "10.0.0.1")
    assert throttle.attempt("guess", "10.0.0.1") == 0
    assert throttle.attempt("right", "10.0.0.1") > 0


def test_many_made_up_names_do_not_free_one_that_is_guessed_at(monkeypatch):
    monkeypatch.setattr("studio.api.access.login_throttle.MOST_TRACKED", 300)
    throttle = Throttle(Clock())
    for number in range(FREE["name"]):
        assert throttle.attempt("lea", f"10.0.{number}.1") == 0
    for number in range(1000):
        throttle.attempt(f"made-up-{number}", f"10.{number // 250 + 1}.{number % 250}.1")
    assert throttle.attempt("lea", "10.9.9.9") > 0


def test_who_is_logged_in_counts_for_the_session_alone():
    throttle = Throttle(Clock())
    while throttle.attempt("lea", "10.0.0.1") == 0:
        continue
    for _ in range(FREE["session"]):
        assert throttle.attempt("lea", "10.0.0.1", session="here") == 0
    assert throttle.attempt("lea", "10.0.0.1", session="here") > 0
    assert throttle.attempt("lea", "10.0.0.1", session="there") == 0
    throttle.clock.now += LONGEST_WAIT
    throttle.succeeded("lea", "10.0.0.1", session="here")
    assert throttle.attempt("lea", "10.0.0.1", session="here") == 0


def test_a_flood_of_logins_leaves_the_studio_answering(guarded, guarded_context, monkeypatch):
    """Two passwords are checked at a time, some wait, the others are told so at once."""
    monkeypatch.setattr(guarded_context.accounts, "throttle", Throttle())
    going, checked = threading.Event(), passwords.fits
    monkeypatch.setattr(passwords, "fits", lambda *given: going.wait(60) and checked(*given))
    answers: list[int] = []

    def guess(number: int) -> None:
        data = {"name": f"nobody-{number}", "password": "a guess of mine"}
        answers.append(httpx.post(f"{guarded}login", data=data, timeout=60).status_code)

    monkeypatch.setattr(
        "studio.api.access.login_throttle.FREE",
        dict.fromkeys(("pair", "device", "address", "name"), 999),
    )
    threads = [threading.Thread(target=guess, args=(number,)) for number in range(24)]
    for one in threads:
        one.start()
    try:
        while len(answers) < len(threads) - passwords.WAITING:
            assert httpx.get(f"{guarded}health", timeout=60).text == "ok"
        assert set(answers) == {503}
    finally:
        going.set()
        for one in threads:
            one.join()
    assert answers.count(401) == passwords.WAITING


def test_an_address_that_is_only_said_is_not_believed(guarded, guarded_context, monkeypatch):
    monkeypatch.setattr(guarded_context.accounts, "throttle", Throttle())
    monkeypatch.setattr(
        "studio.api.access.login_throttle.FREE", {"pair": 2, "device": 9, "address": 99, "name": 99}
    )
    codes = [
        httpx.post(
            f"{guarded}login",
            data={"name": "lou", "password": "a guess"},
            headers={"X-Forwarded-For": f"10.0.0.{number}"},
        ).status_code
        for number in range(4)
    ]
    assert codes == [401, 401, 429, 429]
