"""Questions asked while training change nothing, and take no more time than they may."""

import pytest
import torch

from studio.models.generation import Generated
from studio.runs.curves import Diary
from studio.runs.event_log import read_events
from studio.runs.status import update_status
from studio.training.callbacks import RunReporter
from studio.training.run_rows import load_run_data

LONG = {
    "adapter": {"rank": 4, "alpha": 8, "dropout": 0.1},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:10]", "evaluation": "evaluation[:2]"},
    "schedule": {"max_steps": 6, "save_every": 2, "keep": 3, "evaluate_every": 2},
}


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
