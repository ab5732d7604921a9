"""Label Studio: tasks with annotations, and a labeling interface that shows all their keys."""

from __future__ import annotations

from xml.etree import ElementTree

from studio.annotation.export.export_contents import Contents
from studio.annotation.export.formats.label_studio import interface
from tests.annotation.conftest import answer, make_row
from tests.annotation.export.conftest import export
from tests.annotation.export.judged_rows import BLUE, RED, nothing_secret, read, talk

AT = "2027-01-15T08:00:00+00:00"


def pairwise(side: str) -> dict:
    return {
        "from_name": "preference",
        "to_name": "response1,response2",
        "type": "pairwise",
        "value": {"selected": side},
    }


def on_prompt(name: str, kind: str, value: dict) -> dict:
    return {"from_name": name, "to_name": "prompt", "type": kind, "value": value}


def test_a_task_has_the_keys_of_label_studio_and_everybodys_labels(told, workspace, shas, images):
    made = export(told, workspace, format="label-studio")
    first, second = read(made, "tasks.json")
    assert first == {
        "id": 1,
        "data": {
            "image_1": f"/data/local-files/?d=images/{shas[0]}.png",
            "image_2": "",
            "prompt": "Which colour is the bar?",
            "messages": [{"role": "user", "content": "Which colour is the bar?"}],
            "response1": "The bar is red.",
            "response2": "The bar is blue.",
            "row": "a",
            "response1_author": "model-a",
            "response2_author": "model-b",
            "votes": 2,
        },
        "meta": {"topic": "colours", "image": "bar.png"},
        "annotations": [
            {
                "completed_by": {"id": 1, "email": "ana"},
                "created_at": AT,
                "lead_time": 1.5,
                "was_cancelled": False,
                "result": [
                    pairwise("left"),
                    on_prompt("strength", "choices", {"choices": ["clearly"]}),
                    on_prompt("aspect1", "choices", {"choices": ["first answer"]}),
                    on_prompt("comment", "textarea", {"text": ["Look again."]}),
                    {
                        "from_name": "marks_response1",
                        "to_name": "response1",
                        "type": "labels",
                        "value": {"start": 4, "end": 7, "text": "bar", "labels": ["wrong"]},
                    },
                ],
            },
            {
                "completed_by": {"id": 2, "email": "ben"},
                "created_at": AT,
                "lead_time": 1.5,
                "was_cancelled": False,
                "result": [pairwise("left")],
            },
        ],
        "predictions": [{"model_version": "vlm-studio", "result": [pairwise("left")]}],
    }
    assert second["data"]["messages"][1]["content"] == "First <image> then <image> here."
    for sha in shas:
        assert (made.path / f"images/{sha}.png").read_bytes() == images.path(sha).read_bytes()
    nothing_secret(made)


def test_the_interface_shows_only_what_each_task_has_and_each_result_has_its_tag(told, workspace):
    made = export(told, workspace, format="label-studio", shape="answers")
    view = ElementTree.fromstring((made.path / "labeling-interface.xml").read_text("utf-8"))
    tags = {tag.get("name"): tag for tag in view.iter() if tag.get("name")}
    shown = {str(tag.get("value"))[1:] for tag in tags.values() if tag.get("value")}
    assert shown == {"image_1", "image_2", "messages", "prompt", "response1", "response2"}
    tasks = read(made, "tasks.json")
    assert len(tasks) == 3 and made.rows == 6
    for task in tasks:
        assert shown <= set(task["data"])
        for annotation in task["annotations"]:
            for result in annotation["result"]:
                tag = tags[result["from_name"]]
                assert tag.tag.lower() == result["type"]
                assert tag.get("toName") == result["to_name"]
    ties = [one["result"] for one in tasks[2]["annotations"]]
    assert ties[1] == [
        on_prompt("tie", "choices", {"choices": ["both_bad"]}),
        on_prompt("reason", "textarea", {"text": ["unfaithful"]}),
    ]


def test_skips_are_cancelled_and_keep_what_was_said_of_them(store, workspace):
    rows = [
        make_row(n, images=(), prompt=talk(("user", f"{n}?")), candidates=(RED, BLUE))
        for n in range(2)
    ]
    store.add_rows("charts", rows)
    for kind in ("skip", "unsure"):
        card = store.claim("ana")
        store.save(answer(card, "ana", kind=kind, comment="Too dark."))
    made = export(store, workspace, format="label-studio", shape="answers")
    skip, unsure = (task["annotations"][0] for task in read(made, "tasks.json"))
    comment = on_prompt("comment", "textarea", {"text": ["Too dark."]})
    assert skip["was_cancelled"] and unsure["was_cancelled"]
    assert skip["result"] == [comment]
    assert unsure["result"] == [on_prompt("tie", "choices", {"choices": ["unsure"]}), comment]


def test_the_name_of_an_aspect_is_no_markup():
    title = 'Short & "sweet" <b>'
    view = ElementTree.fromstring(interface(Contents("n", "answers", ()), {title: "aspect1"}))
    assert title in [tag.get("value") for tag in view.iter("Header")]
    assert not list(view.iter("b"))


def test_without_names_people_are_numbered(told, workspace):
    made = export(told, workspace, format="label-studio", anonymous=True)
    named = read(made, "tasks.json")[0]["annotations"]
    assert {one["completed_by"]["email"] for one in named} == {"annotator-1", "annotator-2"}
    nothing_secret(made, '"ana"', '"ben"')
