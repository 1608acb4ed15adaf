"""Layer norm and root-mean-square norm, alone and after a residual sum, as PyTorch operators with derived gradients.

Over the d features of a row, with rstd = 1/√(var + ε) and x̂ = (x − mean)·rstd, y = weight·x̂ + bias,

    dx̂ = dy·weight        dx = rstd·(dx̂ − Σ dx̂/d − x̂·Σ x̂·dx̂/d)        dweight = Σ_rows dy·x̂        dbias = Σ_rows dy

(Ba, Kiros & Hinton 2016, (4)); the root-mean-square norm (Zhang & Sennrich 2019, (4)) has neither mean nor bias: var is
Σ x²/d, and Σ dx̂/d is left out. After a residual sum s = x + r the gradient of x and of r is that of s: the norm's, and
the cotangent of s itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .interpreter import interpret_without_cuda
from .operators import Gradients, Outputs, check_floating, computed_in, differentiable, last_axes, new_like


def _normalised(x: torch.Tensor, eps: float, centred: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """x̂ and rstd."""
    if centred:
        x = x - x.mean(-1, keepdim=True)
    rstd = 1 / (x.square().mean(-1, keepdim=True) + eps).sqrt()
    return x * rstd, rstd


def _norm(
    x: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None, eps: float, centred: bool
) -> torch.Tensor:
    y, _ = _normalised(x, eps, centred)
    if weight is not None:
        y = y * weight
    return (y if bias is None else y + bias).contiguous()


def _gradients(
    dy: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor | None,
    eps: float,
    centred: bool,
    needed: Sequence[bool],
) -> Gradients:
    """Those of x, weight and bias that are needed."""
    dx = dweight = None
    if needed[0] or needed[1]:
        xhat, rstd = _normalised(x, eps, centred)
        if needed[0]:
            dxhat = dy if weight is None else dy * weight
            rest = dxhat - xhat * (xhat * dxhat).mean(-1, keepdim=True)
            dx = rstd * (rest - dxhat.mean(-1, keepdim=True) if centred else rest)
        if needed[1]:
            dweight = (dy * xhat).sum(last_axes(dy, 1)) if dy.ndim > 1 else dy * xhat
    dbias = (dy.sum(last_axes(dy, 1)) if dy.ndim > 1 else dy) if needed[2] else None
    return dx, dweight, dbias


def _norm_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    x, weight, _, eps, centred = arguments
    return *_gradients(cotangents[0], x, weight, eps, centred, needed), None, None


def _add_norm(
    x: torch.Tensor,
    r: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    eps: float,
    centred: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    s = (x + r).contiguous()
    return s, _norm(s, weight, bias, eps, centred)


def _add_norm_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    ds, dy = cotangents
    x, r, weight, _, eps, centred = arguments
    reached = needed[0] or needed[1]
    dx, dweight, dbias = _gradients(dy, x + r, weight, eps, centred, (reached, *needed[2:4]))
    if dx is not None:
        dx = ds + dx
    return dx if needed[0] else None, dx if needed[1] else None, dweight, dbias, None, None


_NORM = differentiable(
    "norm",
    "(Tensor x, Tensor? weight, Tensor? bias, float eps, bool centred) -> Tensor",
    _norm,
    lambda x, weight, bias, eps, centred: new_like(x),
    _norm_gradient,
)
_ADD_NORM = differentiable(
    "add_norm",
    "(Tensor x, Tensor r, Tensor? weight, Tensor? bias, float eps, bool centred) -> (Tensor, Tensor)",
    _add_norm,
    lambda x, r, weight, bias, eps, centred: (new_like(x), new_like(x)),
    _add_norm_gradient,
)


def _check(function: str, x: torch.Tensor, shape: tuple[int, ...], *parameters: torch.Tensor | None) -> None:
    check_floating(function, x, *parameters)
    if not shape or tuple(x.shape[-len(shape) :]) != shape:
        raise ValueError(f"{function} got normalized_shape={shape}: an input of {tuple(x.shape)} does not end in it")
    for parameter in parameters:
        if parameter is not None and tuple(parameter.shape) != shape:
            raise ValueError(f"{function} got a parameter of shape {tuple(parameter.shape)} instead of {shape}")


def _rows(x: torch.Tensor, normalized_shape: tuple[int, ...]) -> torch.Tensor:
    """`x` with the axes that are normalised together as one."""
    return x.flatten(-len(normalized_shape)) if len(normalized_shape) > 1 else x


def _over(
    x: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    eps: float,
    centred: bool,
) -> torch.Tensor:
    wide, scale, shift = computed_in(x, weight, bias)
    shape = tuple(normalized_shape)
    flat = None if scale is None else scale.flatten(), None if shift is None else shift.flatten()
    y: torch.Tensor = _NORM(_rows(wide, shape), *flat, eps, centred)
    return y.reshape(x.shape).to(x.dtype)


def _epsilon(eps: float | None, dtype: torch.dtype) -> float:
    return torch.finfo(torch.promote_types(dtype, torch.float32)).eps if eps is None else eps


def layer_norm(
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    """(x − mean)/√(var + eps)·weight + bias over the last axes, as `torch.nn.functional.layer_norm`.

    Args:
        input: (..., *normalized_shape); float16, bfloat16, float32 or float64.
        normalized_shape: the sizes of the axes that are normalised together.
        weight, bias: of shape `normalized_shape`, in the input's dtype.
        eps: added to the variance, which is divided by the number of features.

    Returns:
        A contiguous tensor of the shape and dtype of `input`.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: `normalized_shape` is not how the shape of `input` ends, or not the shape of a parameter.
    """
    interpret_without_cuda()
    _check("layer_norm", input, tuple(normalized_shape), weight, bias)
    return _over(input, normalized_shape, weight, bias, eps, True)


def rms_norm(
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    eps: float | None = None,
) -> torch.Tensor:
    """x/√(mean x² + eps)·weight over the last axes, as `torch.nn.functional.rms_norm`.

    Arguments, result and errors are those of `layer_norm`; without `eps` it is the machine epsilon of what the mean is
    computed in.
    """
    interpret_without_cuda()
    _check("rms_norm", input, tuple(normalized_shape), weight)
    return _over(input, normalized_shape, weight, None, _epsilon(eps, input.dtype), False)


def _add(
    function: str,
    x: torch.Tensor,
    r: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    eps: float,
    centred: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    interpret_without_cuda()
    check_floating(function, x, r)
    if x.shape != r.shape:
        raise ValueError(f"{function} got x of {tuple(x.shape)} and r of {tuple(r.shape)}: they are one shape")
    _check(function, x, tuple(x.shape[-1:]), weight, bias)
    s, y = _ADD_NORM(*computed_in(x, r, weight, bias), eps, centred)
    return s.to(x.dtype), y.to(x.dtype)


def add_layer_norm(
    x: torch.Tensor,
    r: torch.Tensor,
    *,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> tuple[torch.Tensor, torch.Tensor]:
    """x + r, and its layer norm over the last axis, which is that of the sum before it is rounded.

    Args:
        x, r: (..., d); float16, bfloat16, float32 or float64.
        weight, bias: (d,), in the same dtype.
        eps: added to the variance.

    Returns:
        The sum and its norm, contiguous, of the shape and dtype of `x`.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: shapes do not fit.
    """
    return _add("add_layer_norm", x, r, weight, bias, eps, True)


def add_rms_norm(
    x: torch.Tensor, r: torch.Tensor, *, weight: torch.Tensor | None = None, eps: float = 2.0**-52
) -> tuple[torch.Tensor, torch.Tensor]:
    """x + r, and its root-mean-square norm over the last axis.

    Arguments, results and errors are those of `add_layer_norm`.
    """
    return _add("add_rms_norm", x, r, weight, None, eps, False)
