"""Argilla: records as `records.to_json` writes them, in a folder that `from_disk` opens."""

from __future__ import annotations

import json
import uuid

from studio.annotation.export.formats.argilla import PEOPLE
from tests.annotation.export.conftest import export
from tests.annotation.export.judged_rows import nothing_secret, read

ANA, BEN = (str(uuid.uuid5(PEOPLE, name)) for name in ("ana", "ben"))
AT = "2027-01-15T08:00:00+00:00"


def said(value: str, *people: str) -> list[dict]:
    return [{"value": value, "user_id": who, "status": "submitted"} for who in people]


def test_a_record_has_the_keys_of_argilla_and_everybodys_labels(told, workspace, shas, images):
    made = export(told, workspace, format="argilla")
    assert made.rows == 2 and made.left_out == {"tied": 1}
    first, second = read(made, "records.json")
    assert first == {
        "id": "a",
        "fields": {
            "image_1": f"images/{shas[0]}.png",
            "prompt": [{"role": "user", "content": "Which colour is the bar?"}],
            "response1": "The bar is red.",
            "response2": "The bar is blue.",
        },
        "metadata": {
            "topic": "colours",
            "image": "bar.png",
            "response1_author": "model-a",
            "response2_author": "model-b",
            "votes": 2,
            "annotators": ["ana", "ben"],
            "answered_at": [AT, AT],
        },
        "suggestions": {"preference": {"value": "response1", "score": None, "agent": "vlm-studio"}},
        "responses": {
            "preference": said("response1", ANA, BEN),
            "strength": said("clearly", ANA),
            "comment": said("Look again.", ANA),
            "aspect_1_faithful": said("first_answer", ANA),
        },
        "vectors": {},
        "status": "completed",
        "_server_id": None,
    }
    assert second["fields"]["image_2"] == f"images/{shas[1]}.png"
    assert second["fields"]["prompt"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "First <image> then <image> here."},
        {"role": "assistant", "content": "Two pictures."},
        {"role": "user", "content": "Which is warmer?"},
    ]
    for sha in shas:
        assert (made.path / f"images/{sha}.png").read_bytes() == images.path(sha).read_bytes()
    nothing_secret(made)


def test_the_settings_name_each_field_and_question_that_a_record_has(told, workspace):
    made = export(told, workspace, format="argilla", shape="answers")
    settings = json.loads((made.path / ".argilla/settings.json").read_text("utf-8"))
    fields = {field["name"]: field["settings"]["type"] for field in settings["fields"]}
    assert fields == {
        "image_1": "image",
        "image_2": "image",
        "prompt": "chat",
        "response1": "text",
        "response2": "text",
    }
    options = {
        question["name"]: {one["value"] for one in question["settings"].get("options", ())}
        for question in settings["questions"]
    }
    for record in read(made, "records.json"):
        assert set(record["fields"]) <= set(fields)
        for question, given in record["responses"].items():
            known = options[question]
            assert not known or {response["value"] for response in given} <= known
    assert json.loads((made.path / ".argilla/dataset.json").read_text("utf-8")) == {"name": "mine"}


def test_everything_people_said_has_ties_with_their_reasons_and_no_decision(told, workspace):
    made = export(told, workspace, format="argilla", shape="answers")
    assert made.rows == 6 and made.answers
    record = read(made, "records.json")[2]
    assert record["responses"]["preference"] == said("response1", ANA) + said("both_bad", BEN)
    assert record["responses"]["reason"] == said("unfaithful", BEN)
    assert record["suggestions"] == {}
    assert "image_1" not in record["fields"]


def test_without_names_nobody_is_told_and_the_same_person_stays_one(told, workspace):
    made = export(told, workspace, format="argilla", anonymous=True, annotators=("ana",))
    (response,) = read(made, "records.json")[0]["responses"]["preference"]
    assert response["user_id"] == str(uuid.uuid5(PEOPLE, "annotator-1"))
    manifest = json.loads((made.path / "manifest.json").read_text("utf-8"))
    assert manifest["anonymous"]
    assert manifest["policy"]["annotators"] == ["1 person without their names"]
    nothing_secret(made, '"ana"', ANA, '"ben"', BEN)
