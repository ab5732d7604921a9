"""A round is taken step by step, by hand or by itself, killed in the middle, and followed by the next."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from errno import ENOSPC
from multiprocessing import get_context
from threading import Barrier
from unittest.mock import Mock

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.export.preference_export import export_preferences
from studio.annotation.library.filters import ItemFilter
from studio.core.errors import (
    BusyError,
    ConfigError,
    ConflictError,
    InputError,
    NotFoundError,
    StudioError,
)
from studio.core.paths import EMBEDDED, Workspace
from studio.data import frozen_dataset
from studio.data.image_store import ImageStore
from studio.data.manifest import list_exports
from studio.data.sources import open_source
from studio.evaluation import evaluation_worker
from studio.evaluation.evaluation import AnswerLikelihoods, DrawnAnswers, RowAnswer
from studio.evaluation.match import MatchStore
from studio.launch import matches, queue_order
from studio.launch.decision_card import decide_about
from studio.launch.made_datasets import made_datasets
from studio.launch.round_state import look_at_round
from studio.launch.round_steps import POLICY, RoundSteps
from studio.launch.round_store import RoundStore
from studio.launch.rounds import advice, next_round, speaks_for_it, start_round
from studio.runs.status import update_status
from tests.evaluation.answered_evaluations import question
from tests.evaluation.small_evaluations import run_with_adapter
from tests.launch.test_matches import judge

VALUES = {
    "model": EMBEDDED,
    "data": "library:charts",
    "goal": "library:goal",
    "known": "library:known",
    "rows": 3,
    "answers": 2,
}


class Session:
    """A base that evades and adapters that count; nothing is written while it is `killed`."""

    killed = False

    def __init__(self, *_, **__):
        self.notes = []

    def drawn(self, models, rows, draws, progress):
        if Session.killed:
            raise KeyboardInterrupt
        return {
            one.name: {
                n: DrawnAnswers((RowAnswer(f"{one.picture}{n}", 1), RowAnswer("no idea", 2)))
                for n in rows
            }
            for one in models
        }

    def answers(self, models, rows, progress):
        return {
            one.name: {
                n: RowAnswer(row.accepted[0] if one.run or n % 2 else "no idea", 1)
                for n, row in rows.items()
            }
            for one in models
        }

    def likelihoods(self, models, rows, texts, progress):
        return {}

    def close(self):
        pass


class Weigher:
    """Is sure of the pairs of the first rows."""

    def likelihoods(self, models, rows, texts, progress):
        return {models[0].name: {n: AnswerLikelihoods((0.0, float(n - 9)), (1, 1)) for n in rows}}

    def close(self):
        pass


@pytest.fixture(autouse=True)
def session(monkeypatch):
    Session.killed = False
    monkeypatch.setattr(evaluation_worker, "ModelSession", Session)
    monkeypatch.setattr(evaluation_worker, "check_model", lambda *_: None)
    monkeypatch.setattr(queue_order, "_session", lambda *_: Weigher())


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path)


@pytest.fixture
def store(workspace):
    opened = AnnotationStore(workspace.database_url)
    row = next(iter(open_source("embedded:heldout", workspace=workspace).rows()))
    rows = [question(number, row.images) for number in range(18)]
    opened.add_rows("charts", [replace(one, completion=None) for one in rows[:6]])
    opened.add_rows("goal", [replace(question(n), external_id=f"g{n}") for n in range(6, 12)])
    opened.add_rows("known", [replace(question(n), external_id=f"k{n}") for n in range(12, 18)])
    yield opened
    opened.close()


def started(workspace, **values):
    return start_round(workspace, "charts", {**VALUES, **values}, template="fix-a-habit")


def trained(workspace, view):
    """The run that somebody has started on a round's labels by hand."""
    return run_with_adapter(workspace, "by-hand", source=view.export.spec, train="train")


def test_a_round_from_answers_to_the_next_round(workspace, store):
    one, steps = started(workspace), RoundSteps(workspace, store=store)
    Session.killed = True
    with pytest.raises(KeyboardInterrupt):
        steps.take(one)
    Session.killed = False
    cut_short = look_at_round(workspace, one, store)
    assert (cut_short.next.name, cut_short.next.state) == ("candidates", "stopped")
    view = steps.take(one)
    assert view.candidates.evaluation_id == cut_short.candidates.evaluation_id
    assert (view.next.name, view.next.state) == ("labels", "waits for people")
    assert not store.order.state(one.dataset).ordered  # the base has learned nothing of people yet
    assert steps.take(one).next == view.next  # nothing happens behind people's backs
    judge(store, one.dataset)
    view = steps.take(one)
    assert view.export.rows == {"train": 3} and view.next.name == "training"
    run = trained(workspace, view)
    update_status(run.paths, state="running", pid=2**22, pid_started=1.0, step=1, total_steps=3)
    died = look_at_round(workspace, one, store).next
    assert (died.name, died.state) == ("training", "stopped") and "ended" in died.sentence
    update_status(run.paths, state="finished", pid=0)
    view = steps.go_on(one)
    assert view.run_id == run.run_id and view.next.name == "match"
    assert view.gains[0].base == 0.5 and view.gains[0].after == 1.0
    assert {guard.name: guard.holds for guard in view.guards}["forgetting"] is True
    assert any("otherwise" in warning for warning in view.warnings)  # drift: half was wrong before
    judge(store, view.match.dataset)
    with pytest.raises(ConflictError, match="decision"):
        steps.take(one)
    with pytest.raises(ConflictError, match="not decided"):
        next_round(workspace, one, store=store)
    view = look_at_round(workspace, one, store)
    assert not speaks_for_it(view) and "Against" in advice(view)
    assert (view.cost.labels, view.cost.tokens) == (6, 9)
    decide_about(workspace, run.run_id, "accepted", "counts", store=store)
    assert look_at_round(workspace, one, store).next is None

    following = next_round(workspace, one, {"earlier": 0.5}, store=store)
    assert next_round(workspace, one, store=store) == following
    assert (following.number, following.start, following.settings.seed) == (2, run.run_id, 2)
    view = steps.take(following)
    assert {item.external_id for item in store.every() if item.dataset == following.dataset} == {
        "row-3", "row-4", "row-5",
    }  # fmt: skip
    state = store.order.state(following.dataset)
    assert state.ordered and state.ranked + state.random == 3 and not state.unordered
    assert "teach most" in view.next.sentence
    judge(store, following.dataset)
    view = steps.take(following)
    assert view.export.rows == {"train": 5} and view.export.manifest["earlier"] == 2
    settings = steps.run_settings(view)
    assert settings.adapter.continue_from == run.run_id and settings.dpo.losses["sft"] == 1.0
    second = run_with_adapter(workspace, "second", source=view.export.spec, train="train")
    update_status(second.paths, state="finished", pid=0)
    view = steps.go_on(following)
    assert view.match.about == second.run_id  # base against last was judged in the first round
    assert view.match.dataset in made_datasets(workspace) >= {one.dataset, following.dataset}
    assert set(view.match.contestants) == {"base", run.run_id, second.run_id}
    assert all(second.run_id in two for two in view.match.compared)


def test_of_two_who_take_a_step_at_once_one_takes_it_and_the_other_is_told(workspace, store):
    one, steps = started(workspace, labels=0), RoundSteps(workspace, store=store)
    steps.take(one)
    judge(store, one.dataset)
    start = Barrier(4)

    def press(_):
        start.wait()
        try:
            return RoundSteps(workspace, store=store).take(one, "export")
        except (BusyError, ConflictError) as told:
            return told

    with ThreadPoolExecutor(4) as pages:
        answers = list(pages.map(press, range(4)))
    refused = [answer for answer in answers if isinstance(answer, StudioError)]
    assert len(refused) == 3 and len(list_exports(workspace)) == 1
    assert all("already" in told.message or "moved on" in told.message for told in refused)
    with pytest.raises(ConflictError, match="'export'; its next step is: training"):
        steps.go_on(one, "export")  # an old page


def killed_in(workspace, one, place, name):
    """Take a step in a process that is killed as soon as it comes to a place in it."""

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def take():
        setattr(place, name, die)
        RoundSteps(workspace).take(one)

    child = get_context("fork").Process(target=take)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


def test_a_step_that_was_killed_in_the_middle_or_found_no_room_is_taken_again(
    workspace, store, monkeypatch
):
    store.close()
    one, steps = started(workspace, known=""), RoundSteps(workspace)
    killed_in(workspace, one, evaluation_worker, "finish")  # all is in the library by then
    view = steps.take(one)
    with closing(AnnotationStore(workspace.database_url)) as opened:
        assert opened.count(ItemFilter(dataset=one.dataset)) == 3  # nothing twice
        judge(opened, one.dataset)
    killed_in(workspace, one, frozen_dataset, "write_json")
    with monkeypatch.context() as full:
        full.setattr(frozen_dataset, "write_json", Mock(side_effect=OSError(ENOSPC, "No space")))
        with pytest.raises(StudioError, match="No space"):
            steps.take(one)
    assert look_at_round(workspace, one).export is None  # nothing half written counts
    view = steps.take(one)
    assert view.export.rows == {"train": 3}
    run = trained(workspace, view)
    update_status(run.paths, state="finished", pid=0)
    killed_in(workspace, one, evaluation_worker, "finish")
    assert steps.take(one).step("evaluation").state == "done"
    killed_in(workspace, one, matches, "opened_store")  # its file is there, its pairs are not
    assert look_at_round(workspace, one).next.name == "match"
    view = steps.take(one)
    assert (view.next.name, view.next.state) == ("match", "waits for people")
    assert len(MatchStore(workspace).list()) == 1


def test_steps_taken_by_hand_count(workspace, store):
    one = started(workspace, known="", labels=2)
    RoundSteps(workspace, store=store).take(one)
    judge(store, one.dataset, most=2)
    assert look_at_round(workspace, one, store).step("labels").state == "done"
    export_preferences(
        store, ImageStore(workspace), workspace, dataset=one.dataset, name="mine",
        evaluation_share=0.0,
    )  # fmt: skip
    view = look_at_round(workspace, one, store)
    assert view.step("export").ref.startswith("exports/mine") and view.next.name == "training"
    assert view.guards == () and advice(view) == ""


def test_better_answers_are_taught_and_those_to_spoilt_images_are_the_worse_ones(workspace, store):
    steps = RoundSteps(workspace, store=store)
    taught = start_round(workspace, "", VALUES, template="adapt-to-my-charts")
    steps.take(taught)
    judge(store, taught.dataset)
    view = steps.take(taught)
    assert view.export.method == "sft" and view.export.rows == {"train": 3}
    assert steps.run_settings(view).method == "sft"
    unseen = start_round(workspace, "", {**VALUES, "labels": 0}, template="fewer-hallucinations")
    view = steps.take(unseen)
    assert view.step("labels").state == "done"  # nobody is waited for
    (row, *_) = store.decided_preferences(unseen.dataset, POLICY).rows
    assert "image" in row.rejected.author and row.chosen.author != row.rejected.author
    assert steps.take(unseen).export.rows == {"train": 3}


def test_answers_all_alike_leave_nothing_to_label(workspace, store, monkeypatch):
    alike = DrawnAnswers((RowAnswer("7"), RowAnswer("7")))
    monkeypatch.setattr(
        Session, "drawn", lambda _, models, rows, *__: {models[0].name: dict.fromkeys(rows, alike)}
    )
    one, steps = started(workspace), RoundSteps(workspace, store=store)
    assert "temperature" in steps.take(one).next.sentence
    with pytest.raises(InputError, match="nothing to label"):
        steps.take(one)


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"data": ""}, ConfigError, "data"),
        ({"temperature": 9}, ConfigError, "temperature"),
        ({"training": ["dpo.bta=1"]}, ConfigError, "dpo.bta"),
        ({"preset": "none"}, NotFoundError, ""),
        ({"goal": "library:charts"}, InputError, "goal"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_field(workspace, values, error, field):
    with pytest.raises(error) as told:
        started(workspace, **values)
    assert told.value.field == field and not RoundStore(workspace).list()


def test_a_damaged_round_is_named_and_the_others_are_there(workspace):
    one = started(workspace)
    (workspace.rounds / "20200101-000000-aaaa.json").write_text("{}")
    assert RoundStore(workspace).list() == [one]
    with pytest.raises(InputError, match="damaged"):
        RoundStore(workspace).get("2020")
