"""What the trainers are given, and what they learn from."""

import pytest
import torch

from studio.models.load import load_model
from studio.training.model_setup import prepare_model
from studio.training.planning.preflight_plan import plan_run
from studio.training.run_rows import load_run_data
from studio.training.trainers import build_trainer


@pytest.fixture(scope="module")
def runner(shared_runner):
    """One workspace for all: no test leaves anything in it that changes another."""
    return shared_runner


def first_batch(runner, config):
    run = runner.store.create(config)
    trainable = prepare_model(config, runner.workspace)
    data = load_run_data(config, runner.workspace)
    trainer = build_trainer(config, run.paths, trainable, data, [], runner.workspace)
    return trainer, next(iter(trainer.get_train_dataloader()))


def test_sft_learns_from_the_answer_and_its_end_only(runner):
    trainer, batch = first_batch(runner, runner.config())
    tokenizer = trainer.processing_class.tokenizer
    labels = batch["labels"][0]
    ids = labels[labels != -100]
    row = trainer.train_dataset
    answers = {row[i]["completion"][0]["content"][0]["text"] for i in range(len(row))}
    text = tokenizer.decode(ids)
    assert text.replace("<end_of_utterance>", "").strip() in answers
    assert tokenizer.eos_token_id in ids.tolist()
    assert not set(ids.tolist()) & {trainer.processing_class.image_token_id}


def test_dpo_scores_both_answers_to_the_same_prompt(runner):
    _, batch = first_batch(runner, runner.config(method="dpo"))
    rows = batch["input_ids"].shape[0]
    assert rows == 8
    for index in range(4):
        chosen_prompt = batch["input_ids"][index][batch["completion_mask"][index] == 0]
        rejected_prompt = batch["input_ids"][index + 4][batch["completion_mask"][index + 4] == 0]
        length = min(len(chosen_prompt), len(rejected_prompt)) - 12
        assert torch.equal(chosen_prompt[:length], rejected_prompt[:length])


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_every_adapted_tower_gets_gradient(runner, method):
    config = runner.config(
        method=method,
        adapter={"targets": "vision+language", "init": "gaussian"},
        batch={"gradient_checkpointing": True},
    )
    trainer, batch = first_batch(runner, config)
    model = trainer.model
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.02)
    model.train()
    trainer.compute_loss(model, batch).backward()
    for part in ("vision", "text"):
        found = [p.grad for n, p in model.named_parameters() if p.requires_grad and part in n]
        assert found and all(g is not None and g.abs().sum() > 0 for g in found), part


def test_the_plan_counts_exactly_what_is_trained(runner):
    config = runner.config(adapter={"rank": 4, "targets": "all-linear"})
    plan, _ = plan_run(config, runner.workspace)
    trainer, _ = first_batch(runner, config)
    actual = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    assert plan.trainable_parameters == actual
    base = sum(p.numel() for p in load_model(config.model).model.parameters())
    assert plan.total_parameters == base
    assert plan.tokens_max >= plan.tokens_median > 36
