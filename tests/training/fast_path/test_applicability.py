"""What applies to a model is chosen with a reason, and nothing chosen costs more than before."""

import numpy as np
import pytest
from transformers import AutoConfig

from studio.config import run_file
from studio.config.model import ModelConfig
from studio.config.speed import SAVINGS
from studio.core.paths import TINY_VLM
from studio.models.image_features.families import FAMILIES
from studio.models.load import skeleton_of
from studio.training.fast_path import applicability as choosing
from studio.training.fast_path.applicability import choose
from studio.training.fast_path.shared_prompt_layout import Cost, Strand, make_layout


@pytest.fixture
def frozen():
    """The embedded model without storage, as it is when only an adapter is trained."""
    return skeleton_of(ModelConfig(id="embedded")).requires_grad_(False)


def run(**speed):
    return run_file.parse({"method": "dpo", "data": {"source": "rows.jsonl"}, "speed": speed})


def chosen(model, **options) -> tuple[list[str], str]:
    path = choose(run(**options.pop("speed", {})), model, **options)
    return [name for name in SAVINGS if path.named[name].on], str(path)


def test_everything_applies_to_a_frozen_vision_tower(frozen):
    on, said = chosen(frozen)
    assert on == list(SAVINGS) and said.count("✓") == 4


@pytest.mark.parametrize("part", ["vision_model.encoder.layers.1.mlp.fc1", "connector"])
def test_nothing_applies_when_what_makes_features_is_trained(frozen, part):
    frozen.model.get_submodule(part).requires_grad_(True)
    on, said = chosen(frozen)
    assert not on and "is trained" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.config.vision_config.__setattr__("attention_dropout", 0.1), "dropout"),
        (
            lambda m: m.config.text_config.update(
                {"output_router_logits": False, "router_aux_loss_coef": 0.01}
            ),
            "router",
        ),
    ],
    ids=["dropout", "loss of a router"],
)
def test_nothing_applies_where_features_or_losses_are_no_constant(frozen, change, words):
    change(frozen)
    on, said = chosen(frozen)
    assert not on and words in said


def test_a_family_that_is_not_proved_takes_the_stock_path(frozen, monkeypatch):
    monkeypatch.delitem(FAMILIES, frozen.config.model_type)
    on, said = chosen(frozen)
    assert not on and "not among the families" in said


def test_spread_weights_take_the_stock_path(frozen):
    on, said = chosen(frozen, sharded="FSDP")
    assert not on and "FSDP spreads the weights" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: setattr(c, "_attn_implementation", "flash_attention_2"), "no masks of its own"),
        (
            lambda c: setattr(c.text_config, "layer_types", ["conv", "full_attention"]),
            "not every layer is attention",
        ),
    ],
    ids=["flash attention", "convolutions"],
)
def test_prompts_are_not_shared_where_masks_say_too_little(frozen, change, words):
    change(frozen.config)
    on, said = chosen(frozen)
    assert on == [name for name in SAVINGS if name != "share_prompts"]
    assert "shared prompts ✗ because" in said and words in said


def test_each_part_can_be_switched_off(frozen):
    on, said = chosen(frozen, speed={"cache_features": "off"})
    assert "cache_features" not in on and len(on) == 3 and "switched off" in said
    assert not choosing.all_off(run(cache_features="off").speed)
    assert choosing.all_off(run(**dict.fromkeys(SAVINGS, "off")).speed)


SMOLVLM = Cost(linear=2 * 576 * 64 * 12 + 3 * 576 * 1536, attention=2 * 576)


def rows_of(random, count: int, prompt: int, answers: int) -> list[Strand]:
    """Two answers of uneven length to each of `count` prompts of uneven length."""
    strands = []
    for row in range(count):
        begin = random.integers(10, 500, random.integers(prompt // 2, prompt + 1))
        for _ in range(2):
            end = random.integers(10, 500, random.integers(answers // 2, answers + 1))
            ids = np.concatenate([begin, end])
            scored = np.arange(len(ids)) >= len(begin)
            strands.append(Strand(ids, np.full(len(ids), -1), scored, row, (str(row),)))
    return strands


@pytest.mark.parametrize("prompt", [20, 120, 1200])
@pytest.mark.parametrize("answers", [20, 400, 2000])
def test_no_layout_costs_more_than_a_row_for_each_sequence(prompt, answers):
    """Long answers after short prompts included: arithmetic, not the clock."""
    random = np.random.default_rng(prompt + answers)
    for count in (1, 2, 4):
        strands = rows_of(random, count, prompt, answers)
        width = max(len(strand.ids) for strand in strands)
        layout = make_layout(strands, width, pad=0, cost=SMOLVLM)
        rows, places = layout["input_ids"].shape
        ours = SMOLVLM.rows([places] * rows, masked="segments" in layout)
        assert ours <= SMOLVLM.rows([width] * len(strands), masked=False)
        assert len(layout["keep"]) == sum(int(strand.scored.sum()) for strand in strands)


def test_cost_follows_the_configuration():
    text = AutoConfig.from_pretrained(TINY_VLM).text_config
    cost = Cost.of(text)
    hidden, head = text.hidden_size, text.head_dim
    projections = 2 * hidden * head * (text.num_attention_heads + text.num_key_value_heads)
    assert cost.linear == projections + 3 * hidden * text.intermediate_size
    assert cost.attention == 2 * text.num_attention_heads * head
