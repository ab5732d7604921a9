"""Chat from the command line: what it answers, and what it says where nothing can be shown or read."""

from __future__ import annotations

import json
from pathlib import Path

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


SAMPLE = "assets/samples/sft/images"


def test_chat_asks_base_and_adapter_folder_errors_are_clear(tmp_path, capsys):
    image = str(next(Path(SAMPLE).glob("*.png")))
    place = ["--workspace", str(tmp_path)]
    assert main(["chat", "embedded", "What kind of chart is this?", "--image", image, *place]) == 0
    assert capsys.readouterr().out.strip()
    assert main(["chat", "embedded", "x", "--image", "/no/image.png", *place]) == 2
    assert main(["chat", "embedded", "x", "--adapter", "nope", *place]) == 2
