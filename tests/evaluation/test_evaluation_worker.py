"""An evaluation computed: stopped, killed, resumed, twice at once, on a full disk, without its run."""

from __future__ import annotations

import errno
import json
import shutil

import pytest

from studio.core.errors import (
    BusyError,
    ConflictError,
    InputError,
    ModelError,
    NotFoundError,
    RunFailedError,
    StoppedError,
)
from studio.core.paths import Workspace
from studio.evaluation import evaluation_store, evaluation_worker
from studio.evaluation.evaluation_records import records_of
from studio.evaluation.evaluation_store import EvaluationStore, hold, request_stop
from studio.evaluation.evaluation_worker import compute
from studio.models.answering import settings
from studio.models.answering.answering import Answering
from tests.adapter_folders import describe
from tests.evaluation.small_evaluations import add_checkpoint, evaluation, run_with_adapter


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def small_chunks(monkeypatch):
    """Every row is kept as soon as it is answered."""
    monkeypatch.setattr(evaluation_worker, "BATCHES_AT_ONCE", 1)


def stopping_after(paths, answers):
    """Return a progress that asks to stop once so many answers are there."""
    return lambda done, total: request_stop(paths) if done >= answers else None


def test_base_and_adapter_are_compared_on_the_same_rows(workspace):
    run = run_with_adapter(workspace)
    metrics = ("exact_match", "words", "perplexity")
    made = evaluation(workspace, run.run_id, against="base", metrics=metrics)
    found = compute(workspace, made.evaluation_id)
    told = found.to_json()
    assert told["rows"] == 4 and told["model"] == run.run_id and told["seconds"] > 0
    assert set(told["metrics"]) == set(metrics) == set(told["paired"])
    base, own = (found.results[name].metrics["exact_match"] for name in ("base", run.run_id))
    assert told["paired"]["exact_match"]["difference"] == own.value - base.value
    assert base.low < base.value <= base.high and base.rows == 4
    assert told["paired"]["exact_match"]["verdict"] == "cannot tell"  # four rows never can
    assert found.results["base"].metrics["perplexity"].value >= 1
    records = records_of(found, workspace)
    assert len({record.row for record in records}) == 4
    for record in records:
        assert record.question and record.images and record.accepted
        assert set(record.answers) == {"base", run.run_id}
        right = record.answers["base"].text.casefold() in record.accepted
        assert record.scores["base"]["exact_match"] == right


def test_one_that_is_stopped_and_one_that_is_killed_go_on_to_the_same_figures(
    workspace, small_chunks
):
    store = EvaluationStore(workspace)
    whole = compute(workspace, evaluation(workspace, batch_size=2).evaluation_id)
    made = evaluation(workspace, batch_size=2)
    paths = store.paths(made)
    with pytest.raises(StoppedError, match=f"--resume {made.evaluation_id}"):
        compute(workspace, made.evaluation_id, stopping_after(paths, 2))
    stopped = store.get(made.evaluation_id)
    assert stopped.status.state == "stopped" and 2 <= stopped.status.done < 4
    before = paths.answers.read_bytes()
    with paths.answers.open("ab") as handle:
        handle.write(b'{"kind": "answer", "model": "base", "row": 3, "te')  # torn by a kill
    again = compute(workspace, made.evaluation_id)
    assert again.results == whole.results and again.status.state == "finished"
    assert paths.answers.read_bytes().startswith(before)  # nothing is answered twice
    keys = [json.loads(line)["row"] for line in before.splitlines()]
    assert len(keys) == len(set(keys)) == stopped.status.done


def test_a_process_that_died_is_not_going_on(workspace):
    store = EvaluationStore(workspace)
    made = evaluation(workspace)
    paths = store.paths(made)
    evaluation_store.update_status(paths, state="running", pid=2**22 + 1, pid_started=1.0)
    assert store.get(made.evaluation_id).status.state == "stopped"
    assert compute(workspace, made.evaluation_id).status.state == "finished"


def test_what_is_finished_is_not_computed_again(workspace, monkeypatch):
    made = compute(workspace, evaluation(workspace).evaluation_id)
    monkeypatch.setattr(evaluation_worker, "ModelSession", None)
    assert compute(workspace, made.evaluation_id) == made


def test_two_of_the_same_thing_do_not_mix_and_one_is_not_computed_twice(workspace):
    store = EvaluationStore(workspace)
    first, second = evaluation(workspace), evaluation(workspace)
    assert first.evaluation_id != second.evaluation_id
    with hold(store.paths(first)):
        with pytest.raises(BusyError, match="another process"):
            compute(workspace, first.evaluation_id)
        other = compute(workspace, second.evaluation_id)
    assert compute(workspace, first.evaluation_id).results == other.results


def test_a_run_that_is_deleted_meanwhile_is_named_and_nothing_is_lost(workspace, small_chunks):
    store = EvaluationStore(workspace)
    run = run_with_adapter(workspace)
    made = evaluation(workspace, run.run_id, against="base", batch_size=2)
    paths = store.paths(made)
    with pytest.raises(StoppedError):
        compute(workspace, made.evaluation_id, stopping_after(paths, 2))
    kept = paths.answers.read_bytes()
    shutil.rmtree(run.paths.root)
    with pytest.raises(NotFoundError, match=f"weights of {run.run_id} are gone"):
        compute(workspace, made.evaluation_id)
    assert paths.answers.read_bytes() == kept
    failed = store.get(made.evaluation_id).status
    assert failed.state == "failed" and run.run_id in failed.message and failed.remedy


def test_a_run_that_is_deleted_while_it_is_asked_is_named(workspace, small_chunks):
    store = EvaluationStore(workspace)
    run = run_with_adapter(workspace)
    made = evaluation(workspace, run.run_id, against="base", batch_size=2)

    def delete(done, total):
        shutil.rmtree(run.paths.root, ignore_errors=True)
        raise InputError("The adapter cannot be used: it has no adapter_config.json.")

    with pytest.raises(NotFoundError, match=f"weights of {run.run_id} are gone"):
        compute(workspace, made.evaluation_id, delete)
    assert f"weights of {run.run_id} are gone" in store.get(made.evaluation_id).status.message


def test_a_run_that_is_deleted_after_it_has_answered_does_no_harm(workspace):
    store = EvaluationStore(workspace)
    run = run_with_adapter(workspace)
    made = evaluation(workspace, run.run_id)
    whole = compute(workspace, made.evaluation_id)
    paths = store.paths(made)
    record = json.loads(paths.record.read_text())
    paths.record.write_text(json.dumps({"request": record["request"]}))
    evaluation_store.update_status(paths, state="stopped")
    shutil.rmtree(run.paths.root)
    assert compute(workspace, made.evaluation_id).results == whole.results


def test_weights_that_are_replaced_meanwhile_are_refused(workspace):
    run = run_with_adapter(workspace)
    made = evaluation(workspace, run.run_id)
    weights = run.paths.adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(ConflictError, match="were replaced since"):
        compute(workspace, made.evaluation_id)


def test_an_adapter_of_another_base_is_refused_before_a_model_is_loaded(workspace, monkeypatch):
    run = run_with_adapter(workspace)
    describe(run.paths.adapter, base_model_name_or_path="/data/models/Charts")
    made = evaluation(workspace, run.run_id)
    monkeypatch.setattr(evaluation_worker, "ModelSession", None)
    with pytest.raises(ModelError, match="trained on /data/models/Charts"):
        compute(workspace, made.evaluation_id)


def test_a_checkpoint_is_asked_beside_the_end(workspace):
    run = run_with_adapter(workspace)
    add_checkpoint(run, 2)
    made = evaluation(workspace, f"{run.run_id}@2", against=run.run_id, limit=2)
    found = compute(workspace, made.evaluation_id)
    assert list(found.results) == [run.run_id, f"{run.run_id}@2"]
    paired = found.to_json()["paired"]["exact_match"]
    assert paired["difference"] == 0 and paired["verdict"] == "cannot tell"


class FullDisk:
    """A disk that takes a number of durable writes, then no more."""

    def __init__(self, writes):
        self.left = writes

    def fsync(self, descriptor):
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1


def test_a_full_disk_is_said_and_what_was_kept_is_gone_on_with(
    workspace, small_chunks, monkeypatch
):
    store = EvaluationStore(workspace)
    whole = compute(workspace, evaluation(workspace, batch_size=2).evaluation_id)
    made = evaluation(workspace, batch_size=2)
    with monkeypatch.context() as patch:
        # That it is going on, the first answers; not the next ones.
        patch.setattr(evaluation_store.os, "fsync", FullDisk(2).fsync)
        with pytest.raises(RunFailedError, match="No space left on device") as caught:
            compute(workspace, made.evaluation_id)
    assert f"--resume {made.evaluation_id}" in caught.value.remedy
    assert store.paths(made).answers.stat().st_size
    assert store.get(made.evaluation_id).status.state in ("stopped", "failed", "running")
    assert compute(workspace, made.evaluation_id).results == whole.results


def test_a_row_without_its_image_is_left_out_and_named(workspace):
    made = evaluation(workspace)
    records = records_of(made, workspace)
    lost = records[0].images[0]
    for file in workspace.images.rglob(f"{lost}.*"):
        file.unlink()
    found = compute(workspace, made.evaluation_id)
    without = {record.row for record in records if lost in record.images}
    base = found.results["base"]
    assert set(base.failed) == without
    assert base.metrics["exact_match"].rows == 4 - len(without)
    assert "could not be answered" in base.metrics["exact_match"].left_out
    assert any("could not be answered" in sentence for sentence in base.sentences)


def test_empty_answers_are_counted_named_and_wrong(workspace, monkeypatch):
    monkeypatch.setattr(Answering, "answers", silent)
    made = evaluation(workspace)
    found = compute(workspace, made.evaluation_id)
    base = found.results["base"]
    assert len(base.empty) == 4 and base.metrics["exact_match"].value == 0
    assert any("4 answers of 4 are empty" in sentence for sentence in base.sentences)


def silent(answering, rows, contestants, **_):
    """A model that ends every answer at once."""
    said = {one.name: [settings.RowAnswer()] * len(rows) for one in contestants}
    return settings.Results(said, False, 0)
