"""The accounts command: a password asked twice, and the list."""

from __future__ import annotations

from studio.api.access import accounts
from studio.cli.main import main


def test_the_command_asks_twice_and_lists(tmp_path, monkeypatch, capsys):
    path = tmp_path / "accounts.yaml"
    typed = ["three odd socks", "three odd sock", "three odd socks", "three odd socks"]
    monkeypatch.setattr("studio.cli.accounts.getpass.getpass", lambda _: typed.pop(0))
    assert main(["accounts", str(path), "lea", "--role", "lead"]) == 2
    assert "differ" in capsys.readouterr().err and not path.exists()
    assert main(["accounts", str(path), "lea", "--role", "lead"]) == 0
    capsys.readouterr()
    assert main(["accounts", str(path), "--list"]) == 0
    assert capsys.readouterr().out == "lea  lead\n"
    assert main(["accounts", str(path)]) == 2
    assert "Name one" in capsys.readouterr().err
    assert main(["accounts", str(path), "lea", "--role", "owner"]) == 2


def test_who_is_removed_is_on_the_list_no_more_and_the_last_lead_stays(tmp_path, capsys):
    path = tmp_path / "accounts.yaml"
    accounts.add_user(path, "lea", "lead", "three odd socks")
    accounts.add_user(path, "ana", "annotator", "seven odd socks")
    assert main(["accounts", str(path), "ana", "--remove"]) == 0
    assert main(["accounts", str(path), "lea", "--remove"]) != 0
    capsys.readouterr()
    assert main(["accounts", str(path), "--list"]) == 0
    assert capsys.readouterr().out == "lea  lead\n"


def test_a_list_says_who_is_invited_and_survives_an_entry_that_is_none(tmp_path, capsys):
    path = tmp_path / "accounts.yaml"
    path.write_text("users:\n  odd: 3\ninvites:\n  ben: {role: annotator}\n")
    assert main(["accounts", str(path), "--list"]) == 0
    assert capsys.readouterr().out == "odd  ?\nben  annotator  invited\n"
    path.write_text("users: {}\n")
    assert main(["accounts", str(path), "--list"]) == 0
    assert f"{path} has no accounts." in capsys.readouterr().out
