"""Adapters checked, put on the embedded model, and what it then says."""

import pytest
import torch

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.adapter_weights import check_adapter, put_on
from studio.models.load import load_model

IDS = torch.arange(2, 14).unsqueeze(0)
EMBEDDED = ModelConfig()
PURPOSES = ("chat", "sft", "dpo")


def logits(model):
    model.eval()
    with torch.no_grad():
        return model(input_ids=IDS).logits


def refused(folder, purpose="sft", model=EMBEDDED, **kwargs):
    with pytest.raises(ModelError) as caught:
        check_adapter(folder, model, purpose=purpose, field="here", **kwargs)
    assert caught.value.field == "here" and caught.value.remedy
    return caught.value.message


def loaded(folder, model=EMBEDDED, purpose="sft", **kwargs):
    adapter = check_adapter(folder, model, purpose=purpose, field="here", **kwargs)
    return put_on(load_model(model).model, adapter)
