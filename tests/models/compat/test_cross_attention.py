"""Which images tokens see by cross-attention, once an answer stands behind the prompt."""

from types import SimpleNamespace

import torch
from torch import nn

from studio.models.compat.cross_attention import _BlindTokens, correct_cross_attention, mask_of

IMAGE, TEXT = 9, 1


def test_the_answer_sees_what_the_end_of_its_prompt_sees():
    prompt = [TEXT, IMAGE, TEXT, IMAGE, TEXT]
    ids = torch.tensor([[*prompt, TEXT, TEXT]])
    mask = torch.zeros(1, 5, 2, 3)
    mask[0, 1:3, 0, :2] = 1  # the first image has two tiles, the second all three
    mask[0, 3:, 1] = 1
    whole = mask_of(ids, mask, IMAGE)
    assert whole.shape == (1, 7, 2, 3)
    assert torch.equal(whole[:, :5], mask)
    assert torch.equal(whole[0, 5], mask[0, 4]) and torch.equal(whole[0, 6], mask[0, 4])


def test_a_row_without_images_sees_none():
    mask = torch.zeros(2, 2, 1, 1)
    mask[1, 1] = 1
    whole = mask_of(torch.tensor([[TEXT] * 4, [TEXT, IMAGE, TEXT, TEXT]]), mask, IMAGE)
    assert whole[0].sum() == 0
    assert whole[1].flatten().tolist() == [0, 1, 1, 1]


class Attention(nn.Module):
    def forward(self, hidden):
        return hidden + 1, None


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.cross_attn = Attention()

    def forward(self, hidden, full_text_row_masked_out_mask=None):
        return self.cross_attn(hidden)[0]


def test_tokens_that_see_no_image_are_told_nothing():
    layer, hidden = Layer(), torch.zeros(1, 3, 2)
    _BlindTokens().watch(layer)
    seeing = torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 3, 1)
    assert layer(hidden, full_text_row_masked_out_mask=seeing)[0, :, 0].tolist() == [0, 1, 1]
    assert layer(hidden)[0, :, 0].tolist() == [1, 1, 1], "without a mask all see all"


def test_other_families_are_left_as_they_are():
    other = SimpleNamespace()
    correct_cross_attention(other)
    assert vars(other) == {}
