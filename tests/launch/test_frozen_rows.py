"""Training on the library: what is frozen, what is left out, and that it can be made again."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress

import pytest

from studio.annotation import AnnotationStore, ItemFilter, LabelEvent, TextChange
from studio.annotation.quality.adjudication import DecisionEvent
from studio.config import RunConfig
from studio.config.run_file import parse
from studio.core.errors import DataError
from studio.core.paths import Workspace
from studio.data.frozen_dataset import freeze_splits
from studio.data.manifest import list_exports
from studio.data.schema import Answer, Message, Part, Row
from studio.data.sources import open_source
from studio.launch import frozen_rows as module
from studio.launch.frozen_copies import IN_USE_SECONDS, Copies
from studio.launch.frozen_rows import freeze_library, library_choices, with_frozen_data
from studio.launch.supervisor import Supervisor
from studio.runs.store import RunStore


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


def test_ties_are_counted_and_never_trained_on(workspace, store):
    for name in ("given", "asked"):
        item = next(one for one in store.browse() if one.external_id == name)
        store.save(LabelEvent(f"tie {name}", item.pairs[0].id, "ana", "tie", expected_version=0))
    with pytest.raises(DataError, match="2: a tie, or no majority"):
        freeze_library("library:pairs", "dpo", workspace, store)
    assert list_exports(workspace) == []


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


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """What was read in full to be frozen."""
    seen = []
    read = module.trainable_rows

    def counted(store, where, method):
        seen.append(f"{where.dataset} {method}")
        return read(store, where, method)

    monkeypatch.setattr(module, "trainable_rows", counted)
    return seen


def test_a_library_that_stays_as_it_is_is_read_once(workspace, store, reads):
    first = freeze_library("library:pairs", "dpo", workspace, store)
    assert freeze_library(" library:pairs ", "dpo", workspace, store) == first
    config = parse({"name": "r", "method": "dpo", "data": {"source": "library:pairs"}})
    assert with_frozen_data(config, workspace).data.source == first.source
    label(store, "asked", "two")
    store.exclude([item.id for item in store.browse(ItemFilter(dataset="answers"))][:1])
    assert reads == ["pairs dpo"]
    other = freeze_library("library:pairs", "dpo", workspace, store)
    assert other.rows == {"train": 2} and reads == ["pairs dpo"] * 2
    freeze_library("library:pairs", "sft", workspace, store)
    freeze_library("library:pairs?labelled", "dpo", workspace, store)
    assert len(reads) == 4


def given(store):
    return next(item for item in store.browse() if item.external_id == "given")


CHANGES = {
    "label": lambda store: label(store, "given", "bad"),
    "exclude": lambda store: store.exclude([given(store).id]),
    "flag": lambda store: store.flag([given(store).id]),
    "tag": lambda store: store.tag([given(store).id], "odd"),
    "delete": lambda store: store.delete([given(store).id]),
    "question": lambda store: store.edit(TextChange(given(store).id, None, 0, "New?", "ana")),
    "answer": lambda store: store.edit(
        TextChange(given(store).id, given(store).candidates[0].id, 0, "New.", "ana")
    ),
    "rows": lambda store: store.add_rows("pairs", [row("late", completion=Answer("x"))]),
    "decision": lambda store: store.team.decide(
        DecisionEvent("key", given(store).pairs[0].id, "lea", "tie")
    ),
    "gold": lambda store: store.team.set_gold("lea", given(store).pairs[0].id, "tie", None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_dataset_is_seen_and_none_of_another(workspace, store, reads, change):
    freeze_library("library:pairs", "dpo", workspace, store)
    before, others = store.trainable_state("pairs"), store.trainable_state("answers")
    CHANGES[change](store)
    assert store.trainable_state("pairs") != before
    assert store.trainable_state("answers") == others
    with suppress(DataError):  # nothing may be left
        freeze_library("library:pairs", "dpo", workspace, store)
    assert reads == ["pairs dpo"] * 2


def test_what_changes_while_it_is_frozen_is_not_taken_for_what_was(workspace, store, monkeypatch):
    read = module.trainable_rows

    def disturbed(store, where, method):
        store.exclude([1])
        found = read(store, where, method)
        store.exclude([1], False)
        store.exclude([2])
        return found

    with monkeypatch.context() as patched:
        patched.setattr(module, "trainable_rows", disturbed)
        freeze_library("library:answers", "sft", workspace, store)
    store.exclude([2], False)
    assert freeze_library("library:answers", "sft", workspace, store).rows["train"] == 3


def test_that_nothing_can_be_learned_is_not_found_out_twice(workspace, store, reads):
    for _ in range(2):
        with pytest.raises(DataError, match="4: no two answers to compare"):
            freeze_library("library:answers", "dpo", workspace, store)
    assert reads == ["answers dpo"]


def test_a_copy_that_was_removed_is_made_again(workspace, store, reads):
    first = freeze_library("library:answers", "sft", workspace, store)
    (export,) = list_exports(workspace)
    export.path.rename(workspace.root / "elsewhere")
    assert freeze_library("library:answers", "sft", workspace, store) == first
    assert len(reads) == 2 and len(list_exports(workspace)) == 1


def later(workspace: Workspace) -> Copies:
    return Copies(workspace, clock=lambda: time.time() + IN_USE_SECONDS + 60)


def test_copies_that_nothing_needs_any_more_go(workspace, store):
    run_source = freeze_library("library:answers", "sft", workspace, store).source
    Supervisor(workspace).submit(parse({"name": "r", "data": {"source": "library:answers"}}))
    made = [run_source]
    for number in range(3):
        store.exclude([number + 1])
        made.append(freeze_library("library:answers", "sft", workspace, store).source)
    other = freeze_library("library:pairs", "dpo", workspace, store).source
    workspace.settings.mkdir()
    (workspace.settings / "mine.yaml").write_text(f"data: {{source: {made[1]}}}\n")
    assert Copies(workspace).forget_unused() == [], "somebody may still be reading them"
    assert later(workspace).forget_unused() == [made[2].removeprefix("exports/")]
    left = {export.spec for export in list_exports(workspace)}
    assert left == {made[0], made[1], made[3], other}
    assert not list(workspace.exports.glob(".*"))
    assert freeze_library("library:answers", "sft", workspace, store).source == made[3]


def test_an_export_that_people_made_is_never_taken_for_a_copy(workspace, store):
    source = freeze_library("library:pairs", "dpo", workspace, store).source
    rows = {"train": list(open_source(source, workspace=workspace).rows())}
    path = freeze_splits(rows, "pairs-dpo", workspace, {"policy": "mine"}, method="dpo")
    assert f"exports/{path.name}" == source
    (export,) = list_exports(workspace)
    assert not export.automatic and export.manifest["policy"] == "mine"
    label(store, "given", "bad")
    newer = freeze_library("library:pairs", "dpo", workspace, store).source
    label(store, "asked", "two")
    freeze_library("library:pairs", "dpo", workspace, store)
    assert later(workspace).forget_unused() == [newer.removeprefix("exports/")]


def test_a_copy_that_is_gone_is_missed_with_what_to_do(workspace, store):
    source = freeze_library("library:answers", "sft", workspace, store).source
    folder = workspace.root / source
    shutil.rmtree(folder)
    with pytest.raises(DataError, match="deleted or moved") as caught:
        open_source(source, workspace=workspace, split="train")
    assert caught.value.field == "data.source"
    assert str(folder) in caught.value.remedy and "clone the run" in caught.value.remedy
    assert "none yet" not in str(caught.value)
