"""Starts of an adapter are those of the installed PEFT."""

from typing import get_args, get_type_hints

from peft import LoraConfig

from studio.config.adapter import InitWeights


def test_initialisations_are_those_of_the_installed_peft():
    kinds = get_args(get_type_hints(LoraConfig)["init_lora_weights"])
    named = {name for kind in kinds for name in get_args(kind) if "[" not in name}
    assert set(get_args(InitWeights)) == named | {"default"}
