"""The buttons below the annotating page: exporting and importing, for leads."""

from __future__ import annotations

import inspect
import json
import time
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import pytest

from studio.annotation import AnnotationStore, LabelEvent
from studio.annotation.export import hub_publish
from studio.annotation.export.formats.format_table import LINES
from studio.annotation.export.preference_export import export_name
from studio.cli import data as command
from studio.core.errors import RunFailedError
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.annotate.tab import DEFAULTS, FIELDS, ExportActions, export_form
from tests.ui.tab_context import Context

REQUEST = object()


@dataclass
class Event:
    """What the page sends along."""

    _data: dict


@pytest.fixture
def context(tmp_path: Path):
    workspace = Workspace.locate(tmp_path)
    store = AnnotationStore(f"sqlite:///{workspace.database}")
    yield Context(workspace, store, ImageStore(workspace), name="lea")
    store.close()


@pytest.fixture
def labelled(context) -> Context:
    prompts = [(Message("user", (Part("text", f"How many {n}?"),)),) for n in range(3)]
    answers = (Answer("one"), Answer("<b>two</b>"))
    rows = [Row(f"r{n}", (), prompt, candidates=answers) for n, prompt in enumerate(prompts)]
    context.store.add_rows("my charts", rows)
    for number in range(2):
        card = context.store.claim("ana")
        context.store.save(
            LabelEvent(f"key-{number}", card.pair_id, "ana", "choose", card.left.candidate_id)
        )
    return context


def export(context, **changes) -> tuple:
    values = dict(zip(FIELDS, ("my charts", *DEFAULTS), strict=True))
    return ExportActions(context).export(REQUEST, *(values | changes).values())


def test_an_export_says_how_many_and_what_was_left_out_and_can_be_trained_on(labelled):
    _, message, source, train = export(labelled)
    assert "2 pairs exported" in message
    assert "1 left out: no label yet" in message
    assert (labelled.workspace.root / source / "manifest.json").is_file()
    assert train.visible


def test_an_export_is_offered_for_download_and_listed_with_its_date(labelled):
    _, message, source, _ = export(labelled)
    name = source.removeprefix("exports/")
    assert f'href="studio/exports/{name}.zip"' in message and "Download (ZIP, " in message
    past = ExportActions(labelled).past(REQUEST)
    assert f'href="studio/exports/{name}.zip"' in past
    assert time.strftime("%Y-%m-%d", time.localtime()) in past
    labelled.lead = False
    assert ExportActions(labelled).past(REQUEST) == ""


def test_an_export_tells_when_it_was_made_and_when_people_answered(labelled):
    _, _, source, _ = export(labelled, format="jsonl")
    folder = labelled.workspace.root / source
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    first, last = manifest["answered"]
    assert first <= last <= manifest["exported_at"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "As of 20" in card and ", answers from 20" in card


def test_an_export_before_the_list_is_there_is_of_what_it_offers_first(labelled):
    _, message, source, _ = export(labelled, dataset=None)
    assert "2 pairs exported" in message
    assert (labelled.workspace.root / source / "manifest.json").is_file()


def test_best_answers_for_sft_by_whom_it_was_asked(labelled):
    _, message, _, train = export(labelled, shape="completions", annotators="ana, ben")
    assert "2 pairs exported" in message
    assert train.visible
    assert labelled.store.team.log()[0].action == "export"
    _, message, _, _ = export(labelled, annotators="ben")
    assert "no label yet" in message


def test_a_pushed_export_says_where_and_a_refused_push_leaves_the_export(
    labelled, monkeypatch, caplog
):
    caplog.set_level("INFO", logger="studio")
    asked = []

    def push(folder, repo):
        asked.append((folder.name, repo))
        if repo == "no/rights":
            raise RunFailedError("The push failed: 403 <b>", remedy="Log in.") from OSError("403")
        return f"https://huggingface.co/datasets/{repo}"

    monkeypatch.setattr(hub_publish, "push", push)
    _, message, source, train = export(labelled, push=" me/mine ")
    assert "2 pairs exported" in message
    assert "Pushed to https://huggingface.co/datasets/me/mine." in message
    assert asked == [(source.removeprefix("exports/"), "me/mine")]
    assert "me/mine" in labelled.store.team.log()[0].what
    _, message, source, train = export(labelled, push="no/rights", name="other")
    assert "2 pairs exported" in message and train.visible
    assert 'role="alert"' in message and "403 &lt;b&gt;" in message
    assert "Traceback" in caplog.text and "OSError: 403" in caplog.text
    assert (labelled.workspace.root / source / "manifest.json").is_file()


@pytest.mark.parametrize(("share", "splits"), [(0.0, {"train"}), (0.5, {"train", "evaluation"})])
def test_the_share_held_out_is_asked_for_and_written_down(labelled, share, splits):
    _, _, source, _ = export(labelled, held_out=share)
    manifest = json.loads((labelled.workspace.root / source / "manifest.json").read_text("utf-8"))
    assert set(manifest["rows"]) == splits
    assert manifest["evaluation_share"] == share


def test_the_command_line_offers_what_the_form_does():
    other_names = {
        "minimum_votes": "votes", "minimum_agreement": "agreement", "annotator": "annotators",
        "include_imported": "imported", "balance_lengths": "balance",
        "evaluation_share": "held_out",
    }  # fmt: skip
    options = inspect.signature(command.export).parameters
    offered = {
        other_names.get(name, name): option.default
        for name, option in options.items()
        if name not in ("workspace", "json")
    }
    form = dict(zip(FIELDS, (None, *DEFAULTS), strict=True))
    assert offered == {name: None if default == "" else default for name, default in form.items()}


def test_everything_people_said_is_no_training_set(labelled):
    _, message, source, train = export(labelled, shape="answers", format="jsonl")
    assert "2 answers exported" in message and not train.visible
    assert (labelled.workspace.root / source / "answers.jsonl").is_file()
    _, message, _, _ = export(labelled, shape="answers")
    assert "Export answers as: jsonl, argilla, label-studio." in message


def test_other_formats_are_not_offered_for_training(labelled):
    _, _, source, train = export(labelled, format="csv")
    assert (labelled.workspace.root / source / "preferences.csv").is_file()
    assert not train.visible


def test_the_form_offers_every_format_with_a_line_of_its_own():
    with gr.Blocks():
        form = dict(zip(FIELDS, export_form(), strict=True))
    offered = {name: line for line, name in form["format"].choices}
    assert list(offered) == list(LINES)
    assert offered["argilla"].startswith("Argilla: ")
    assert len(set(offered.values())) == len(offered)


def test_what_a_format_has_no_place_for_is_said(labelled):
    _, message, _, train = export(labelled, format="ms-swift")
    assert "2 pairs exported" in message and not train.visible
    assert (
        "ms-swift holds no names of rows, numbers of votes or labels of single people: "
        "left out in 2 rows." in message
    )


def test_without_names_nobody_is_named_in_the_files(labelled):
    for anonymous in (False, True):
        _, _, source, _ = export(labelled, format="label-studio", anonymous=anonymous)
        tasks = (labelled.workspace.root / source / "tasks.json").read_text(encoding="utf-8")
        assert ('"email": "ana"' in tasks) is not anonymous


def test_the_button_of_the_page_exports_its_dataset_or_the_labelled_one(labelled):
    for data in ({"dataset": "my charts"}, {"dataset": ""}, {}):
        _, message, source, _ = ExportActions(labelled).export_now(Event(data), REQUEST)
        assert "2 pairs exported" in message
        assert source.startswith("exports/my-charts-")


@pytest.mark.parametrize("changes", [{"name": "a/b"}, {"votes": 5}, {"dataset": "gone"}])
def test_what_cannot_be_exported_is_said_and_nothing_is_written(labelled, changes):
    _, message, source, train = export(labelled, **changes)
    assert 'role="alert"' in message
    assert source == ""
    assert not train.visible
    assert list(labelled.workspace.exports.iterdir()) == []


def test_an_empty_library_has_nothing_to_export(context):
    _, message, source, train = export(context, dataset=None)
    assert "There is no dataset to export" in message
    assert source == "" and not train.visible


def test_only_leads_import_and_export(labelled):
    labelled.lead = False
    _, message, _, _ = export(labelled)
    assert "Only a lead" in message
    _, message, _, _ = ExportActions(labelled).import_samples(REQUEST)
    assert "Only a lead" in message
    assert len(labelled.store.datasets()) == 1
    assert not ExportActions(labelled).panel(REQUEST).visible


def test_the_form_offers_datasets_with_pairs(labelled):
    choices = ExportActions(labelled).choices(None)
    assert (choices.choices, choices.value) == ([("my charts", "my charts")], "my charts")


def test_a_dataset_s_name_becomes_a_export_name():
    assert export_name("embedded:unlabelled") == "embedded-unlabelled"
    assert export_name("../../etc") == "etc"
    assert export_name("图表") == "preferences"
