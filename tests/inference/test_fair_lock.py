"""A lock that is handed on in the order of asking."""

import threading

from studio.inference.fair_lock import Turns

WAIT = 20


def waiting(turns: Turns, count: int) -> bool:
    """Wait until so many ask for the lock."""
    enough = threading.Event()
    for _ in range(WAIT * 100):
        if len(turns._waiting) == count:
            return True
        enough.wait(0.01)
    return False


def test_the_turn_goes_to_whoever_waits_longest():
    turns, order, threads = Turns(), [], []

    def ask(name: str) -> None:
        with turns.held():
            order.append(name)

    turns.acquire()
    assert not turns.contended
    for place, name in enumerate("abc", 1):
        threads.append(threading.Thread(target=ask, args=(name,)))
        threads[-1].start()
        assert waiting(turns, place)
    assert turns.contended and order == []
    turns.release()
    for thread in threads:
        thread.join(WAIT)
    assert order == ["a", "b", "c"] and not turns.contended


def test_an_error_within_hands_the_turn_on():
    turns = Turns()
    try:
        with turns.held():
            raise RuntimeError("generation failed")
    except RuntimeError:
        pass
    got = threading.Event()
    thread = threading.Thread(target=lambda: (turns.acquire(), got.set()), daemon=True)
    thread.start()
    assert got.wait(WAIT)
