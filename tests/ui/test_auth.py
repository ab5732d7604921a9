"""Logins: hashes, cookies, limits, and who sees which page."""

import stat
from pathlib import Path

import pytest
import yaml

from studio.errors import InputError, NotFoundError
from studio.ui import auth
from studio.ui.auth import ATTEMPTS, Accounts, add_user, main, remove_user

PASSWORD = "correct horse"
COST = dict(auth.SCRYPT)


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Hashes that cost nothing; what they cost outside of tests has a test of its own."""
    monkeypatch.setitem(auth.SCRYPT, "n", 16)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "accounts.yaml"
    add_user(path, "lea", "lead", PASSWORD)
    add_user(path, "ana", "annotator", PASSWORD + "2")
    return path


def test_file_holds_no_password_and_is_never_open_to_others(file, monkeypatch):
    assert PASSWORD not in file.read_text()
    assert yaml.safe_load(file.read_text())["users"]["ana"]["role"] == "annotator"
    modes = []
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda own, new: modes.append(own.stat().st_mode) or replace(own, new)
    )
    add_user(file, "ben", "annotator", PASSWORD)
    remove_user(file, "ben")
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600, 0o600]


def test_a_hash_is_as_expensive_as_it_should_be(file, monkeypatch):
    assert COST["n"] * COST["r"] * 128 >= 16 << 20  # bytes for each guess
    before = auth._hash(PASSWORD, b"salt")
    monkeypatch.setattr(auth, "SCRYPT", COST)
    assert auth._hash(PASSWORD, b"salt") != before
    assert Accounts.load(file).check("lea", PASSWORD, "here") is None


def test_right_password_gives_a_cookie_that_outlives_a_restart(file):
    account = Accounts.load(file).check("ana", PASSWORD + "2", "here")
    cookie = Accounts.load(file).cookie(account)
    assert Accounts.load(file).of_cookie(cookie).name == "ana"


def test_forged_stale_and_foreign_cookies_are_nobodys(file, tmp_path):
    accounts = Accounts.load(file)
    lea = accounts.by_name["lea"]
    good = accounts.cookie(accounts.by_name["ana"])
    name, until, signature = good.split("|")
    stale = f"ana|1|{accounts._sign('ana|1', accounts.by_name['ana'])}"
    for cookie in (
        None,
        "",
        "||",
        f"lea|{until}|{signature}",
        f"{name}|9{until}|{signature}",
        stale,
    ):
        assert accounts.of_cookie(cookie) is None
    add_user(file, "lea", "lead", "another password")
    assert Accounts.load(file).of_cookie(accounts.cookie(lea)) is None


def test_a_running_studio_takes_over_what_was_written_to_the_file(file, capsys):
    accounts = Accounts.load(file)
    ana = accounts.cookie(accounts.by_name["ana"])
    add_user(file, "ben", "annotator", PASSWORD)
    assert accounts.check("ben", PASSWORD, "here").role == "annotator"
    assert accounts.of_cookie(ana).name == "ana"
    assert main([str(file), "ana", "--remove"]) == 0
    assert accounts.of_cookie(ana) is None
    good = file.read_text()
    file.write_text("users: [")
    assert accounts.check("ben", PASSWORD, "here").name == "ben"
    assert "stay as they were" in capsys.readouterr().err
    file.write_text(good)
    with pytest.raises(InputError, match="only lead"):
        remove_user(file, "lea")
    assert main([str(file), "zoe", "--remove"]) == 2


def test_wrong_passwords_run_into_a_limit(file):
    accounts = Accounts.load(file)
    for attempt in range(ATTEMPTS):
        assert accounts.check("lea", f"wrong {attempt}", f"client {attempt}") is None
    with pytest.raises(InputError, match="Too many attempts"):
        accounts.check("lea", PASSWORD, "another client")


def test_unknown_name_is_refused_like_a_wrong_password(file):
    assert Accounts.load(file).check("nobody", PASSWORD, "here") is None


@pytest.mark.parametrize(
    "content", ["", "users: {}", "users: {ana: {role: boss, password: x}}", "users: [", "- a"]
)
def test_broken_files_are_refused_with_the_way_out(tmp_path, content):
    path = tmp_path / "accounts.yaml"
    path.write_text(content)
    with pytest.raises(InputError):
        Accounts.load(path)


def test_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(NotFoundError, match=r"python -m studio\.ui\.auth"):
        Accounts.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("name", "role", "password"),
    [("a b", "lead", PASSWORD), ("ana", "boss", PASSWORD), ("ana", "lead", "short")],
)
def test_unusable_accounts_are_not_written(tmp_path, name, role, password):
    with pytest.raises(InputError):
        add_user(tmp_path / "accounts.yaml", name, role, password)
    assert not (tmp_path / "accounts.yaml").exists()
