"""What a step keeps while it runs, traced without values, against what tensors really take."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.profiler import profile
from transformers import LlamaConfig, LlamaModel

from studio.config.speed import SAVINGS
from studio.models.model_source import load_processor
from studio.training.fast_path.applicability import FastPath
from studio.training.model_setup import prepare_model
from studio.training.planning.activation_trace import Traceable, trace
from studio.training.planning.memory_estimate import adapted
from studio.training.planning.tensor_meter import metered, padding_seen
from studio.training.planning.weight_memory import quantized_modules
from studio.training.run_rows import load_run_data
from studio.training.trainers import build_trainer

OFF = dict.fromkeys(SAVINGS, "off")


def _traced(runner, dtype=torch.float32, device="cpu", as_given=True, **sections):
    config = runner.config(**sections)
    base, model = adapted(config, runner.workspace, dtype)
    quantized = frozenset(quantized_modules(config.model, base, dtype))
    processor = load_processor(config.model)
    data = load_run_data(config, runner.workspace)
    rows = [data.train.dataset[n] for n in range(config.batch.per_device)]
    known = quantized if as_given else frozenset()
    traceable = Traceable(model, base, processor, known, device)
    return trace(config, traceable, rows, FastPath.off("for this test"))


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_stock_activations_grow_with_rows_and_shrink_with_checkpointing(runner, method):
    one = _traced(runner, method=method, batch={"per_device": 1, "total": 4})
    four = _traced(runner, method=method)
    saved = _traced(runner, method=method, batch={"gradient_checkpointing": True})
    assert 3 * one.saved < four.saved < 5 * one.saved
    assert saved.saved < four.saved / 2 and saved.peak < four.peak


def test_attention_of_grouped_heads_is_fused_on_a_cpu_too():
    """No scores are kept: the plan counts on it."""
    query = torch.ones(1, 4, 32, 8, requires_grad=True)
    key = torch.ones(1, 2, 32, 8, requires_grad=True)
    with profile() as seen:
        nn.functional.scaled_dot_product_attention(query, key, key, is_causal=True, enable_gqa=True)
    names = {event.key for event in seen.key_averages()}
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in names


def test_padded_rows_have_a_mask_and_repeat_the_keys_of_grouped_heads():
    config = LlamaConfig(
        vocab_size=16, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=8, num_key_value_heads=1, attn_implementation="sdpa",
    )  # fmt: skip
    with torch.device("meta"):
        model = LlamaModel(config).train()
    whole, padded = torch.ones(2, 64, dtype=torch.long), torch.ones(2, 64, dtype=torch.long)
    padded[0, -5:] = 0

    def kept(mask):
        with metered(model) as meter, padding_seen(mask):
            out = model(input_ids=whole, attention_mask=mask, use_cache=False)
            assert out.last_hidden_state.shape == (2, 64, 32)
            return meter.now

    repeated = 2 * 7 * 2 * 64 * 4 * 4  # keys and values, of seven more heads
    assert kept(padded) >= kept(whole) + repeated


def test_eager_attention_keeps_every_score(runner):
    few = {"batch": {"per_device": 1, "total": 4}}
    fused = _traced(runner, **few)
    assert _traced(runner, model={"attention": "eager"}, **few).saved > 1.05 * fused.saved


def test_a_gpu_works_on_logits_in_place(runner):
    sections = {"batch": {"gradient_checkpointing": True}, "adapter": {"rank": 1}}
    on_cpu = _traced(runner, torch.bfloat16, **sections)
    on_gpu = _traced(runner, torch.bfloat16, "cuda", **sections)
    assert on_gpu.saved == on_cpu.saved and on_gpu.peak < on_cpu.peak


def test_quantized_towers_keep_the_float32_that_layer_norms_give_under_autocast(runner):
    nf4 = {"model": {"quantization": "nf4"}, "batch": {"gradient_checkpointing": True}}
    half = _traced(runner, torch.bfloat16, as_given=False, **nf4)
    assert _traced(runner, torch.bfloat16, **nf4).saved > 1.1 * half.saved
    assert half.saved < _traced(runner, **nf4).saved < 2 * half.saved


def test_traced_activations_are_what_autograd_keeps(runner):
    """On the CPU, the same step keeps the same bytes."""
    planned = _traced(runner, speed=OFF).saved
    config = runner.config(speed=OFF)
    run = runner.store.create(config)
    data = load_run_data(config, runner.workspace)
    trainable = prepare_model(config, runner.workspace)
    trainer = build_trainer(config, run.paths, trainable, data, [], runner.workspace)
    batch = trainer.data_collator([data.train.dataset[n] for n in range(4)])
    weights = {p.untyped_storage().data_ptr() for p in trainer.model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    trainer.model.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        trainer.compute_loss(trainer.model, batch)
    assert planned == pytest.approx(sum(kept.values()), rel=0.1)
