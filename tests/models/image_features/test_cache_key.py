"""What tells one model's answers from another's."""

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from studio.core.paths import TINY_VLM
from studio.models.image_features.cache_key import model_fingerprint


def test_a_model_is_another_with_other_weights_settings_or_template():
    processor = AutoProcessor.from_pretrained(TINY_VLM)
    model = AutoModelForImageTextToText.from_pretrained(TINY_VLM)
    first = model_fingerprint(model, processor, "cpu")
    assert first == model_fingerprint(model, processor, "cpu")
    found = {first, model_fingerprint(model, processor, "cuda")}
    model.generation_config.repetition_penalty = 1.2
    found.add(model_fingerprint(model, processor, "cpu"))
    processor.image_processor.size = {"longest_edge": 96}
    found.add(model_fingerprint(model, processor, "cpu"))
    processor.chat_template += " "
    found.add(model_fingerprint(model, processor, "cpu"))
    layers = model.model.text_model.layers
    with torch.no_grad():
        layers[1].mlp.up_proj.weight.add_(1e-3)
    found.add(model_fingerprint(model, processor, "cpu"))
    assert len(found) == 6
