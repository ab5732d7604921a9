"""The check of the first rows: rounding passes, in 32 and in 16 bits, and mistakes do not."""

from types import SimpleNamespace

import pytest
import torch

from studio.runs.event_log import read_events
from studio.training.fast_path import self_check, shared_prompt_forward
from tests.training.fast_pair import Bench, write_rows

FLOAT32, BFLOAT16 = torch.float32, torch.bfloat16


@pytest.mark.parametrize(
    ("dtype", "device", "found", "own", "most"),
    [
        (FLOAT32, "cpu", 1.0, 1.0, 1e-4),
        (FLOAT32, "cuda", 1.0, 1.0, 1e-3),
        (BFLOAT16, "cuda", 0.01, 9.0, 3e-2),
        (BFLOAT16, "cuda", 0.05, 0.03, 6e-2),
        (BFLOAT16, "cuda", 0.05, 0.001, 3e-2),
    ],
)
def test_what_is_allowed(monkeypatch, dtype, device, found, own, most):
    """In 16 bits, twice what the stock path differs from itself by."""
    trainer = SimpleNamespace(accelerator=SimpleNamespace(device=torch.device(device)))
    monkeypatch.setattr(self_check, "rounding", lambda _: own)
    assert self_check.allowed(trainer, found, dtype) == pytest.approx(most)


def test_certain_tokens_are_measured_in_nats():
    tokens = torch.tensor([4.0, 4.0])
    certain = torch.tensor([-0.001, -8.0]), tokens
    close = torch.tensor([-0.002, -8.0]), tokens
    assert self_check._apart(close, certain) == pytest.approx(0.001 / 4)
    off = torch.tensor([-0.001, -9.0]), tokens
    assert self_check._apart(off, certain) == pytest.approx(1 / 8)


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_16_bits_pass_and_a_wrong_mask_does_not(shared_runner, tmp_path, monkeypatch, method):
    source = write_rows(tmp_path, method, [[0], [0], [0, 1], []])
    values = {"method": method, "data": {"source": source}, "model": {"dtype": "bfloat16"}}
    fast = Bench(shared_runner).trainer(**values)
    assert fast.saving is not None
    assert self_check.rounding(fast) < 3e-2
    plain = shared_prompt_forward.attention_masks
    monkeypatch.setattr(
        shared_prompt_forward,
        "attention_masks",
        lambda layout, **options: {
            kind: torch.ones_like(mask) for kind, mask in plain(layout, **options).items()
        },
    )
    wrong = Bench(shared_runner).trainer(**values)
    assert wrong.saving is None
    (told,) = [e for e in read_events(wrong.run.paths.events).events if e.type == "fast_path"]
    assert told.values["difference"] > 3e-2
