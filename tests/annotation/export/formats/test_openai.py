"""OpenAI: `input`, `preferred_output`, `non_preferred_output`; pictures inside, within bounds."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from studio.annotation.export.formats import openai
from studio.core.errors import DataError
from tests.annotation.conftest import answer, make_row
from tests.annotation.export.conftest import export
from tests.annotation.export.judged_rows import BLUE, RED, nothing_secret, read, talk


def url(images, sha: str) -> dict:
    encoded = base64.b64encode(images.path(sha).read_bytes()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}


def test_preferences_carry_their_pictures(told, workspace, shas, images):
    made = export(told, workspace, format="openai")
    first, second = read(made, "preferences.jsonl")
    assert first == {
        "input": {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        url(images, shas[0]),
                        {"type": "text", "text": "Which colour is the bar?"},
                    ],
                }
            ]
        },
        "preferred_output": [{"role": "assistant", "content": "The bar is red."}],
        "non_preferred_output": [{"role": "assistant", "content": "The bar is blue."}],
    }
    system, talked, *_ = second["input"]["messages"]
    assert system == {"role": "system", "content": "Be short."}
    assert [part.get("text") or part for part in talked["content"]] == [
        "First ",
        url(images, shas[0]),
        " then ",
        url(images, shas[1]),
        " here.",
    ]
    assert not (made.path / "images").exists()
    nothing_secret(made, '"ana"', '"ben"')


def test_best_answers_are_messages(told, workspace):
    made = export(told, workspace, format="openai", shape="completions")
    record = read(made, "completions.jsonl")[0]
    assert set(record) == {"messages"}
    assert record["messages"][-1] == {"role": "assistant", "content": "The bar is red."}


@pytest.mark.parametrize("bound", ["MOST_IMAGES", "LARGEST_ROW"])
def test_a_row_with_pictures_out_of_bounds_is_left_out_and_counted(
    told, workspace, monkeypatch, images, shas, bound
):
    largest = max(images.path(sha).stat().st_size for sha in shas)
    monkeypatch.setattr(openai, bound, 1 if bound == "MOST_IMAGES" else largest)
    made = export(told, workspace, format="openai")
    assert (made.rows, made.left_out) == (1, {"tied": 1, "image_size": 1})


def test_pictures_that_are_all_too_large_leave_nothing_and_it_is_said(told, workspace, monkeypatch):
    monkeypatch.setattr(openai, "LARGEST_IMAGE", 10)
    with pytest.raises(DataError, match="2: more or larger pictures"):
        export(told, workspace, format="openai")


def test_a_picture_of_another_type_is_left_out(store, workspace, images):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "BMP")
    sha = images.add(buffer.getvalue())
    prompts = [talk(("user", "*What?")), talk(("user", "Why?"))]
    rows = [
        make_row(n, images=(sha,) if n == 0 else (), prompt=prompt, candidates=(RED, BLUE))
        for n, prompt in enumerate(prompts)
    ]
    store.add_rows("charts", rows)
    while card := store.claim("ana"):
        store.save(answer(card, "ana"))
    made = export(store, workspace, format="openai")
    assert (made.rows, made.left_out) == (1, {"image_type": 1})
