"""Chat from the command line: what it says where there is nothing to show or to read."""

from __future__ import annotations

import json

from studio.cli.main import main
from studio.inference import single_answer


def test_an_image_at_an_address_is_called_an_address(tmp_path, capsys):
    address = "https://example.org/a.png"
    code = main(["chat", "embedded", "?", "--image", address, "--workspace", str(tmp_path)])
    said = capsys.readouterr().err
    assert code == 2 and f"{address} is an address" in said and "nothing is fetched" in said


def test_an_empty_answer_is_said(tmp_path, capsys, monkeypatch):
    answers = [single_answer.Asked("embedded", " \n", tokens=3), single_answer.Asked("mine", "")]
    monkeypatch.setattr(single_answer, "ask", lambda *_, **__: answers)
    command = ["chat", "embedded", "What?", "--workspace", str(tmp_path)]
    assert main(command) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("embedded: (empty answer) The model wrote 3 tokens of which nothing")
    assert second == "mine: (empty answer) The model ended its answer at once (0 tokens)."
    assert main([*command, "--json"]) == 0
    assert [a["tokens"] for a in json.loads(capsys.readouterr().out)["answers"]] == [3, 0]
