"""Adapters that take turns on one base."""

import pytest
import torch
from peft import PeftModel

from studio.core.errors import ModelError
from studio.models.adapter_config import WEIGHTS
from studio.models.load import load_model
from studio.models.loaded_adapters import AdapterShelf
from tests.adapter_folders import configured, save_adapter_of
from tests.models.adapters_put_on import EMBEDDED, logits

KINDS = ("LORA", "LOHA", "LOKR", "IA3", "VERA", "OFT", "BOFT", "LN_TUNING", "TRAINABLE_TOKENS")


@pytest.fixture(scope="module")
def of_kinds(tmp_path_factory):
    """A folder of each kind, and of some LoRA that is more than LoRA."""
    place = tmp_path_factory.mktemp("kinds")
    made = {kind: save_adapter_of(configured(kind), place / kind) for kind in KINDS}
    more = {
        "whole": {"modules_to_save": ["modality_projection"]},
        "dora": {"use_dora": True},
        "tokens": {"trainable_token_indices": {"embed_tokens": [5, 6, 7]}},
        "biases": {"bias": "all"},
        "other biases": {"bias": "lora_only", "target_modules": ["q_proj"]},
    }
    for name, settings in more.items():
        made[name] = save_adapter_of(configured("LORA", **settings), place / name)
    return made


def test_every_kind_takes_its_turn_in_chat_and_leaves_the_base_as_it_was(of_kinds):
    """Each answers as PEFT alone makes it answer, whichever came before."""
    base = load_model(EMBEDDED).model
    shelf, before = AdapterShelf(base, EMBEDDED), logits(base)
    twice = [*of_kinds.items(), *list(of_kinds.items())[::-1]]
    wanted = {
        name: logits(PeftModel.from_pretrained(load_model(EMBEDDED).model, folder))
        for name, folder in of_kinds.items()
    }
    for name, folder in twice:
        shelf.activate(folder)
        assert torch.allclose(logits(base), wanted[name], atol=1e-5), name
        assert not torch.allclose(wanted[name], before, atol=1e-3), name
        shelf.activate(None)
        assert torch.equal(logits(base), before), name


def test_several_lora_adapters_stay_in_memory_beside_each_other(of_kinds):
    shelf = AdapterShelf(load_model(EMBEDDED).model, EMBEDDED)
    for name in ("LORA", "dora", "whole", "biases", "other biases"):
        shelf.activate(of_kinds[name])
    assert len(shelf.folders) == 5
    shelf.activate(of_kinds["LOHA"])
    assert shelf.folders == [of_kinds["LOHA"]]


def test_a_refused_adapter_leaves_the_shelf_usable(of_kinds, folder):
    base = load_model(EMBEDDED).model
    shelf = AdapterShelf(base, EMBEDDED)
    shelf.activate(of_kinds["LORA"])
    wanted = logits(base)
    (folder / WEIGHTS).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ModelError, match="damaged"):
        shelf.activate(folder)
    shelf.activate(of_kinds["LORA"])
    assert not shelf.spoiled and torch.equal(logits(base), wanted)


def test_the_parts_that_an_adapter_changes_are_known(of_kinds, tmp_path_factory):
    place = tmp_path_factory.mktemp("vision")
    vision = save_adapter_of(
        configured("LORA", target_modules=r".*vision_model.*q_proj"), place / "vision"
    )
    shelf = AdapterShelf(load_model(EMBEDDED).model, EMBEDDED)
    wanted = {
        of_kinds["LORA"]: {"language"},
        of_kinds["whole"]: {"language", "projector"},
        vision: {"vision"},
    }
    for folder, towers in wanted.items():
        shelf.activate(folder)
        assert shelf.touched(folder) == towers
    shelf.activate(of_kinds["biases"])
    assert "vision" in shelf.touched(of_kinds["biases"])
