"""LLaMA-Factory: ShareGPT turns, and the entry of `dataset_info.json` that describes them."""

from __future__ import annotations

import json

from tests.annotation.export.conftest import export
from tests.annotation.export.judged_rows import nothing_secret, read


def described(made) -> dict:
    return json.loads((made.path / "dataset_info.json").read_text(encoding="utf-8"))


def test_preferences_with_their_description(told, workspace, shas, images):
    made = export(told, workspace, format="llama-factory")
    first, second = read(made, "preferences.json")
    assert first == {
        "conversations": [{"from": "human", "value": "<image>Which colour is the bar?"}],
        "chosen": {"from": "gpt", "value": "The bar is red."},
        "rejected": {"from": "gpt", "value": "The bar is blue."},
        "images": [f"images/{shas[0]}.png"],
        "system": "",
    }
    assert second["system"] == "Be short."
    assert [turn["from"] for turn in second["conversations"]] == ["human", "gpt", "human"]
    assert described(made) == {
        "mine": {
            "file_name": "preferences.json",
            "formatting": "sharegpt",
            "ranking": True,
            "columns": {
                "messages": "conversations",
                "images": "images",
                "system": "system",
                "chosen": "chosen",
                "rejected": "rejected",
            },
        }
    }
    for sha in shas:
        assert (made.path / f"images/{sha}.png").read_bytes() == images.path(sha).read_bytes()
    nothing_secret(made, '"ana"', '"ben"')


def test_best_answers_end_the_conversation(told, workspace):
    made = export(told, workspace, format="llama-factory", shape="completions")
    record = read(made, "completions.json")[0]
    assert record["conversations"][-1] == {"from": "gpt", "value": "The bar is red."}
    assert set(record) == {"conversations", "images", "system"}
    assert "ranking" not in described(made)["mine"]


def test_single_verdicts_have_a_tag_that_the_description_names(told, workspace):
    made = export(told, workspace, format="llama-factory", shape="verdicts")
    tags = {
        (record["conversations"][-1]["value"], record["kto_tag"])
        for record in read(made, "verdicts.json")
    }
    assert ("The bar is red.", True) in tags and ("The bar is blue.", False) in tags
    assert described(made)["mine"]["columns"]["kto_tag"] == "kto_tag"
