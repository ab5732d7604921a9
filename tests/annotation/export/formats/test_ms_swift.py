"""ms-swift: messages, `rejected_response`, `label` and images, and no key besides."""

from __future__ import annotations

from tests.annotation.conftest import answer, make_row
from tests.annotation.export.conftest import export
from tests.annotation.export.judged_rows import BLUE, RED, nothing_secret, read, talk


def test_preferences_end_with_the_better_answer(told, workspace, shas, images):
    made = export(told, workspace, format="ms-swift")
    first, second = read(made, "preferences.jsonl")
    assert first == {
        "messages": [
            {"role": "user", "content": "<image>Which colour is the bar?"},
            {"role": "assistant", "content": "The bar is red."},
        ],
        "rejected_response": "The bar is blue.",
        "images": [f"images/{shas[0]}.png"],
    }
    assert second == {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "First <image> then <image> here."},
            {"role": "assistant", "content": "Two pictures."},
            {"role": "user", "content": "Which is warmer?"},
            {"role": "assistant", "content": "The first."},
        ],
        "rejected_response": "The second.",
        "images": [f"images/{sha}.png" for sha in shas],
    }
    for sha in shas:
        assert (made.path / f"images/{sha}.png").read_bytes() == images.path(sha).read_bytes()
    nothing_secret(made, '"ana"', '"ben"')


def test_best_answers_are_messages_alone(told, workspace, shas):
    made = export(told, workspace, format="ms-swift", shape="completions")
    assert read(made, "completions.jsonl")[0] == {
        "messages": [
            {"role": "user", "content": "<image>Which colour is the bar?"},
            {"role": "assistant", "content": "The bar is red."},
        ],
        "images": [f"images/{shas[0]}.png"],
    }


def test_single_verdicts_have_a_label(told, workspace):
    made = export(told, workspace, format="ms-swift", shape="verdicts")
    labels = {
        (record["messages"][-1]["content"], record["label"])
        for record in read(made, "verdicts.jsonl")
    }
    assert labels == {
        ("The bar is red.", True),
        ("The bar is blue.", False),
        ("The first.", True),
        ("The second.", False),
    }
    assert made.left_out == {"tied": 1}


def test_a_text_that_spells_the_tag_of_a_picture_is_left_out_and_counted(store, workspace):
    prompt = talk(("user", "What does <image> mean?"))
    store.add_rows(
        "charts",
        [
            make_row(0, images=(), prompt=prompt, candidates=(RED, BLUE)),
            make_row(1, images=(), prompt=talk(("user", "Well?")), candidates=(RED, BLUE)),
        ],
    )
    while card := store.claim("ana"):
        store.save(answer(card, "ana"))
    for format in ("ms-swift", "llama-factory"):
        made = export(store, workspace, format=format)
        assert (made.rows, made.left_out) == (1, {"image_tag": 1})
    assert export(store, workspace, format="openai").rows == 2


def test_answers_that_are_not_learned_say_so(store, workspace):
    prompt = talk(("user", "One?"), ("assistant", "1"), ("user", "Two?"))
    spoken = type(prompt[1])("assistant", prompt[1].parts, scored=False)
    row = make_row(0, images=(), prompt=(prompt[0], spoken, prompt[2]), candidates=(RED, BLUE))
    store.add_rows("charts", [row])
    store.save(answer(store.claim("ana"), "ana"))
    (record,) = read(export(store, workspace, format="ms-swift"), "preferences.jsonl")
    assert record["messages"][1] == {"role": "assistant", "content": "1", "loss": False}
    assert export(store, workspace, format="llama-factory").not_held["weights"] == 1
