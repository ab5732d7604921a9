"""What the trainers are given, what they learn from, and what they leave behind."""

import json
import math
import shutil

import pytest
import torch
from peft import PeftModel

from studio.core.errors import ConfigError, DataError, ModelError, RunFailedError
from studio.models.load import load_model
from studio.runs import checkpoints
from studio.runs.event_log import read_events
from studio.training.planning.preflight_plan import plan_run
from tests.places import SHARED

REAL = SHARED / "data"


needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the shared data is not here")


@pytest.fixture(scope="module")
def runner(shared_runner):
    """One workspace for all: no test leaves anything in it that changes another."""
    return shared_runner


@pytest.fixture(scope="module")
def usual(runner):
    """A finished run of the usual settings."""
    run, outcome = runner.run(runner.config())
    assert outcome == "finished"
    return run


@pytest.fixture(scope="module")
def quantized(runner):
    """The same on NF4 weights, with the optimizer of QLoRA."""
    settings = {"model": {"quantization": "nf4"}, "optimizer": {"name": "paged_adamw_8bit"}}
    run, outcome = runner.run(runner.config(**settings))
    assert outcome == "finished"
    return run


@pytest.mark.parametrize(("method", "quantized"), [("sft", "nf4"), ("dpo", "int8")])
def test_quantized_runs_lose_as_unquantized_ones(runner, method, quantized):
    """The same four rows in every step: the loss falls, and the last is within 5 %."""
    last = {}
    for quantization in ("none", quantized):
        config = runner.config(
            method=method,
            model={"quantization": quantization},
            data={"train": "train[:4]"},
            schedule={"max_steps": 4},
        )
        run, outcome = runner.run(config)
        losses = runner.values(run, "loss")
        assert outcome == "finished" and all(map(math.isfinite, losses))
        assert losses[-1] < losses[0]
        last[quantization] = losses[-1]
    assert max(last.values()) <= min(last.values()) * 1.05, last


@pytest.mark.parametrize(
    "adapter",
    [{"dora": True, "rslora": True, "dropout": 0.1}, {"init": "pissa"}, None],
    ids=["dora", "pissa", "full"],
)
def test_variants_train_and_save(runner, adapter):
    run, outcome = runner.run(runner.config(adapter=adapter))
    assert outcome == "finished" and run.has_adapter
    saved = json.loads((run.paths.adapter / checkpoints.MARKER).read_text())
    assert saved["kind"] == ("model" if adapter is None else "adapter")
    assert not list(run.paths.adapter.glob("*.bin"))


def test_the_effective_batch_is_kept_whatever_fits_at_once(runner, usual):
    config = runner.config(batch={"per_device": 1, "total": 4})
    run, _ = runner.run(config)
    assert usual.config.batch.per_device == 4
    assert runner.values(run, "loss") == pytest.approx(runner.values(usual, "loss"), rel=1e-4)


def test_an_nf4_adapter_changes_what_the_model_says(runner, quantized):
    losses = runner.values(quantized, "loss")
    assert losses[1] != losses[0] and math.isfinite(losses[1])
    loaded = load_model(quantized.config.model)
    ids = torch.arange(2, 14).unsqueeze(0)
    with torch.no_grad():
        before = loaded.model(input_ids=ids).logits
        adapted = PeftModel.from_pretrained(loaded.model, quantized.paths.adapter)
        after = adapted(input_ids=ids).logits
    assert not torch.allclose(before, after)


def test_a_run_goes_on_from_an_adapter_and_dpo_starts_at_its_reference(runner, usual):
    config = runner.config(
        method="dpo", adapter={"continue_from": usual.run_id}, schedule={"max_steps": 1}
    )
    run, _ = runner.run(config)
    assert runner.values(run, "loss")[0] == pytest.approx(math.log(2), rel=1e-4)


def test_an_adapter_of_another_base_is_refused(runner, usual, tmp_path):
    folder = shutil.copytree(usual.paths.adapter, tmp_path / "adapter")
    description = folder / "adapter_config.json"
    values = json.loads(description.read_text()) | {"base_model_name_or_path": "other/model"}
    description.write_text(json.dumps(values))
    with pytest.raises(ModelError, match="other/model") as caught:
        plan_run(runner.config(adapter={"continue_from": str(folder)}), runner.workspace)
    assert caught.value.field == "adapter.continue_from"


def test_memory_running_out_halves_the_rows_and_keeps_the_batch(runner, usual, monkeypatch):
    from trl import SFTTrainer

    plain = SFTTrainer.compute_loss

    def fails_above_two(self, model, inputs, *args, **kwargs):
        if inputs["input_ids"].shape[0] > 2:
            raise torch.OutOfMemoryError("injected")
        return plain(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(SFTTrainer, "compute_loss", fails_above_two)
    run, outcome = runner.run(runner.config())
    changes = [e for e in read_events(run.paths.events).events if e.type == "changed"]
    assert outcome == "finished" and [e.values["per_device"] for e in changes] == [2]
    assert runner.values(run, "loss") == pytest.approx(runner.values(usual, "loss"), rel=1e-4)
    with pytest.raises(RunFailedError, match="Memory ran out"):
        runner.run(runner.config(batch={"on_oom": "fail"}))


def test_a_loss_that_is_no_number_stops_the_run(runner, monkeypatch):
    from trl import SFTTrainer

    plain = SFTTrainer.compute_loss
    monkeypatch.setattr(
        SFTTrainer, "compute_loss", lambda *args, **kwargs: plain(*args, **kwargs) * float("nan")
    )
    with pytest.raises(RunFailedError, match="nan at step 1"):
        runner.run(runner.config())


def test_early_stopping_counts_evaluations_without_improvement(runner):
    config = runner.config(
        data={"source": "embedded:sft", "train": "train[:8]", "evaluation": "evaluation[:4]"},
        optimizer={"learning_rate": 1e-12},
        schedule={"max_steps": 8, "evaluate_every": 1, "early_stopping": 2},
    )
    run, _ = runner.run(config)
    said = [
        e.values["message"] for e in read_events(run.paths.events).events if e.type == "changed"
    ]
    assert said and "no improvement" in said[0]
    assert len(runner.values(run, "eval_loss", "evaluation")) < 8


REFUSED = [
    ({"data": {"source": "/no/such/file.jsonl"}}, "data.source"),
    ({"data": {"source": "embedded:sft", "train": "nope"}}, "data.train"),
    ({"data": {"source": "embedded:sft", "columns": {"question": "qestion"}}}, "data.columns"),
    ({"method": "dpo", "data": {"source": "embedded:sft"}}, "data.source"),
    ({"model": {"id": "/no/such/model"}}, "model.id"),
    ({"adapter": {"targets": ["nothing"]}}, "adapter.targets"),
    ({"adapter": {"continue_from": "nope"}}, "adapter.continue_from"),
    ({"adapter": None, "model": {"quantization": "nf4"}}, "adapter"),
    ({"model": {"dtype": "float16"}}, "model.dtype"),
]


@pytest.mark.parametrize(("sections", "field"), REFUSED, ids=[field for _, field in REFUSED])
def test_what_cannot_run_is_refused_before_training(runner, sections, field):
    with pytest.raises((ConfigError, DataError, ModelError)) as caught:
        plan_run(runner.config(**sections), runner.workspace)
    assert caught.value.field.startswith(field) and caught.value.remedy


@needs_real_data
@pytest.mark.parametrize(
    ("method", "source", "quantization"),
    [
        ("sft", "chartqa/human.jsonl", "nf4"),
        ("dpo", "mllm_bench/pairs.jsonl", "none"),
        ("sft", "multichart/multi_image_qa.jsonl", "none"),
    ],
)
def test_real_rows_train(runner, method, source, quantization):
    """One batch of them, twice."""
    config = runner.config(
        method=method,
        model={"quantization": quantization},
        data={"source": str(REAL / source), "train": "train[:2]"},
        batch={"per_device": 2, "total": 2},
    )
    run, outcome = runner.run(config)
    losses = runner.values(run, "loss")
    assert outcome == "finished" and len(losses) == 2 and all(map(math.isfinite, losses))
