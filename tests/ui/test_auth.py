"""The address that the accounts' command had before."""

import runpy
import sys

import pytest

from studio.api.access.accounts import add_user


def test_the_former_address_still_manages_accounts(tmp_path, monkeypatch, capsys):
    file = tmp_path / "accounts.yaml"
    add_user(file, "lea", "lead", "a long password")
    monkeypatch.setattr(sys, "argv", ["studio.ui.auth", str(file), "--list"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("studio.ui.auth", run_name="__main__")
    assert ended.value.code == 0
    assert "lea" in capsys.readouterr().out
