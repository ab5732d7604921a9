"""Every family loads, takes an SFT and a DPO step, and answers; the plan knew its numbers."""

import math
from pathlib import Path

import pytest
import torch
from transformers import Florence2Config

from studio.config.model import ModelConfig
from studio.config.speed import SAVINGS
from studio.core.errors import ModelError
from studio.models.image_features.families import FAMILIES as PROVED
from studio.models.load import load_model, skeleton_of
from studio.models.model_source import load_config, load_processor
from studio.models.towers import find_towers
from studio.runs.store import RunStore
from studio.training.model_setup import prepare_model
from studio.training.run_rows import load_run_data
from studio.training.trainers import build_trainer
from tests.families.build import FAMILIES
from tests.families.matrix import BY_HAND, TITLES, render
from tests.places import ROOT

PAGE = ROOT / "docs" / "support-matrix.md"


@pytest.fixture(params=FAMILIES)
def trial(request, trial_of):
    return trial_of(request.param)


def test_one_step_and_an_answer(trial):
    for method, step in trial.steps.items():
        assert math.isfinite(step.loss), method
        assert step.moved == 1.0, method
        assert set(step.towers) == {"language"}, method
    assert trial.answer.done and trial.answer.stopped in ("length", "end")
    # A mixture of experts adds the loss of its router.
    assert trial.steps["dpo"].loss == pytest.approx(math.log(2), rel=1e-2)


def test_quantized_weights_lose_as_full_ones(trial):
    assert trial.quantized["language"] > 0 and "head" not in trial.quantized
    assert trial.steps["qlora"].loss == pytest.approx(trial.steps["sft"].loss, rel=0.05)


def test_the_fast_path_is_on_where_it_is_proved_and_says_why_not_elsewhere(trial):
    proved = trial.kind in PROVED
    for method in ("sft", "dpo"):
        fast = trial.steps[method].fast_path.values
        assert fast["share_images"] is proved
        assert fast["share_prompts"] or "shared prompts ✗ because" in fast["message"]
        assert proved or f"because {trial.kind} is not among" in fast["message"]


def test_the_plan_is_exact(trial):
    planned = {tower["name"]: tower for tower in trial.plan["towers"]}
    totals = {name: tower["total"] for name, tower in planned.items()}
    trainable = {name: tower["trainable"] for name, tower in planned.items()}
    assert {n: count for n, count in totals.items() if count} == trial.parameters
    assert {n: count for n, count in trainable.items() if count} == trial.trainable
    assert trial.plan["total_parameters"] == sum(trial.parameters.values())
    assert trial.plan["trainable_parameters"] == sum(trial.trainable.values())
    assert planned["language"]["matched"] == trial.steps["dpo"].towers["language"]
    assert {"vision", "projector", "language"} <= set(trial.parameters)


@pytest.mark.parametrize("family", FAMILIES)
def test_log_probabilities_are_those_of_one_sequence_at_a_time(family, by_hand_of, trial_of):
    """Of padded batches of unlike rows, on both paths; and they depend on the image."""
    found = dict(by_hand_of(family))
    assert found.pop("sees") > 10 * BY_HAND
    fast = {"sft fast", "dpo fast"} if trial_of(family).kind in PROVED else set()
    assert set(found) == {"sft stock", "dpo stock"} | fast
    assert max(found.values()) <= BY_HAND, found


def test_the_support_matrix_is_up_to_date(trial_of, by_hand_of):
    """Its table; the lists below it follow the installed version of transformers."""
    assert set(TITLES) == set(FAMILIES)
    page = render(map(trial_of, FAMILIES), {name: by_hand_of(name) for name in FAMILIES})
    assert table(PAGE.read_text(encoding="utf-8")) == table(page), (
        "run: python benchmarks/families.py --write"
    )


def table(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("|")]


def test_the_projector_inside_the_vision_code_is_told_apart(bench):
    model = skeleton_of(ModelConfig(id=bench.model("qwen3_vl")))
    of = find_towers(model).of
    assert of("model.visual.merger.linear_fc1.weight") == "projector"
    assert of("model.visual.deepstack_merger_list.0.norm.weight") == "projector"
    assert of("model.visual.blocks.0.attn.qkv.weight") == "vision"


def test_paligemma_does_not_see_the_answer_it_is_to_give(bench):
    """A later token of the answer leaves what was predicted before it as it was."""
    model, batch = first_batch(bench, "paligemma")
    labels = batch.pop("labels")
    last = int((labels[0] != -100).nonzero()[-1])
    changed = batch | {"input_ids": batch["input_ids"].clone()}
    changed["input_ids"][0, last] += 1
    with torch.no_grad():
        before, after = model(**batch).logits[0], model(**changed).logits[0]
    torch.testing.assert_close(before[:last], after[:last])
    assert not torch.allclose(before[last], after[last])


def test_llama_sees_the_image_from_its_answer(bench):
    """Prompt and answer put together by TRL are read like the conversation as a whole."""
    model, batch = first_batch(bench, "mllama")
    assert batch["cross_attention_mask"].shape[1] < batch["input_ids"].shape[1]
    processor = load_processor(ModelConfig(id=bench.model("mllama")))
    seen = batch["attention_mask"].bool()
    pieces = processor.tokenizer.batch_decode(
        [ids[mask] for ids, mask in zip(batch["input_ids"], seen, strict=True)]
    )
    row_images = load_run_data(bench.config(bench.model("mllama"), "sft"), bench.workspace)
    images = [list(row["images"]) for row in row_images.train.dataset]
    batch.pop("labels")
    with torch.no_grad():
        together = model(**batch).logits
        for row, text in enumerate(pieces):
            whole = processor(
                images=[images[row]], text=[text], add_special_tokens=False, return_tensors="pt"
            )
            expected = model(**whole).logits[0]
            torch.testing.assert_close(together[row][seen[row]], expected, rtol=1e-4, atol=1e-4)
            blind = model(**whole | {"pixel_values": whole["pixel_values"] + 1}).logits[0]
            assert not torch.allclose(blind[-3:], expected[-3:])


def test_a_model_without_a_chat_template_is_refused(bench, tmp_path):
    folder = Path(bench.model("llava"))
    for file in folder.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="no chat template") as caught:
        load_processor(ModelConfig(id=str(tmp_path)))
    assert caught.value.field == "model.id" and caught.value.remedy


def test_an_encoder_with_a_decoder_is_refused(tmp_path):
    Florence2Config().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="encoder and a decoder") as caught:
        load_config(ModelConfig(id=str(tmp_path)))
    assert caught.value.field == "model.id" and caught.value.remedy


def first_batch(bench, family):
    """The base model and the first batch of the stock path, in the order of the rows."""
    off = dict.fromkeys(SAVINGS, "off")
    config = bench.config(bench.model(family), "sft", speed=off)
    trainable = prepare_model(config, bench.workspace)
    data = load_run_data(config, bench.workspace)
    paths = RunStore(bench.workspace).create(config).paths
    trainer = build_trainer(config, paths, trainable, data, [], bench.workspace)
    rows = [trainer.train_dataset[number] for number in range(2)]
    return load_model(config.model).model.eval(), dict(trainer.data_collator(rows))
