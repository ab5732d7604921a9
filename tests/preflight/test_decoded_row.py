"""What is scored of a row."""

from __future__ import annotations

import json

from tests.models.templated_model import ASKED, OWN, SAID, checked, templated, turn, written

NO_END = OWN.replace("<end_of_utterance>\n", "\n")


def test_the_check_shows_what_is_scored(tmp_path, workspace):
    rows = written(tmp_path, [ASKED, SAID, turn("user", "And?"), turn("assistant", "G.")])
    report = checked("embedded", rows, workspace)
    assert [(piece.text, piece.scored) for piece in report.rendering.pieces] == [
        ("<|im_start|>User:<image>?<end_of_utterance>\nAssistant:", False),
        (" R.<end_of_utterance>\n", True),
        ("User: And?<end_of_utterance>\nAssistant:", False),
        (" G.<end_of_utterance>\n", True),
    ]
    assert type(report).from_json(json.loads(json.dumps(report.to_json()))) == report
    unended = checked(templated(tmp_path, NO_END), rows, workspace)
    assert unended.rendering.pieces[-1].text == " G."
