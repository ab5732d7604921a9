"""Flags of the studio, and the address it listens on."""

from __future__ import annotations

import pytest

from studio.ui import serve as entry


def test_open_address_without_logins_is_refused(monkeypatch, capsys):
    monkeypatch.delenv("SPACE_ID", raising=False)
    with pytest.raises(SystemExit) as ended:
        entry.parse_flags(["--host", "0.0.0.0"])
    assert ended.value.code == 2
    assert "--auth FILE" in capsys.readouterr().err
    assert entry.parse_flags(["--host", "0.0.0.0", "--share-without-auth"]).host == "0.0.0.0"
    assert entry.parse_flags(["--host", "::1"]).host == "::1"


def test_taken_port_is_refused_with_the_next_one(capsys):
    first = entry.listen("127.0.0.1", 0)
    first.listen()
    port = first.getsockname()[1]
    with pytest.raises(SystemExit) as ended:
        entry.listen("127.0.0.1", port)
    first.close()
    assert ended.value.code == 2
    assert f"--port {port + 1}" in capsys.readouterr().err
