"""Sessions have owners, and each person only so many."""

from __future__ import annotations

from studio.ui.events.sessions import SessionOwners


def test_whoever_uses_a_session_first_owns_it():
    owners = SessionOwners()
    assert owners.claim("a", "ana") and owners.claim("a", "ana")
    assert not owners.claim("a", "bob")


def test_a_person_s_sessions_are_forgotten_the_longest_unused_first_and_no_other_s():
    owners = SessionOwners(most=2)
    owners.claim("lea", "lea")
    for session in ("one", "two", "one", "three"):
        assert owners.claim(session, "ana")
    assert owners.claim("two", "bob")
    assert not owners.claim("one", "bob") and not owners.claim("lea", "bob")
