"""Passwords: how costly a guess is, and which are refused."""

from __future__ import annotations

import pytest

from studio.api.access import passwords
from studio.api.access.accounts import Accounts, add_user
from studio.core.errors import InputError
from tests.api.access.accounts_file import PASSWORD

COST = dict(passwords.SCRYPT)


def test_a_hash_is_as_expensive_as_it_should_be(file, monkeypatch):
    assert COST["n"] * COST["r"] * 128 >= 16 << 20  # bytes for each guess
    before = passwords._hash(PASSWORD, b"salt")
    monkeypatch.setattr(passwords, "SCRYPT", COST)
    assert passwords._hash(PASSWORD, b"salt") != before
    assert Accounts.load(file).check("lea", PASSWORD, "here") is None


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("1234567890", "first that are tried"),
        ("password123!", "first that are tried"),
        ("Qwertyuiop", "first that are tried"),
        ("passwordpassword", "first that are tried"),
        ("Password-password-password1", "first that are tried"),
        ("dragon12dragon12", "first that are tried"),
        ("aaaaaaaabbbb", "repeats"),
        ("annotator-7-2024", "little more than the name"),
        ("short", "too short"),
        ("x" * 2000, "longer than"),
    ],
)
def test_the_worst_passwords_are_refused(tmp_path, password, why):
    with pytest.raises(InputError, match=why):
        add_user(tmp_path / "accounts.yaml", "annotator-7", "lead", password)
    assert not (tmp_path / "accounts.yaml").exists()
