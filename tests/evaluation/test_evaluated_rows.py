"""The rows of an evaluation, read, held out and kept."""

from __future__ import annotations

import pytest

from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.data.schema import Answer, Message, Part, Row
from studio.evaluation.evaluated_rows import (
    choose_rows,
    held_out_rows,
    read_rows,
    spread,
    trained_images,
    write_rows,
)
from tests.evaluation.small_evaluations import run_with_adapter


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


def test_rows_come_back_as_they_were_kept(tmp_path):
    prompt = (
        Message("system", (Part("text", "Be brief."),)),
        Message("user", (Part("image"), Part("text", "How many\u2028bars?"))),
        Message("assistant", (Part("text", "3"),), scored=False),
        Message("user", (Part("text", "Sure?"),)),
    )
    rows = [
        Row("1", ("a" * 64,), prompt, completion=Answer("yes"), meta={"accepted_answers": ["ja"]}),
        Row("2", (), prompt[:1], chosen=Answer("x", "me"), rejected=Answer("y")),
        Row("3", (), prompt[:2], candidates=(Answer("a"), Answer("b"))),
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_rows(tmp_path / "rows.jsonl") == rows
    assert read_rows(tmp_path / "rows.jsonl")[0].accepted == ("yes", "ja")


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"external_id": 1}', None])
def test_damaged_rows_are_said(tmp_path, content):
    file = tmp_path / "rows.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        read_rows(file)


@pytest.mark.parametrize("evaluation", ["25%", "evaluation[:6]"])
def test_what_a_run_holds_out_shares_no_image_with_its_training(workspace, evaluation):
    run = run_with_adapter(workspace, train="train[:40]", evaluation=evaluation)
    held = held_out_rows(run, workspace)
    assert held
    trained = trained_images(run, workspace)
    assert trained and not any(trained.intersection(row.images) for row in held)
    found = choose_rows("run:small", workspace, limit=2)
    assert found.rows == tuple(held[:2]) and run.run_id in found.source


def test_few_rows_are_taken_from_the_whole():
    rows = [Row(str(number), (), ()) for number in range(10)]
    assert [row.external_id for row in spread(rows, 3)] == ["0", "3", "6"]
    assert spread(rows, 20) == tuple(rows)
