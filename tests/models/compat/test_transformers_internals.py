"""What the studio expects of private names of transformers; a failure says that upstream changed."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaModel, Trainer, TrainingArguments

from studio.config.model import ModelConfig
from studio.models.compat.transformers_internals import (
    attention_of,
    forget_evaluation_loaders,
    image_tokens,
    masks_always_made,
    prepared,
    save_checkpoint,
)
from studio.models.image_tokens import Expansions
from studio.models.model_source import load_processor

SMALL = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
         "num_attention_heads": 1, "num_key_value_heads": 1, "vocab_size": 16}  # fmt: skip


class Line(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x, labels=None):
        return {"loss": ((x * self.weight - x) ** 2).mean(), "logits": x}


@pytest.fixture
def trainer(tmp_path):
    rows = Dataset.from_dict({"x": [[1.0], [2.0]]}).with_format("torch")
    arguments = TrainingArguments(
        str(tmp_path), use_cpu=True, max_steps=1, report_to=[], save_strategy="no",
        dataloader_num_workers=1, dataloader_persistent_workers=True,
    )  # fmt: skip
    return Trainer(Line(), arguments, train_dataset=rows, eval_dataset=rows)


@pytest.mark.parametrize("name", ["eager", "sdpa"])
def test_a_model_says_which_attention_it_has(name):
    model = LlamaModel._from_config(LlamaConfig(**SMALL), attn_implementation=name)
    assert attention_of(model.config) == name


def test_the_formula_counts_what_the_processor_makes():
    processor = load_processor(ModelConfig())
    size = (384, 384)
    assert image_tokens(processor, *size)[0] == Expansions(processor).measure((1, size)).tokens


def test_a_checkpoint_can_be_written_between_two_steps(trainer, tmp_path):
    trainer.train()
    save_checkpoint(trainer)
    assert (tmp_path / "checkpoint-1" / "model.safetensors").is_file()


def test_loaders_of_earlier_evaluations_are_dropped(trainer):
    first = trainer.get_eval_dataloader()
    assert trainer.get_eval_dataloader() is first
    forget_evaluation_loaders(trainer)
    assert trainer.get_eval_dataloader() is not first


def test_a_batch_is_put_on_the_device(trainer):
    assert prepared(trainer, {"x": torch.ones(1)})["x"].device == trainer.args.device


def test_masks_are_made_where_none_would_be():
    seen = []
    model = LlamaModel._from_config(LlamaConfig(**SMALL), attn_implementation="sdpa")
    attention = model.layers[0].self_attn
    attention.register_forward_pre_hook(
        lambda _, __, named: seen.append(named["attention_mask"]), with_kwargs=True
    )
    ids, ones = torch.ones(1, 4, dtype=torch.long), torch.ones(1, 4, dtype=torch.long)
    model(ids, attention_mask=ones)
    with masks_always_made():
        model(ids, attention_mask=ones)
    assert seen[0] is None and seen[1] is not None
