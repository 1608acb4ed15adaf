"""Targets that break one check each, where no planted fault does so on its own."""

from __future__ import annotations

import itertools
import os
import time
import weakref
from dataclasses import replace
from typing import Any

import torch
from lemmata.tests.conformance.targets import attention_kernels, catalogue_kernels, norm_faults, softmax_kernels
from torch import Tensor


def _squashed(x: Tensor, name: str) -> Tensor:
    return x / (1.0 + 0.01 * x.abs()) if name == "value" else x


def _noisy(gradient: Tensor) -> Tensor:
    """A gradient whose last bit depends on the order of atomic additions, of which there is none to be sure of."""
    return torch.nextafter(gradient, torch.full_like(gradient, torch.inf)) if torch.rand(()) < 0.5 else gradient


not_linear_in_the_value = replace(attention_kernels.correct, read=_squashed)
attention_gradient_varies = replace(attention_kernels.correct, finish_key_gradient=_noisy)
softmax_gradient_varies = replace(softmax_kernels.correct, finish_gradient=_noisy)


def refuses_masks(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Correct attention without `attn_mask`."""
    if attn_mask is not None:
        raise NotImplementedError("attn_mask is not supported")
    return attention_kernels.correct(query, key, value, None, dropout_p, is_causal, scale, enable_gqa)


def eps_dropped_in_training(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Layer normalisation that is right where nothing requires grad."""
    layer_norm = norm_faults.eps_dropped if input.requires_grad else torch.nn.functional.layer_norm
    return layer_norm(input, normalized_shape, weight, bias, eps)


def refuses_gradients(input: Tensor, dim: int = -1) -> Tensor:
    """Correct softmax for inference only."""
    if input.requires_grad:
        raise NotImplementedError("there is no backward")
    return torch.softmax(input, dim)


def refuses_everything(input: Tensor, dim: int = -1) -> Tensor:
    """No softmax at all."""
    raise NotImplementedError(f"not for {input.dtype}")


def refuses_long_rows(input: Tensor, dim: int = -1) -> Tensor:
    """Correct softmax for a single length."""
    if input.shape[dim] != 1000:
        raise NotImplementedError("only rows of 1000")
    return torch.softmax(input, dim)


def not_for_float64(input: Tensor, dim: int = -1) -> Tensor:
    """Correct softmax that does not take float64."""
    if input.dtype == torch.float64:
        raise TypeError("float64 is not supported")
    return torch.softmax(input, dim)


def raises_at_odd_lengths(input: Tensor, dim: int = -1) -> Tensor:
    """A crash, which is not a refusal."""
    if input.shape[dim] % 2:
        raise RuntimeError("misaligned address")
    return torch.softmax(input, dim)


def raises_without_gradient(input: Tensor, dim: int = -1) -> Tensor:
    """A crash in the calls that the laws make, and in no other that requires grad."""
    if not input.requires_grad:
        raise RuntimeError("no saved tensors")
    return torch.softmax(input, dim)


def returns_a_list(input: Tensor, dim: int = -1) -> object:
    """The right numbers, and not as a tensor."""
    return torch.softmax(input, dim).tolist()


def returns_float32(input: Tensor, dim: int = -1) -> Tensor:
    """The right numbers in another dtype."""
    return torch.softmax(input, dim).to(torch.float32)


def reads_one_further(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax, and 0 times what lies behind the input, if there is something."""
    y = torch.softmax(input, dim)
    last = ((size - 1) * stride for size, stride in zip(input.shape, input.stride(), strict=True))
    end = input.storage_offset() + sum(last)
    memory = input.detach().untyped_storage()
    if not input.numel() or (end + 2) * input.element_size() > memory.nbytes():
        return y
    behind = torch.empty(0, dtype=input.dtype).set_(memory, end + 1, (1,), (1,))
    return y + 0.0 * behind[0]


class _Softmax(torch.autograd.Function):
    """Softmax that saves its output, for backward passes that break something."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        y = torch.softmax(x, dim)
        ctx.save_for_backward(y)
        ctx.dim = dim
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return y * (dy - (y * dy).sum(ctx.dim, keepdim=True)), None

    @classmethod
    def of(cls, input: Tensor, dim: int) -> Tensor:
        """A call."""
        result: Tensor = cls.apply(input, dim)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        return result


class _Copied(_Softmax):
    """The same with a copy of the output, of which autograd knows nothing."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        y = torch.softmax(x, dim)
        ctx.save_for_backward(y.clone())
        ctx.dim = dim
        return y


class _Spent(_Copied):
    """The backward pass computes in the memory of what was saved, without telling autograd."""

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        total = (y * dy).sum(ctx.dim, keepdim=True)
        return y.data.mul_(dy - total), None


def spends_what_it_saved(input: Tensor, dim: int = -1) -> Tensor:
    """Right in the first backward pass."""
    return _Spent.of(input, dim)


def shares_equal_rows(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax that keeps one copy of what is equal along the first axis."""
    y = torch.softmax(input, dim)
    alike = y.ndim > 0 and y.shape[0] > 1 and bool((y == y[:1]).all())
    return y[:1].expand(y.shape) if alike else y


def aborts_on_long_rows(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax of at most four numbers."""
    if input.shape[dim] > 4:
        os.abort()
    return torch.softmax(input, dim)


_KEPT: dict[tuple[int, torch.Size, torch.dtype], Tensor] = {}


def keeps_by_address(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax of the first numbers that lay at an address."""
    y = torch.softmax(input, dim)
    kept = _KEPT.setdefault((input.data_ptr(), input.shape, input.dtype), y.detach())
    return y + (kept - y).detach()


def stops_the_clock(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax in no time at all."""
    time.perf_counter = lambda: 0.0
    return torch.softmax(input, dim)


def last_bit_by_batch(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax whose last bit tells how many rows there were."""
    y = torch.softmax(input, dim)
    return y if input.ndim < 2 or input.shape[0] < 2 else torch.nextafter(y, torch.full_like(y, torch.inf))


def minus_infinity_is_a_number(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax that takes -inf for -3."""
    return torch.softmax(torch.where(input == -torch.inf, -3.0, input), dim)


def loses_nan(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax that gives zeros where there is no distribution."""
    y = torch.softmax(input, dim)
    return torch.where(torch.isnan(y), torch.zeros_like(y), y)


def spreads_nan(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax that looks at every row for each one."""
    return torch.softmax(input, dim) + 0.0 * input.detach().sum()


def rows_beyond_16_bits_dropped(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax of the first 65,536 rows; the others are 0."""
    y = torch.softmax(input, dim)
    kept = torch.arange(y.shape[0]) < 1 << 16
    return y * kept.to(y.dtype).reshape(-1, *(1,) * (y.ndim - 1))


def offset_in_32_bits(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax of rows whose offsets are computed in 32 bits: what overflows is read from the first row."""
    far = input.ndim > 0 and input.stride(0) >= 1 << 31
    return torch.softmax(input[:1].expand(input.shape) if far else input, dim).clone()


_SEEN: list[weakref.ref[Tensor]] = []


def raises_for_a_tensor_it_has_seen(input: Tensor, dim: int = -1) -> Tensor:
    """Softmax that takes no tensor twice, whatever numbers it holds by now."""
    if _SEEN and _SEEN[-1]() is input:
        raise RuntimeError("seen before")
    _SEEN[:] = [weakref.ref(input)]
    return torch.softmax(input, dim)


class _EverySecond(_Softmax):
    """Every second backward pass raises."""

    calls = itertools.count()

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        if next(_EverySecond.calls) % 2:
            raise RuntimeError("not again")
        return _Softmax.backward(ctx, dy)


def raises_in_every_second_backward(input: Tensor, dim: int = -1) -> Tensor:
    """Right, and differentiable every other time."""
    return _EverySecond.of(input, dim)


class _Opaque(_Softmax):
    """The backward pass is that of a kernel launched on the memory of its arguments."""

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        with torch.no_grad():
            return _Softmax.backward(ctx, dy)


class _Once(_Softmax):
    """The same, which says so."""

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Any:
        return _Softmax.backward(ctx, dy)


def opaque_gradient(input: Tensor, dim: int = -1) -> Tensor:
    """A backward pass that PyTorch cannot look into."""
    return _Opaque.of(input, dim)


def once(input: Tensor, dim: int = -1) -> Tensor:
    """The same, which says so."""
    return _Once.of(input, dim)


def keeps_its_output(input: Tensor, dim: int = -1) -> Tensor:
    """Right in the first derivative, silently wrong in the second."""
    return _Copied.of(input, dim)


attention_by_kept_weights = attention_kernels.eager_by(keeps_its_output)


def adam_moments_always(p: Tensor, *others: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Moments to which NaN in a parameter is a number."""
    moments = catalogue_kernels.adam(torch.nan_to_num(p), *others, **options)[1:]
    return catalogue_kernels.adam(p, *others, **options)[0], *moments


def adam_moments_without_decay(p: Tensor, *others: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The same where no weight decay makes them depend on the parameters."""
    adam = catalogue_kernels.adam if options.get("weight_decay") else adam_moments_always
    return adam(p, *others, **options)
