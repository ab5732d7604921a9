"""The scale of logits: which models have one, which apply it, and that it is applied once."""

import pytest
import torch
import transformers

from studio.models.compat.logit_scale import scale_logits, scale_of, scales_itself
from tests.families.build import FAMILIES, Made

UNSCALED = ("aya_vision", "cohere2_vision", "granite_vision")


def model_of(family):
    torch.manual_seed(0)
    made = Made(*FAMILIES[family]())
    return getattr(transformers, made.model)(made.config).eval()


@pytest.mark.parametrize("family", UNSCALED)
def test_transformers_leaves_the_scale_of_these_out(family):
    """When this fails, transformers scales them itself, and nothing is to be added any more."""
    model = model_of(family)
    assert scale_of(model.config) == 0.25 and not scales_itself(model)


@pytest.mark.parametrize("family", UNSCALED)
def test_logits_are_scaled_once(family):
    model = model_of(family)
    ids = torch.tensor([[1, 50, 60]])
    with torch.no_grad():
        before = model(input_ids=ids).logits
        scale_logits(model)
        after = model(input_ids=ids).logits
    torch.testing.assert_close(after, before * 0.25)


@pytest.mark.parametrize("family", ["idefics3", "gemma3"])
def test_models_without_a_scale_are_left_alone(family):
    model = model_of(family)
    scale_logits(model)
    assert not model.get_output_embeddings()._forward_hooks


def test_a_class_that_scales_is_not_scaled_again():
    assert scales_itself(transformers.Cohere2ForCausalLM(small(transformers.Cohere2Config)))
    assert scales_itself(transformers.GraniteForCausalLM(small(transformers.GraniteConfig)))


def small(kind):
    return kind(
        vocab_size=32,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
