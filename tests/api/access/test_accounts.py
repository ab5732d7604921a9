"""Logins: hashes, cookies, limits, and who sees which page."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from studio.api.access import passwords
from studio.api.access.accounts import Accounts, add_user, remove_user, set_role
from studio.api.access.login_throttle import FREE
from studio.cli.main import main
from studio.core.errors import InputError, NotFoundError
from tests.api.access.accounts_file import PASSWORD


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
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_right_password_gives_a_cookie_that_outlives_a_restart(file, tmp_path):
    first, second = Accounts.load(file), Accounts.load(file)
    first.sessions.keep_in(tmp_path / "sessions.json")
    cookie = first.cookie(first.check("ana", PASSWORD + "2", "here"))
    assert second.of_cookie(cookie) is None
    second.sessions.keep_in(tmp_path / "sessions.json")
    assert second.of_cookie(cookie).name == "ana"


def test_made_up_cookies_are_nobodys(file):
    accounts = Accounts.load(file)
    good = accounts.cookie(accounts.by_name["ana"])
    for cookie in (None, "", "||", "ana|9999999999|x", good[:-1], good + "x", good.swapcase()):
        assert accounts.of_cookie(cookie) is None
    assert accounts.of_cookie(good).name == "ana"


def test_a_new_password_ends_the_sessions_of_the_old_one(file):
    accounts = Accounts.load(file)
    lea, ana = (accounts.cookie(accounts.by_name[name]) for name in ("lea", "ana"))
    add_user(file, "lea", "lead", "another password")
    assert accounts.of_cookie(lea) is None
    assert accounts.of_cookie(ana).name == "ana"


def test_a_running_studio_takes_over_what_was_written_to_the_file(file, capsys):
    accounts = Accounts.load(file)
    ana = accounts.cookie(accounts.by_name["ana"])
    add_user(file, "ben", "annotator", PASSWORD)
    assert accounts.check("ben", PASSWORD, "here").role == "annotator"
    assert accounts.of_cookie(ana).name == "ana"
    assert main(["accounts", str(file), "ana", "--remove"]) == 0
    assert accounts.of_cookie(ana) is None
    good = file.read_text()
    file.write_text("users: [")
    assert accounts.check("ben", PASSWORD, "here").name == "ben"
    assert "stay as they were" in capsys.readouterr().err
    file.write_text(good)
    with pytest.raises(InputError, match="only lead"):
        remove_user(file, "lea")
    assert main(["accounts", str(file), "zoe", "--remove"]) == 2


def test_wrong_passwords_run_into_a_limit(file):
    accounts = Accounts.load(file)
    for attempt in range(FREE["pair"]):
        assert accounts.check("lea", f"wrong {attempt}", "10.0.0.1") is None
    with pytest.raises(InputError, match="Wait 5 seconds"):
        accounts.check("lea", PASSWORD, "10.0.0.1")
    assert accounts.check("lea", PASSWORD, "10.0.0.2").name == "lea"


def test_a_browser_known_from_before_is_let_in_whoever_guesses_elsewhere(file):
    accounts = Accounts.load(file)
    device = accounts.device_cookie("lea")
    for number in range(FREE["name"]):
        accounts.check("lea", "a guess", f"10.0.{number}.1")
    with pytest.raises(InputError, match="Too many attempts"):
        accounts.check("lea", PASSWORD, "10.9.9.9")
    for foreign in ("", accounts.device_cookie("ana"), device + "0", device.replace("|", "|9", 1),
                    f"x|{'9' * 5000}|s"):  # fmt: skip
        with pytest.raises(InputError, match="Too many attempts"):
            accounts.check("lea", PASSWORD, "10.9.9.9", foreign)
    assert accounts.check("lea", PASSWORD, "10.9.9.9", device).name == "lea"


def test_the_last_lead_stays_one(file):
    with pytest.raises(InputError, match="only lead"):
        set_role(file, "lea", "annotator")
    set_role(file, "ana", "lead")
    set_role(file, "lea", "annotator")
    assert Accounts.load(file).by_name["lea"].role == "annotator"


def test_a_file_of_an_earlier_studio_is_read_as_before(tmp_path):
    path = tmp_path / "accounts.yaml"
    kept = passwords._hash(PASSWORD, bytes(16))
    path.write_text(f"key: abc\nusers:\n  lea: {{role: lead, password: {kept}}}\n")
    assert Accounts.load(path).check("lea", PASSWORD, "here").role == "lead"


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
    with pytest.raises(NotFoundError, match=r"python -m studio accounts"):
        Accounts.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("name", "role", "password"),
    [("a b", "lead", PASSWORD), ("ana", "boss", PASSWORD), ("ana", "lead", "short")],
)
def test_unusable_accounts_are_not_written(tmp_path, name, role, password):
    with pytest.raises(InputError):
        add_user(tmp_path / "accounts.yaml", name, role, password)
    assert not (tmp_path / "accounts.yaml").exists()
