"""What a device cannot do."""

import torch

from studio.config.model import ModelConfig
from studio.models.devices import device_problems


def test_what_a_device_cannot_do_is_named_with_a_remedy(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    config = ModelConfig(quantization="nf4", attention="flash_attention_2", dtype="float16")
    found = device_problems(config, torch.device("cpu"))
    assert {problem.field for problem in found} == {
        "model.quantization",
        "model.attention",
        "model.dtype",
    }
    assert all(problem.remedy for problem in found)
    mps = device_problems(ModelConfig(quantization="int8"), torch.device("mps"))
    assert [problem.field for problem in mps] == ["model.quantization"]
