"""Counts the bytes of tensors without storage, as they would live and die on a real device."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from studio.core.temporary_attribute import swapped
from studio.models.compat.transformers_internals import masks_always_made
from studio.training.compat.torch_internals import (
    READS_A_VALUE,
    TorchDispatchMode,
    nothing_is_zero,
    storage_id,
    tree_iter,
    tree_map,
)

META = torch.device("meta")
ATTENTION = F.scaled_dot_product_attention
LINEAR, LAYER_NORM = F.linear, F.layer_norm
aten = torch.ops.aten
ONE_AT_A_TIME = threading.Lock()


class Meter(TorchDispatchMode):
    """Sums the storages of meta tensors made inside it.

    Inputs may lie on the CPU (token ids, image grids, pixels), so that code which reads their
    values works; an operation on both kinds of tensors is done on the meta device.

    Attributes:
        now: Bytes alive.
        peak: Most bytes alive at once.
    """

    def __init__(self, ignored: nn.Module) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: dict[int, int] = {}
        self._ignored = {
            storage_id(tensor.untyped_storage())
            for tensor in (*ignored.parameters(), *ignored.buffers())
            if tensor.is_meta
        }

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        kwargs = kwargs or {}
        if any(_is_meta(item) for item in tree_iter((args, kwargs))):
            if func is READS_A_VALUE:
                return args[0].dtype == torch.bool or 1
            if func is aten.equal.default:
                return True
            args, kwargs = tree_map(_without_storage, (args, kwargs))
        out = func(*args, **kwargs)
        for item in tree_iter(out):
            if _is_meta(item):
                self._count(item)
        return out

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage_id(storage)
        if key in self._alive or key in self._ignored:
            return
        self._alive[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.now -= self._alive.pop(key, 0)


def fused_attention(query, key, value, attn_mask=None, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Compute scaled dot-product attention, and keep what fused kernels keep of it.

    Saved for the backward pass: query, key, value, output, and the log of the softmax's sum
    (Dao et al. 2022, FlashAttention); a boolean mask is turned into an additive one first.
    """
    if query.is_meta:
        return _Attention.apply(query, key, value, attn_mask)
    return ATTENTION(query, key, value, attn_mask, *args, **kwargs)


@contextmanager
def padding_seen(mask: torch.Tensor) -> Iterator[None]:
    """Attention masks are made where rows are padded.

    Without values, a mask looks like one that hides nothing, and transformers leaves such out.
    """
    if mask.is_meta or bool(mask.all()):
        yield
        return
    with masks_always_made():
        yield


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, mask):
        out = query.new_empty((*query.shape[:-1], value.shape[-1]))
        kept = [query, key, value, out, query.new_empty(query.shape[:-1], dtype=torch.float32)]
        if mask is not None and mask.dtype == torch.bool:
            kept.append(query.new_empty(mask.shape))
        ctx.save_for_backward(*kept)
        return out

    @staticmethod
    def backward(ctx, gradient):
        query, key, value = ctx.saved_tensors[:3]
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), None


@contextmanager
def autocasting(dtype: torch.dtype, quantized: Iterable[nn.Module]) -> Iterator[None]:
    """What autocast and bitsandbytes make of the formats of meta tensors.

    Under autocast linear layers compute in `dtype` and layer norms give float32 (PyTorch,
    "Autocast Op Reference"); the layers of bitsandbytes give back the format they were given, so
    that float32 stays in the residual stream behind a layer norm.
    """

    def linear(x, weight, bias=None):
        if not x.is_meta:
            return LINEAR(x, weight, bias)
        return LINEAR(x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))

    def layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
        if not x.is_meta:
            return LAYER_NORM(x, shape, weight, bias, eps)
        scale, shift = (None if t is None else t.float() for t in (weight, bias))
        return LAYER_NORM(x.float(), shape, scale, shift, eps)

    def as_given(module, inputs, output):
        return output.to(inputs[0].dtype)

    with ExitStack() as stack:
        stack.enter_context(swapped(F, "linear", linear))
        stack.enter_context(swapped(F, "layer_norm", layer_norm))
        for module in quantized:
            stack.callback(module.register_forward_hook(as_given).remove)
        yield


@contextmanager
def metered(model: nn.Module) -> Iterator[Meter]:
    """Count what is made inside; the parameters of `model` are not.

    What is patched meanwhile belongs to the whole process, so one model is metered at a time.
    """
    autocast = torch.get_autocast_dtype
    enabled = torch.is_autocast_enabled
    with (
        ONE_AT_A_TIME,
        swapped(
            torch, "get_autocast_dtype", lambda kind: autocast("cpu" if kind == "meta" else kind)
        ),
        swapped(
            torch,
            "is_autocast_enabled",
            lambda kind="cpu": False if kind == "meta" else enabled(kind),
        ),
        nothing_is_zero(),
        Meter(model) as meter,
        swapped(F, "scaled_dot_product_attention", fused_attention),
    ):
        yield meter


def _is_meta(item: Any) -> bool:
    return isinstance(item, torch.Tensor) and item.is_meta


def _without_storage(item: Any) -> Any:
    if isinstance(item, torch.Tensor) and not item.is_meta:
        return torch.empty_strided(item.size(), item.stride(), dtype=item.dtype, device=META)
    return META if isinstance(item, torch.device) else item
