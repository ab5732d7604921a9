"""What is wrong with an adapter to continue from is told in the plan and before the model trains."""

import pytest
import torch

from studio.config.probes import ProbeConfig
from studio.core.errors import ModelError
from studio.core.paths import RunPaths
from studio.data.image_store import ImageStore
from studio.evaluation.embedded_benchmark import Bench
from studio.models.adapter_kinds import KINDS, NOT_IN_DPO, NOT_TRAINED
from studio.models.adapter_weights import DEFAULT, state_of
from studio.models.generation import generate_answers
from studio.models.load import load_model
from studio.models.prompts import EvalExample
from studio.runs.event_log import read_events
from studio.runs.store import RunStore
from studio.training.dpo_reference_check import LN2
from studio.training.model_setup import prepare_model
from studio.training.planning.preflight_plan import preflight
from studio.training.run_rows import load_run_data
from tests.adapter_folders import configured, describe, reweigh, save_adapter_of
from tests.training.one_step import OneStep


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("continued"))


def halve(folder):
    reweigh(folder, lambda held: {k: v for k, v in held.items() if "lora_A" in k})


def rename(folder):
    reweigh(
        folder,
        lambda held: {k.replace("model.text_model", "language_model.model"): held[k] for k in held},
    )


def spoil(folder):
    reweigh(folder, lambda held: {k: v / 0 for k, v in held.items()})


WRONG = {
    "half is missing": ({}, halve, "8 of the 16 weights"),
    "another layout": ({}, rename, "none of the 16 weights"),
    "no numbers": ({}, spoil, "NaN or infinity"),
    "another base": (
        {},
        lambda f: describe(f, base_model_name_or_path="someone/tiny-vlm"),
        "someone/tiny-vlm",
    ),
    "on the head": ({"target_modules": ["lm_head", "q_proj"]}, None, "output head"),
    "biases": ({"bias": "all"}, None, "lose its reference"),
    "foreign code": (
        {},
        lambda f: describe(f, auto_mapping={"parent_library": "transformers_modules.x"}),
        "foreign code",
    ),
}


# The adapter of `dpo.reference` comes on the model later, when the trainer is built.
@pytest.mark.parametrize(
    ("field", "door"),
    [
        ("adapter.continue_from", preflight),
        ("adapter.continue_from", prepare_model),
        ("dpo.reference", preflight),
    ],
)
@pytest.mark.parametrize("wrong", WRONG)
def test_it_is_refused_with_its_setting(one, tmp_path, wrong, door, field):
    settings, damage, said = WRONG[wrong]
    folder = save_adapter_of(configured("LORA", **settings), tmp_path / "made")
    if damage:
        damage(folder)
    section, key = field.split(".")
    config = one.config("dpo", **{section: {key: str(folder)}})
    with pytest.raises(ModelError, match=said) as caught:
        door(config, one.workspace)
    assert caught.value.field == field and caught.value.remedy


def test_what_is_confirmed_is_trained_further_and_answers_in_evaluation(one, tmp_path):
    """The run's own adapter names the base as the run does, so nothing is asked again."""
    folder = save_adapter_of(configured("LOHA"), tmp_path / "made", base="/data/models/Charts")
    config = one.config("sft", adapter={"continue_from": str(folder), "base_is_same": True})
    trainer, _, changed = one.step(config)
    assert changed
    run = RunStore(one.workspace).create(one.config("sft"))
    trainer.model.save_pretrained(run.paths.adapter)
    bench = Bench(ImageStore(one.workspace))
    ids = torch.arange(2, 14).unsqueeze(0)
    trainer.model.eval()
    with torch.no_grad():
        wanted = trainer.model(input_ids=ids).logits
        assert torch.allclose(bench._as(run)(input_ids=ids).logits, wanted, atol=1e-5)
        assert not torch.allclose(bench._as(None)(input_ids=ids).logits, wanted, atol=1e-3)


def test_it_begins_with_the_weights_of_its_file(one, tmp_path):
    folder = save_adapter_of(configured("LORA"), tmp_path / "made")
    prepared = prepare_model(one.config(adapter={"continue_from": str(folder)}), one.workspace)
    held = state_of(prepared.model, DEFAULT)
    assert len(held) == 16
    assert all(bool(value.any()) for name, value in held.items() if "lora_B" in name)


TRAINED = tuple(kind for kind in KINDS if kind not in NOT_TRAINED)
DEFAULT_PROBES = ProbeConfig().model_dump() | {"max_new_tokens": 4}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Folders of a kind, made when they are first asked for."""
    place, made = tmp_path_factory.mktemp("kinds"), {}

    def folder(kind):
        if kind not in made:
            made[kind] = save_adapter_of(configured(kind), place / kind)
        return str(made[kind])

    return folder


@pytest.fixture(scope="module")
def base_answers(one):
    """What the base answers to the rows of a method."""
    loaded, said = load_model(one.config().model), {}

    def answers(method):
        if method not in said:
            rows = load_run_data(one.config(method), one.workspace).train.dataset
            examples = [EvalExample(row["images"], row["prompt"]) for row in rows]
            said[method] = generate_answers(
                loaded.model, loaded.processor, examples, batch_size=1, max_new_tokens=4
            )
        return said[method]

    return answers


@pytest.mark.parametrize(
    ("method", "kind"),
    # What the adapter is to the base is a matter of its kind; the method is tried with three of them.
    [("sft" if kind in NOT_IN_DPO else "dpo", kind) for kind in TRAINED]
    + [("sft", kind) for kind in ("LORA", "LOHA", "VERA")],
)
def test_every_kind_trains_with_the_default_probes(one, folder_of, base_answers, method, kind):
    """The base is asked with the adapter off, whatever its kind; then the adapter learns.

    What is forgotten is measured with the adapter on: with three kinds, and those DPO refuses.
    """
    probes = DEFAULT_PROBES if method == "sft" else DEFAULT_PROBES | {"forgetting": None}
    config = one.config(method, adapter={"continue_from": folder_of(kind)}, probes=probes)
    _, loss, changed = one.step(config)
    assert changed and not [name for name in changed if "ref" in name.split(".")]
    said = read_events(RunPaths(one.workspace.runs / f"run-{one.runs}").events).events
    (asked,) = (event.values for event in said if event.type == "probe_rows")
    for row, whole in zip(asked["rows"], base_answers(method), strict=True):
        assert row["base"] and whole.startswith(row["base"]), "a short probe is cut by its tokens"
    (probed,) = (event.values for event in said if event.type == "probe")
    assert probed["step"] == 1 and len(probed["answers"]) == 2
    if method == "dpo":
        (check,) = (event.values for event in said if event.type == "reference_check")
        assert check["ok"] and check["loss"] == pytest.approx(LN2, abs=1e-4)
        assert loss == pytest.approx(LN2, abs=1e-4)
    else:
        assert [event.type for event in said].count("forgetting") == 2


@pytest.mark.parametrize(
    ("made", "own", "said"),
    [
        ({"rank": 4, "alpha": 8}, {}, None),
        ({"rank": 8, "alpha": 16}, {}, "keeps its own rank (8), alpha (16); what is set here"),
        ({"dora": True}, {}, "keeps its own DoRA (on);"),
        ({}, {"targets": "vision+language"}, "keeps its own targets (other modules);"),
        ({}, {"targets": ["nowhere"]}, "keeps its own rank, alpha, targets and variants;"),
    ],
)
def test_settings_that_the_continued_adapter_overrules_are_said(one, made, own, said):
    """Nothing is said where both steps of a recipe have the same settings."""
    first = one.config("sft", adapter=made)
    run = RunStore(one.workspace).create(first)
    one.trainer(first).model.save_pretrained(run.paths.adapter)
    second = one.config("dpo", adapter={"continue_from": run.run_id, **own})
    kept = [text for text in preflight(second, one.workspace).plan.warnings if "keeps" in text]
    assert len(kept) == bool(said) and (not said or said in kept[0])


def test_another_kind_of_adapter_overrules_every_setting(one, tmp_path):
    folder = save_adapter_of(configured("LOHA"), tmp_path / "made")
    plan = preflight(one.config(adapter={"continue_from": str(folder)}), one.workspace).plan
    assert any("keeps its own rank, alpha, targets and variants" in text for text in plan.warnings)
