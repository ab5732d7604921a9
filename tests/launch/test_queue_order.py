"""A queue is ordered by a model's unsureness, by a process that may die; matches are left alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from studio.annotation import AnnotationStore
from studio.cli.main import main
from studio.core.errors import BusyError, InputError, NotFoundError, StoppedError
from studio.core.paths import Workspace
from studio.evaluation.evaluation import AnswerLikelihoods
from studio.launch import queue_order
from studio.launch.queue_order import (
    OrderJobs,
    end_order,
    order_file,
    order_queue,
    order_status,
    wish_order,
)
from tests.annotation.conftest import answer, make_rows


class Session:
    """Likes the answers to row N of the pair N nats differently; cannot read pair 2."""

    closed = False

    def likelihoods(self, models, rows, texts, progress):
        found = {
            n: AnswerLikelihoods(reason="Its image is gone.")
            if row.external_id == "2"
            else AnswerLikelihoods((-10.0, -10.0 - int(row.external_id)), (3, 3))
            for n, row in rows.items()
        }
        return {models[0].name: found}

    def close(self):
        self.closed = True


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def store(workspace):
    opened = AnnotationStore(workspace.database_url)
    opened.add_rows("set", make_rows(9))
    opened.team.change_settings("lea", "set", {"random_share": 0.0})
    yield opened
    opened.close()


def ordered(workspace, store, **given):
    return order_queue(workspace, "set", who="lea", session=Session(), store=store, **given)


def test_what_it_is_least_sure_of_comes_first_and_the_unreadable_last(workspace, store):
    held = store.claim("ben", "set")
    report = ordered(workspace, store)
    assert (report.ranked, report.failed) == (9, {"Its image is gone.": 1})
    given = [card.pair_id for card in store.claim_several("ana", "set", 9)]
    assert given == [3, 4, 5, 6, 7, 8, 9, 2]  # 1 is ben's
    assert store.claim("ben", "set") == held
    status = order_status(workspace, "set")
    assert (status.state, status.model, status.done, status.total) == ("finished", "base", 9, 9)
    end_order(workspace, "set", "lea", store)
    assert not store.order.state("set").ordered and not order_status(workspace, "set").state


def test_one_that_was_killed_says_so_and_the_queue_goes_on(workspace, store, monkeypatch):
    class Killed(Session):
        def likelihoods(self, *given):
            raise SystemExit

    with pytest.raises(SystemExit):
        order_queue(workspace, "set", who="lea", session=Killed(), store=store)
    path = order_file(workspace, "set")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid_started": 1.0}))
    found = order_status(workspace, "set")
    assert found.state == "failed" and "ended before" in found.message
    assert store.claim("ana", "set").pair_id == 1
    assert ordered(workspace, store).ranked == 9  # its lock is free


def test_it_makes_way_for_a_run(workspace, store, monkeypatch):
    monkeypatch.setattr(queue_order, "run_waits", lambda workspace: True)
    with pytest.raises(StoppedError, match="run takes the device"):
        ordered(workspace, store, makes_way=True)
    assert order_status(workspace, "set").state == "stopped"
    assert ordered(workspace, store).ranked == 9  # nobody is made way for on the command line


def test_what_cannot_be_ordered_is_refused_before_anything_is_loaded(workspace, store, monkeypatch):
    with pytest.raises(NotFoundError):
        order_queue(workspace, "none", who="lea", store=store)
    with pytest.raises(NotFoundError):
        order_queue(workspace, "set", model="embedded@nothing", who="lea", store=store)

    class Match:
        dataset = "set"

    monkeypatch.setattr(queue_order.MatchStore, "list", lambda self: [Match])
    with pytest.raises(InputError, match="belongs to a match"):
        OrderJobs(workspace).start("set", "lea")


def test_it_is_ordered_again_after_so_many_answers_where_the_lead_wants_it(
    workspace, store, monkeypatch
):
    started = []

    class Child:
        def poll(self):
            return None

    monkeypatch.setattr(
        queue_order, "start_child", lambda arguments, log: started.append(arguments) or Child()
    )
    monkeypatch.setattr(queue_order, "LOOK_EVERY", 0.0)

    def looked() -> int:
        jobs = OrderJobs(workspace)
        jobs.step(store)
        return len(started)

    assert looked() == 0
    store.team.change_settings("lea", "set", {"reorder_after": 2})
    assert looked() == 0  # a lead begins it
    ordered(workspace, store)
    assert looked() == 0
    for _ in range(2):
        store.save(answer(store.claim("ana", "set"), "ana"))
    jobs = OrderJobs(workspace)
    jobs.step(store)
    assert len(started) == 1 and started[0][-1] == "set" and "--makes-way" in started[0]
    with pytest.raises(BusyError):
        jobs.start("set", "lea")
    jobs.step(store)
    assert len(started) == 1
    failed = replace(order_status(workspace, "set"), state="failed", who=queue_order.BY_ITSELF)
    queue_order.write_json(order_file(workspace, "set"), queue_order.asdict(failed))
    assert looked() == 1  # not again and again
    store.team.change_settings("lea", "set", {"reorder_after": 0})
    wish_order(workspace, "set")
    assert looked() == 2  # a round wants it
    assert ordered(workspace, store) and order_status(workspace, "set").again == queue_order.AGAIN
    end_order(workspace, "set", "lea", store)
    assert looked() == 2


def test_the_command_line_ends_an_order(workspace, store, capsys):
    ordered(workspace, store)
    given = ["order", "set", "--off", "--json", "--workspace", str(workspace.root)]
    assert main(given) == 0
    assert json.loads(capsys.readouterr().out) == {"dataset": "set", "ordered": False}
    assert not store.order.state("set").ordered
    assert main(["order", "nothing", "--workspace", str(workspace.root)]) == 2
