"""Chat from the command line: what it says where there is nothing to show or to read."""

from __future__ import annotations

from studio.cli.main import main
from studio.services import asking


def test_an_image_at_an_address_is_called_an_address(tmp_path, capsys):
    address = "https://example.org/a.png"
    code = main(["chat", "embedded", "?", "--image", address, "--workspace", str(tmp_path)])
    said = capsys.readouterr().err
    assert code == 2 and f"{address} is an address" in said and "nothing is fetched" in said


def test_an_empty_answer_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(asking, "ask", lambda *_, **__: [asking.Asked("embedded", " \n")])
    assert main(["chat", "embedded", "What?", "--workspace", str(tmp_path)]) == 0
    assert "(empty answer" in capsys.readouterr().out
