"""Bytes that live at once."""

from __future__ import annotations

import torch
from torch import nn

from studio.training.planning.tensor_meter import metered


def test_meter_counts_what_lives_at_once():
    layer = nn.Linear(8, 4, bias=False, device="meta")
    with metered(layer) as meter:
        first = layer(torch.empty(16, 8, device="meta"))
        assert meter.now == 16 * 4 * 4 + 16 * 8 * 4
        del first
    assert meter.peak == 16 * 4 * 4 + 16 * 8 * 4


def test_frozen_layers_keep_no_input_and_trained_ones_do():
    kept = []
    for trained in (False, True):
        layer = nn.Linear(32, 32, bias=False, device="meta").requires_grad_(trained)
        with metered(layer) as meter:
            hidden = torch.empty(8, 32, device="meta", requires_grad=True) * 1.0
            before = meter.now
            out = layer(hidden)
            del hidden
            kept.append(meter.now - before)
            del out
    assert kept == [0, 8 * 32 * 4]
