"""DPO starts at its reference: the adapter as it was, of whatever kind; else nothing is trained."""

import math

import pytest
import torch

from studio.core.errors import ModelError
from studio.core.paths import RunPaths
from studio.models.image_features.cache_key import reference_fingerprint
from studio.runs.curves import Diary
from studio.runs.event_log import read_events
from studio.runs.store import RunStore
from studio.training import model_setup
from studio.training.dpo_reference_check import LN2, Figures
from studio.training.fast_path.reference_logps import LINE, _check
from studio.training.model_setup import drop_nothing
from studio.training.run_training import execute
from tests.adapter_folders import configured, describe, save_adapter_of
from tests.training.one_step import OneStep

STOCK = dict.fromkeys(("share_images", "share_prompts", "cache_features", "cache_reference"), "off")
KINDS = {
    "LOHA": ("LOHA", {"rank_dropout": 0.5, "module_dropout": 0.5}),
    "OFT": ("OFT", {"module_dropout": 0.5}),
    "BOFT": ("BOFT", {"boft_dropout": 0.5}),
    "LoRA and tokens": ("LORA", {"trainable_token_indices": {"embed_tokens": [5, 6, 7]}}),
    "LoRA and a module": ("LORA", {"modules_to_save": ["modality_projection"]}),
    "rsLoRA and DoRA": ("LORA", {"use_dora": True, "use_rslora": True, "lora_dropout": 0.5}),
}


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    place, made = tmp_path_factory.mktemp("adapters"), {}

    def folder(name):
        if name not in made:
            kind, settings = KINDS.get(name, (name, {}))
            made[name] = save_adapter_of(configured(kind, **settings), place / name)
        return str(made[name])

    return folder


def said(one, kind="reference_check"):
    """What the last run wrote down."""
    found = read_events(RunPaths(one.workspace.runs / f"run-{one.runs}").events).events
    return [event.values for event in found if event.type == kind]


# Of all other kinds tests/training/test_continued_adapter.py shows the same.
@pytest.mark.parametrize("name", KINDS)
def test_the_first_loss_of_a_continued_adapter_is_ln_2(one, folder_of, name):
    config = one.config("dpo", adapter={"continue_from": folder_of(name)})
    _, loss, changed = one.step(config)
    (event,) = said(one)
    assert loss == pytest.approx(LN2, abs=1e-4)
    assert event["ok"] and event["loss"] == pytest.approx(LN2, abs=1e-4)
    assert changed and not [name for name in changed if "ref" in name.split(".")]


@pytest.mark.parametrize("name", ["LOHA", "VERA", "LoRA and tokens"])
def test_so_it_is_on_the_stock_path(one, folder_of, name):
    config = one.config("dpo", adapter={"continue_from": folder_of(name)}, speed=STOCK)
    trainer, loss, _ = one.step(config)
    assert not hasattr(trainer, "saving")
    assert loss == pytest.approx(LN2, abs=1e-4) and said(one)[0]["ok"]


@pytest.mark.parametrize(("quantization", "name"), [("nf4", "LORA"), ("int8", "IA3")])
def test_quantized_bases_leave_no_difference_either(one, folder_of, quantization, name):
    """Weights of the adapter are those of its file, not rounded to the 16 bits TRL stores."""
    adapter = {"continue_from": folder_of(name)}
    config = one.config("dpo", adapter=adapter, model={"quantization": quantization})
    trainer = one.trainer(config)
    assert said(one)[0]["difference"] == 0.0
    parts = dict(trainer.model.named_parameters())
    pairs = [(n, n.replace(".default", ".ref")) for n in parts if ".default" in n]
    assert pairs
    for ours, theirs in pairs:
        assert parts[ours].dtype == parts[theirs].dtype == torch.float32
        assert torch.equal(parts[ours], parts[theirs])
        assert not torch.equal(parts[ours], parts[ours].bfloat16().float())


@pytest.mark.parametrize("losses", [{"ipo": 1.0}, {"sigmoid": 0.8, "bco_pair": 0.2, "sft": 1.0}])
def test_other_losses_are_checked_by_the_log_probabilities(one, folder_of, losses):
    adapter = {"continue_from": folder_of("IA3")}
    one.trainer(one.config("dpo", adapter=adapter, dpo={"losses": losses}))
    (event,) = said(one)
    assert event["ok"] and event["difference"] == 0.0


@pytest.mark.parametrize("adapter", [{"rank": 4}, None])
def test_fresh_adapters_and_whole_models_are_checked_too(one, adapter):
    one.trainer(one.config("dpo", adapter=adapter, optimizer={"learning_rate": 1e-5}))
    (event,) = said(one)
    assert event["ok"] and event["starts_at_reference"] and event["difference"] == 0.0


@pytest.mark.parametrize(("quantization", "reference"), [("none", "auto"), ("nf4", "base")])
def test_a_new_dora_adapter_starts_at_its_reference_in_16_bits_too(one, quantization, reference):
    """Its magnitudes over the weights' norms are not quite 1 there: the base alone is elsewhere."""
    model = {"dtype": "bfloat16", "quantization": quantization}
    config = one.config("dpo", adapter={"dora": True}, model=model, dpo={"reference": reference})
    _, loss, changed = one.step(config)
    assert loss == pytest.approx(LN2, abs=1e-4) and said(one)[0]["difference"] == 0.0
    assert changed and not [name for name in changed if "ref" in name.split(".")]


def test_a_start_away_from_the_reference_that_is_wished_for_is_said(one, folder_of):
    adapter = {"continue_from": folder_of("LOHA")}
    trainer = one.trainer(one.config("dpo", adapter=adapter, dpo={"reference": "base"}))
    (event,) = said(one)
    assert event["ok"] and not event["starts_at_reference"] and event["difference"] > 1e-3
    assert "base model" in event["message"] and "ref" not in trainer.model.peft_config


def test_a_wrong_reference_ends_the_run_as_failed_before_its_first_step(
    one, folder_of, monkeypatch
):
    """TRL's own copy leaves such a reference as it was made."""
    monkeypatch.setattr(model_setup, "copy_adapter", lambda *_: None)
    config = one.config("dpo", adapter={"continue_from": folder_of("LOHA")})
    run = RunStore(one.workspace).create(config)
    with pytest.raises(ModelError, match=r"instead of 0\.6931") as caught:
        execute(config, run.paths, one.workspace)
    assert caught.value.field == "dpo.reference" and caught.value.remedy
    events = read_events(run.paths.events).events
    (check,) = [event for event in events if event.type == "reference_check"]
    assert check.values["ok"] is False and abs(check.values["loss"] - LN2) > 1e-4
    assert not [event for event in events if event.type in ("metrics", "finished")]
    assert not run.paths.adapter.exists()


def test_the_check_is_among_what_the_runs_tab_tells(one, folder_of):
    one.trainer(one.config("dpo", adapter={"continue_from": folder_of("IA3")}))
    diary = Diary(RunPaths(one.workspace.runs / f"run-{one.runs}").events)
    diary.refresh()
    assert any("0.6931" in notice.message for notice in diary.notices)


def test_a_reference_of_another_kind_is_refused(one, folder_of):
    config = one.config("dpo", dpo={"reference": folder_of("LOHA")})
    with pytest.raises(ModelError, match="kind LOHA, the trained one of the kind LORA") as caught:
        model_setup.run_adapters(config, one.workspace)
    assert caught.value.field == "dpo.reference"


def test_remembered_scores_belong_to_the_strength_of_the_reference_too(one, tmp_path):
    """Equal weights at another alpha are another reference."""
    names = set()
    for alpha in (8, 16):
        folder = save_adapter_of(configured("LORA"), tmp_path / str(alpha))
        describe(folder, lora_alpha=alpha)
        trainer = one.trainer(one.config("dpo", adapter={"continue_from": str(folder)}))
        names.add(reference_fingerprint(trainer.model, trainer.processing_class, {}))
    assert len(names) == 2


def test_remembered_scores_of_another_reference_are_not_used(one):
    config = one.config("dpo", adapter={"rank": 3})
    trainer, _, _ = one.step(config)
    assert trainer.saving.reference.known
    for file in trainer.saving.reference.folder.glob("*.txt"):
        lines = []
        for line in file.read_text().splitlines():
            key = line.split(" ")[0]
            lines.append(
                LINE.format(key=key, chosen=-7.5, rejected=-1.5, check=_check(key, -7.5, -1.5))
            )
        file.write_text("".join(lines))
    other = one.trainer(config)
    assert other.saving.reference is None and not other.precompute_ref_logps
    assert "remembered scores" in said(one, "warning")[-1]["message"]


def test_nothing_is_dropped_that_models_and_adapters_drop_by_numbers_of_their_own():
    module = torch.nn.Module()
    module.attention_dropout, module.rank_dropout = 0.1, {"default": 0.5}
    module.inner = torch.nn.Dropout(0.3)
    drop_nothing(module)
    assert module.attention_dropout == 0.0 and module.rank_dropout == {"default": 0.0}
    assert module.inner.p == 0.0


@pytest.mark.parametrize(
    ("figures", "beta", "agree"),
    [
        (Figures(1, LN2, 0.0, 0.0), 0.1, True),
        (Figures(1, LN2 + 2e-4, 2e-4, 4e-3), 0.1, False),
        (Figures(1, LN2, 0.0, 1.0), 0.1, False),  # both answers moved alike: no loss shows it
        (Figures(1, LN2, 0.0, 1e-3), 10.0, False),
        (Figures(1, math.nan, math.nan, math.nan), 0.1, False),
    ],
)
def test_what_counts_as_the_same(figures, beta, agree):
    assert figures.agree(beta) is agree
