"""Going on exactly, being refused what would not be, and what a run tells of itself."""

import errno
import shutil
import time
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from safetensors.torch import load_file

from studio.core.errors import ConfigError, DataError, RunFailedError
from studio.models.generation import Generated
from studio.runs import checkpoints
from studio.runs.control import command_file, commands
from studio.runs.curves import Diary
from studio.runs.event_log import read_events
from studio.runs.status import read_status, update_status, write_status
from studio.training import model_download
from studio.training.callbacks import RunReporter
from studio.training.run_rows import load_run_data
from studio.training.run_training import execute
from studio.training.too_few_rows import narrow, small

LONG = {
    "adapter": {"rank": 4, "alpha": 8, "dropout": 0.1},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:10]", "evaluation": "evaluation[:2]"},
    "schedule": {"max_steps": 6, "save_every": 2, "keep": 3, "evaluate_every": 2},
}


def weights(run):
    return load_file(run.paths.adapter / "adapter_model.safetensors")


def losses(run):
    return dict(Diary(run.paths.events).refresh().series["loss"])


def told(run, kind):
    return [event.values for event in read_events(run.paths.events).events if event.type == kind]


ROWS = LONG["data"] | {"evaluation": None}
PROBES = {"count": 2, "every": 3, "max_new_tokens": 2, "forgetting": "auto"}


@pytest.fixture(scope="module")
def undisturbed(shared_runner):
    """Six steps over ten rows, two and a half epochs, with dropout and evaluation."""
    run, outcome = shared_runner.run(shared_runner.config(**LONG))
    assert outcome == "finished"
    update_status(run.paths, state="finished", step=6, total_steps=6)
    return run


@pytest.fixture(scope="module")
def probed(shared_runner):
    """The same with probes."""
    return shared_runner.run(shared_runner.config(**LONG, probes=PROBES))[0]


def steps_kept(run):
    return list(map(checkpoints.step_of, checkpoints.complete_checkpoints(run.paths)))


def test_a_run_goes_on_from_any_checkpoint_as_if_nothing_had_been(shared_runner, undisturbed):
    expected, trained = losses(undisturbed), weights(undisturbed)
    assert steps_kept(undisturbed) == [2, 4, 6]
    before = read_status(undisturbed.paths).training_seconds
    commands.resume(shared_runner.store, undisturbed.run_id, step=4)
    run = shared_runner.store.get(undisturbed.run_id)
    assert execute(run.config, run.paths, shared_runner.workspace) == "finished"
    assert told(run, "resumed") == [{"step": 4}]
    assert read_status(run.paths).training_seconds > before > 0, "what all attempts took"
    assert losses(run) == pytest.approx(expected, abs=1e-5)
    for name, weight in weights(run).items():
        assert torch.allclose(weight, trained[name], atol=1e-6), name


def test_a_run_that_left_no_checkpoint_starts_again_with_nothing_of_before(shared_runner, tmp_path):
    few = {"data": LONG["data"], "schedule": {"max_steps": 2, "evaluate_every": 1}}
    run, _ = shared_runner.run(shared_runner.config(**few))
    shutil.rmtree(run.paths.checkpoints)
    update_status(run.paths, state="failed", started=1.0, training_seconds=500.0)
    commands.resume(shared_runner.store, run.run_id)
    status = read_status(run.paths)
    assert (status.again, status.training_seconds) == ("started again", 0.0)
    execute(run.config, run.paths, shared_runner.workspace)
    assert told(run, "resumed") == [{"step": 0}]
    assert read_status(run.paths).training_seconds < 500
    assert [step for step, _ in losses(run).items()] == [1, 2]
    lines = run.paths.events.read_text().splitlines()
    (mark,) = (number for number, line in enumerate(lines) if '"resumed"' in line)
    begun = tmp_path / "events.jsonl"
    begun.write_text("\n".join(lines[: mark + 1]) + "\n")
    assert not any(Diary(begun).refresh().series.values()), "discarded steps are on no curve"
    update_status(run.paths, state="failed")
    commands.resume(shared_runner.store, run.run_id)
    assert read_status(run.paths).again == "started again, resumed 1 time"


def test_probes_change_nothing_of_what_is_learned(probed, undisturbed):
    assert losses(probed) == pytest.approx(losses(undisturbed), abs=1e-6)


def test_probes_are_answered_before_and_while_training(probed):
    diary = Diary(probed.paths.events).refresh()
    assert [bool(row.question and row.images) for row in diary.probe_rows] == [True, True]
    assert sorted(diary.probes) == [3, 6] and all(len(a) == 2 for a in diary.probes.values())
    assert set(diary.forgetting) == {"before", "after"}
    assert diary.forgetting["before"] > 0


def test_of_a_slow_model_less_is_asked_and_that_is_said(shared_runner):
    probes = PROBES | {"count": 3, "every": 1, "max_new_tokens": 12, "seconds": 0.001}
    sections = {"schedule": {"max_steps": 2}, "data": ROWS, "probes": probes}
    run, _ = shared_runner.run(shared_runner.config(**LONG | sections))
    diary = Diary(run.paths.events).refresh()
    assert len(diary.probe_rows) == 1 and list(diary.probes) == [2]
    assert diary.forgetting == {}
    asked, forgotten = (n for n in diary.notices if "probes.seconds (0.001)" in n.remedy)
    assert "1 of 3 probes are asked" in asked.message and "start and the end" in asked.message
    assert "not at all" in forgotten.message
    (told_rows,) = told(run, "probe_rows")
    again = _prober(shared_runner, run, probes)
    again._go_on(told_rows)
    assert len(again.probes) == 1 and again.ends_only and again.tokens == told_rows["tokens"]


class Hours:
    """A time that passes only when told to."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


def _prober(runner, run, probes):
    from studio.models.model_source import load_processor
    from studio.training.probes.probe_rounds import Prober

    config = runner.config(**LONG | {"probes": probes})
    processor = load_processor(config.model)
    data = load_run_data(config, runner.workspace, [])
    return Prober(config, run.paths, processor, RunReporter(run.paths, keep=1), data, None)


@pytest.mark.parametrize(
    ("each", "asked", "tokens", "ends_only"),
    [(5, 8, 16, False), (15, 4, 16, False), (70, 1, 10, True)],
)
def test_as_many_probes_are_asked_as_there_is_time_for(
    shared_runner, monkeypatch, each, asked, tokens, ends_only
):
    """`each`: seconds an answer of 16 tokens takes, of a minute a round."""
    from studio.training.probes import probe_rounds, time_limit

    hours = Hours()
    monkeypatch.setattr(time_limit, "time", hours)

    def answer(model, processor, examples, *, batch_size, max_new_tokens, stopping):
        made = 0
        for made in range(1, max_new_tokens + 1):
            hours.now += len(examples) * each / 16
            if stopping(torch.zeros(len(examples), 30 + made), None).all():
                break
        text = processor.tokenizer.decode(range(20, 20 + made))
        return [Generated(text, made)] * len(examples)

    monkeypatch.setattr(probe_rounds, "generate", answer)
    run = shared_runner.store.create(shared_runner.config())
    monkeypatch.setitem(LONG, "data", ROWS)
    prober = _prober(shared_runner, run, {"count": 8, "max_new_tokens": 16, "seconds": 60})
    answers, _ = prober._first_round(None)
    assert (len(answers), len(prober.probes)) == (asked, asked)
    assert prober.ends_only == ends_only and hours.now - 100 <= 70
    assert prober.tokens <= 16 and (prober.tokens == 16) == (tokens == 16)


def test_probes_that_run_out_of_memory_are_left_out_and_training_goes_on(shared_runner):
    run = shared_runner.store.create(shared_runner.config())
    prober = _prober(shared_runner, run, {"count": 2, "max_new_tokens": 16})
    with pytest.raises(RuntimeError, match="shapes"), prober._asking():
        raise RuntimeError("shapes do not match")
    assert len(prober.probes) == 2
    with prober._asking():
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    assert not prober.probes
    (notice,) = Diary(run.paths.events).refresh().notices
    assert "Memory ran out" in notice.message and "probes.count" in notice.remedy


def test_a_wish_to_stop_ends_answers_at_once(shared_runner):
    from studio.training.probes.time_limit import LEAST_TOKENS, Clock

    run = shared_runner.store.create(shared_runner.config())
    clock = Clock(run.paths)
    clock.begin(0)
    grown = [torch.zeros(2, 10 + made) for made in range(1, LEAST_TOKENS + 1)]
    assert [bool(clock(ids, None).all()) for ids in grown] == [False] * 7 + [True]
    assert clock.late and not clock.stopped and clock.tokens == LEAST_TOKENS
    command_file.request(run.paths, "stop")
    stopping = Clock(run.paths)
    stopping.begin()
    assert stopping(grown[0], None).all() and stopping.stopped
    assert read_status(run.paths).stage == "probing"


def test_a_run_asked_to_stop_before_its_first_step_trains_nothing(shared_runner):
    run = shared_runner.store.create(shared_runner.config())
    command_file.request(run.paths, "stop")
    assert execute(run.config, run.paths, shared_runner.workspace) == "stopped"
    assert not run.has_adapter and not told(run, "metrics")


def test_a_long_step_is_no_silence(shared_runner):
    run = shared_runner.store.create(shared_runner.config())
    write_status(run.paths, replace(run.status, stage="loading", updated=0.0))
    RunReporter(run.paths, keep=1).on_substep_end(None, None, None)
    assert read_status(run.paths).stage == "training" and read_status(run.paths).updated > 0


def test_what_is_fetched_from_the_hub_is_told(shared_runner, monkeypatch, tmp_path):
    monkeypatch.setattr(model_download, "EVERY", 0.01)
    monkeypatch.setattr(model_download.constants, "HF_HUB_CACHE", str(tmp_path))
    blobs = tmp_path / "models--some--model" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "here").write_bytes(b"1234")
    run = shared_runner.store.create(shared_runner.config())
    with model_download.fetching_told(run.paths, "some/model"):
        (blobs / "new.incomplete").write_bytes(b"x" * 70)
        for _ in range(500):
            if read_status(run.paths).stage_done:
                break
            time.sleep(0.01)
    assert read_status(run.paths).stage_done == 70
    with model_download.fetching_told(run.paths, "embedded"):
        assert read_status(run.paths).stage_done == 70


def test_an_extended_run_ends_where_a_long_one_ends(shared_runner, undisturbed):
    short = LONG["schedule"] | {"max_steps": 2}
    run, _ = shared_runner.run(shared_runner.config(**LONG | {"schedule": short}))
    update_status(run.paths, state="finished", step=2, total_steps=2)
    with pytest.raises(ConfigError, match="max_steps"):
        commands.extend(shared_runner.store, run.run_id, max_steps=2)
    commands.extend(shared_runner.store, run.run_id, max_steps=6)
    run = shared_runner.store.get(run.run_id)
    assert run.status.state == "queued" and run.config.schedule.max_steps == 6
    execute(run.config, run.paths, shared_runner.workspace)
    assert losses(run) == pytest.approx(losses(undisturbed), abs=1e-5)


def test_few_and_narrow_rows_are_told_once(shared_runner, undisturbed):
    ids = [found["id"] for found in told(undisturbed, "finding")]
    assert ids.count("small-data") == 1 and "narrow-data" not in ids
    config = undisturbed.config
    data = load_run_data(config, shared_runner.workspace, []).train
    assert narrow(data) is None
    same = data.dataset.select([0] * 30)
    finding = narrow(replace(data, dataset=same, used=30))
    for words in ("100% have the same answer", "100% ask the same", "30 share 1 images"):
        assert words in finding.title
    assert finding.meaning and finding.remedy and small(config, 400) is None


def test_other_settings_or_rows_are_refused_by_name(shared_runner, undisturbed):
    config, paths = undisturbed.config, undisturbed.paths
    faster = config.model_copy(
        update={"optimizer": config.optimizer.model_copy(update={"learning_rate": 0.5})}
    )
    with pytest.raises(ConfigError, match=r"optimizer.learning_rate: was 0.002.*is 0.5"):
        execute(faster, paths, shared_runner.workspace)
    began = paths.identity.read_text()
    paths.identity.write_text(began.replace('"digest": "', '"digest": "0'))
    with pytest.raises(DataError, match="in another order") as caught:
        execute(config, paths, shared_runner.workspace)
    paths.identity.write_text(began)
    assert caught.value.field == "data.source"


def test_neither_bad_weights_nor_a_full_disk_cost_the_last_checkpoint(
    shared_runner, undisturbed, monkeypatch
):
    from studio.training import callbacks

    config = undisturbed.config
    run = shared_runner.store.create(config)
    finite = iter([True, False])
    with monkeypatch.context() as broken:
        broken.setattr(callbacks, "weights_are_finite", lambda model: next(finite))
        with pytest.raises(RunFailedError, match="no numbers any more at step 4"):
            execute(config, run.paths, shared_runner.workspace)
    assert steps_kept(run) == [2]
    save = safetensors.torch.save_file

    def full(tensors, filename, *args, **kwargs):
        if "checkpoint-4" in str(filename):
            raise OSError(errno.ENOSPC, "No space left on device", str(filename))
        return save(tensors, filename, *args, **kwargs)

    with monkeypatch.context() as crowded:
        crowded.setattr("peft.peft_model.safe_save_file", full)
        with pytest.raises(OSError, match="No space left"):
            execute(config, run.paths, shared_runner.workspace)
    run.paths.log.write_text("OSError: [Errno 28] No space left on device\n")
    update_status(run.paths, state="running")
    commands.mark_dead(run.paths)
    status = shared_runner.store.get(run.run_id).status
    assert status.message == "The disk is full." and "intact" in status.remedy
    assert [f.name for f in run.paths.checkpoints.glob("checkpoint-*")] == ["checkpoint-2"]
    execute(config, run.paths, shared_runner.workspace)
    assert losses(run) == pytest.approx(losses(undisturbed), abs=1e-5)


def test_a_loss_that_is_no_number_ends_the_run_and_is_shown(shared_runner):
    from transformers import TrainerState

    run = shared_runner.store.create(shared_runner.config())
    reporter = RunReporter(run.paths, keep=1)
    with pytest.raises(RunFailedError, match="loss became nan at step 3") as caught:
        reporter.on_log(None, TrainerState(global_step=3), None, {"loss": float("nan")})
    assert "checkpoint is kept" in caught.value.remedy and "Clone" in caught.value.remedy
    assert caught.value.field == "optimizer.learning_rate"
    assert Diary(run.paths.events).refresh().not_finite == {"loss": 3}


def test_weights_are_checked_for_numbers():
    from studio.training.callbacks import weights_are_finite

    layer = torch.nn.Linear(2, 2)
    assert weights_are_finite(layer)
    layer.weight.data[0, 0] = float("nan")
    assert not weights_are_finite(layer)


def test_pace_memory_and_drift_are_recorded(shared_runner):
    run, _ = shared_runner.run(shared_runner.config(method="dpo", batch={"total": 8}))
    diary = Diary(run.paths.events).refresh()
    for name in ("samples_per_second", "tokens_per_second", "memory_gb", "drift", "logps/chosen"):
        assert len(diary.series[name]) == 2, name
    beta = run.config.dpo.beta
    chosen, rejected = diary.last("rewards/chosen"), diary.last("rewards/rejected")
    assert diary.last("drift") == pytest.approx(-(chosen + rejected) / 2 / beta)
