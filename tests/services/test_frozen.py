"""Training on the library: what is frozen, what is left out, and that it can be made again."""

from __future__ import annotations

import pytest

from studio.annotation import AnnotationStore, LabelEvent
from studio.config import RunConfig
from studio.config.files import parse
from studio.data.manifest import list_exports
from studio.data.schema import Answer, Message, Part, Row
from studio.data.sources import open_source
from studio.errors import DataError
from studio.paths import Workspace
from studio.runs.store import RunStore
from studio.services.frozen import freeze_library, library_choices, with_frozen_data
from studio.services.supervisor import Supervisor


def row(name: str, **answers) -> Row:
    return Row(name, (), (Message("user", (Part("text", f"{name}?"),)),), **answers)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def store(workspace):
    """Questions with answers in two splits, and pairs with and without a preference."""
    opened = AnnotationStore(workspace.database_url)
    with opened.importing("answers", split="train") as batch:
        batch.add_rows(row(f"a{n}", completion=Answer(f"answer {n}")) for n in range(3))
        batch.of_split("held out")
        batch.add(row("h0", completion=Answer("held")))
    opened.add_rows(
        "pairs",
        [
            row("given", chosen=Answer("good"), rejected=Answer("bad")),
            row("asked", candidates=(Answer("one"), Answer("two"))),
            row("single", candidates=(Answer("alone"),)),
        ],
    )
    yield opened
    opened.close()


def label(store, name: str, text: str) -> None:
    item = next(one for one in store.browse() if one.external_id == name)
    winner = next(one.id for one in item.candidates if one.text == text)
    event = LabelEvent(
        key=f"{name}-{text}",
        pair_id=item.pairs[0].id,
        annotator="ana",
        kind="choose",
        winner_id=winner,
        expected_version=0,
    )
    store.save(event)


def texts(source: str, workspace: Workspace, split: str | None = None) -> dict[str, list[str]]:
    opened = open_source(source, split=split, workspace=workspace)
    return {
        one.external_id: [a.text for a in (one.completion, one.chosen, one.rejected) if a]
        for one in opened.rows()
    }


def test_answers_freeze_by_split_without_what_is_excluded(workspace, store):
    store.exclude([next(i.id for i in store.browse() if i.external_id == "a1")])
    frozen = freeze_library("library:answers", "sft", workspace, store)
    assert frozen.rows == {"train": 2, "held-out": 1} and frozen.left_out == {}
    assert texts(frozen.source, workspace) == {"a0": ["answer 0"], "a2": ["answer 2"]}
    assert texts(frozen.source, workspace, "held-out[:1]") == {"h0": ["held"]}
    again = freeze_library("library:answers", "sft", workspace, store)
    assert again.source == frozen.source and len(list_exports(workspace)) == 1


def test_preferences_are_what_people_chose_and_else_what_the_source_preferred(workspace, store):
    frozen = freeze_library("library:pairs", "dpo", workspace, store)
    assert texts(frozen.source, workspace) == {"given": ["good", "bad"]}
    assert frozen.left_out == {"no preference yet": 1, "no two answers to compare": 1}
    label(store, "given", "bad")
    label(store, "asked", "two")
    after = freeze_library("library:pairs", "dpo", workspace, store)
    assert after.source != frozen.source
    both = {"given": ["bad", "good"], "asked": ["two", "one"]}
    assert texts(after.source, workspace) == both
    assert texts(frozen.source, workspace) == {"given": ["good", "bad"]}
    answers = freeze_library("library:pairs", "sft", workspace, store)
    assert texts(answers.source, workspace) == {"given": ["bad"], "asked": ["two"]}
    assert list_exports(workspace)[0].manifest["left_out"] == {"no answer yet": 1}


def test_filters_narrow_what_is_frozen_and_are_written_down(workspace, store):
    label(store, "asked", "two")
    spec = "library:pairs?labelled"
    frozen = freeze_library(spec, "dpo", workspace, store)
    assert list(texts(frozen.source, workspace)) == ["asked"]
    manifest = list_exports(workspace)[0].manifest
    assert manifest["library"] == spec and manifest["filters"] == {"labelled": True}
    given = freeze_library("library:answers?split=held+out", "sft", workspace, store)
    assert given.rows == {"train": 1}


def test_what_cannot_be_frozen_is_said_beside_the_setting(workspace, store):
    refused = [
        ("library:nope", "There is no dataset 'nope'"),
        ("library:pairs?labeled", "labelled"),
        ("library:pairs?labelled=maybe", "yes nor no"),
        ("library:pairs?agreement=most", "agree or disagree"),
        ("library:pairs?search=zebra", "Nothing in 'pairs' can be trained on"),
        ("library:answers", "no two answers to compare"),
    ]
    for spec, said in refused:
        with pytest.raises(DataError) as caught:
            freeze_library(spec, "dpo", workspace, store)
        assert said in str(caught.value) and caught.value.field == "data.source"
    assert list_exports(workspace) == []


def test_a_run_keeps_the_frozen_copy_and_not_the_library(workspace, store):
    config = parse({"name": "r", "data": {"source": "library:answers", "train": "train[:2]"}})
    run_id = Supervisor(workspace).submit(config)
    kept = RunStore(workspace).get(run_id).config
    (export,) = list_exports(workspace)
    assert (kept.data.source, kept.data.train) == (export.spec, "train[:2]")
    assert with_frozen_data(RunConfig(), workspace) == RunConfig()
    assert [spec for _, spec in library_choices(store, "dpo")] == ["library:pairs"]
    assert len(library_choices(store, "sft")) == 2
    with pytest.raises(DataError, match="exports/<name>"):
        open_source("library:answers", workspace=workspace)
