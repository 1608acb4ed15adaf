"""Softmax, log-softmax and log-sum-exp as PyTorch operators with derived gradients.

The functions follow `torch.softmax`, `torch.log_softmax` and `torch.logsumexp`, for float16, bfloat16,
float32 and float64 tensors of any shape, 0-d and empty ones included. float16 and bfloat16 tensors are
computed in float32 and rounded once at the end, values and gradients alike.

With p = softmax(x), y the output and dy its cotangent, the gradients are

    softmax       dx = p∘(dy − Σ p∘dy)
    log_softmax   dx = dy − exp(y) Σ dy
    logsumexp     dx = p·dy
"""

from collections.abc import Sequence
from typing import Any

import torch

from .autocast import raised
from .interpreter import interpret_without_cuda
from .operators import FLOATING, Gradients, Outputs, computed_in, differentiable, new_like, operator


def _normalized_dim(x: torch.Tensor, dim: int) -> int:
    rank = max(x.ndim, 1)
    if not -rank <= dim < rank:
        raise IndexError(f"dim {dim} is out of range for a tensor of shape {tuple(x.shape)}: [{-rank}, {rank - 1}]")
    return dim % rank


def _floating(x: torch.Tensor, dtype: torch.dtype | None, function: str) -> torch.Tensor:
    if dtype is None and function != "logsumexp":
        (x,) = raised(x)
    wanted = x.dtype if dtype is None else dtype
    if wanted not in FLOATING:
        raise TypeError(f"{function} supports float16, bfloat16, float32 and float64, not {wanted}")
    return x.to(wanted)


def _exact_as_floating(x: torch.Tensor) -> torch.Tensor:
    """The argument of a log-sum-exp: integers and booleans in the default dtype."""
    exact = not x.dtype.is_floating_point and not x.dtype.is_complex
    return _floating(x, torch.get_default_dtype() if exact else None, "logsumexp")


def _shift(x: torch.Tensor, dim: int) -> torch.Tensor:
    """The maximum along `dim`, kept as a dimension; 0 in place of an infinite one, as an identity shift."""
    maximum = x.amax(dim, keepdim=True)
    return maximum.masked_fill(maximum.isinf(), 0.0)


def _softmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    if x.numel() == 0:
        return new_like(x)
    e = torch.exp(x - x.amax(dim, keepdim=True))
    return (e / e.sum(dim, keepdim=True)).contiguous()


def _softmax_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    (dy,), (_, dim), (p,) = cotangents, arguments, outputs
    return p * (dy - (p * dy).sum(dim, keepdim=True)), None


def _log_softmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    if x.numel() == 0:
        return new_like(x)
    # The shift is subtracted first: x - (m + log Σ) would round away small logarithms beside a large maximum.
    shifted = x - x.amax(dim, keepdim=True)
    return (shifted - shifted.exp().sum(dim, keepdim=True).log()).contiguous()


def _log_softmax_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    (dy,), (_, dim), (y,) = cotangents, arguments, outputs
    return dy - y.exp() * dy.sum(dim, keepdim=True), None


def _logsumexp(x: torch.Tensor, dim: int, keepdim: bool) -> torch.Tensor:
    if x.numel() == 0:
        shape = list(x.shape)
        shape[dim : dim + 1] = [1] if keepdim else []
        return torch.full(shape, -torch.inf, dtype=x.dtype, device=x.device)
    shift = _shift(x, dim)
    y = (x - shift).exp().sum(dim, keepdim=True).log() + shift
    # A 0-d input has no dimension to drop.
    return (y if keepdim or x.ndim == 0 else y.squeeze(dim)).contiguous()


def _fake_logsumexp(x: torch.Tensor, dim: int, keepdim: bool) -> torch.Tensor:
    shape = list(x.shape)
    shape[dim : dim + 1] = [1] if keepdim and x.ndim else []
    return x.new_empty(shape)


def _logsumexp_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    (dy,), (x, dim, keepdim), (y,) = cotangents, arguments, outputs
    if not keepdim and x.ndim > 0:
        y, dy = y.unsqueeze(dim), dy.unsqueeze(dim)
    return (x - y).exp() * dy, None, None


_SOFTMAX = differentiable(
    "softmax",
    "(Tensor x, int dim) -> Tensor",
    _softmax,
    lambda x, dim: new_like(x),
    _softmax_gradient,
    keeps=(),
    keeps_outputs=True,
)
_LOG_SOFTMAX = differentiable(
    "log_softmax",
    "(Tensor x, int dim) -> Tensor",
    _log_softmax,
    lambda x, dim: new_like(x),
    _log_softmax_gradient,
    keeps=(),
    keeps_outputs=True,
)
_LOGSUMEXP = differentiable(
    "logsumexp",
    "(Tensor x, int dim, bool keepdim) -> Tensor",
    _logsumexp,
    _fake_logsumexp,
    _logsumexp_gradient,
    keeps_outputs=True,
)


# Triton kernels ------------------------------------------------------------------------------------------------------


def _again(x: torch.Tensor, dim: int) -> torch.Tensor:
    """The softmax in PyTorch operations, to be differentiated once more."""
    e = torch.exp(x - x.detach().amax(dim, keepdim=True)) if x.numel() else x
    return e / e.sum(dim, keepdim=True)


def _triton_softmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    from .triton_softmax import softmax_forward

    return softmax_forward(x, dim)


def _triton_softmax_backward(dy: torch.Tensor, x: torch.Tensor, dim: int) -> torch.Tensor:
    from .triton_softmax import softmax_backward

    return softmax_backward(dy, x, dim)


def _triton_log_softmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    from .triton_log_softmax import log_softmax_forward

    return log_softmax_forward(x, dim)


def _triton_log_softmax_backward(dy: torch.Tensor, x: torch.Tensor, dim: int) -> torch.Tensor:
    from .triton_log_softmax import log_softmax_backward

    return log_softmax_backward(dy, x, dim)


def _triton_logsumexp(x: torch.Tensor, dim: int) -> torch.Tensor:
    from .triton_log_softmax import logsumexp_forward

    return logsumexp_forward(x, dim)


def _triton_logsumexp_backward(dy: torch.Tensor, x: torch.Tensor, y: torch.Tensor, dim: int) -> torch.Tensor:
    from .triton_log_softmax import logsumexp_backward

    return logsumexp_backward(dy, x, y, dim)


def _fake_triton_logsumexp(x: torch.Tensor, dim: int) -> torch.Tensor:
    shape = (*x.shape[:dim], 1, *x.shape[dim + 1 :]) if x.ndim else ()
    return x.new_empty(shape, dtype=torch.promote_types(x.dtype, torch.float32))


_BACKWARD = "(Tensor dy, Tensor x, int dim) -> Tensor"
_TRITON_SOFTMAX_BACKWARD = operator(
    "triton_softmax_backward", _BACKWARD, _triton_softmax_backward, lambda dy, x, dim: new_like(x)
)
_TRITON_LOG_SOFTMAX_BACKWARD = operator(
    "triton_log_softmax_backward", _BACKWARD, _triton_log_softmax_backward, lambda dy, x, dim: new_like(x)
)
_TRITON_LOGSUMEXP_BACKWARD = operator(
    "triton_logsumexp_backward",
    "(Tensor dy, Tensor x, Tensor y, int dim) -> Tensor",
    _triton_logsumexp_backward,
    lambda dy, x, y, dim: new_like(x),
)


def _triton_softmax_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    (dy,), (x, dim) = cotangents, arguments
    if not torch.is_grad_enabled():
        return _TRITON_SOFTMAX_BACKWARD(dy, x, dim), None
    wide, down = computed_in(x, dy)
    dx, _ = _softmax_gradient((down,), (None, dim), (_again(wide, dim),), needed)
    return None if dx is None else dx.to(x.dtype), None


def _triton_log_softmax_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    (dy,), (x, dim) = cotangents, arguments
    if not torch.is_grad_enabled():
        return _TRITON_LOG_SOFTMAX_BACKWARD(dy, x, dim), None
    wide, down = computed_in(x, dy)
    return (down - _again(wide, dim) * down.sum(dim, keepdim=True)).to(x.dtype), None


def _triton_logsumexp_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    (dy,), (x, dim), (y,) = cotangents, arguments, outputs
    if not torch.is_grad_enabled():
        return _TRITON_LOGSUMEXP_BACKWARD(dy, x, y, dim), None
    return ((computed_in(x)[0] - y).exp() * dy).to(x.dtype), None


_TRITON_SOFTMAX = differentiable(
    "triton_softmax",
    "(Tensor x, int dim) -> Tensor",
    _triton_softmax,
    lambda x, dim: new_like(x),
    _triton_softmax_gradient,
)
_TRITON_LOG_SOFTMAX = differentiable(
    "triton_log_softmax",
    "(Tensor x, int dim) -> Tensor",
    _triton_log_softmax,
    lambda x, dim: new_like(x),
    _triton_log_softmax_gradient,
)
_TRITON_LOGSUMEXP = differentiable(
    "triton_logsumexp",
    "(Tensor x, int dim) -> Tensor",
    _triton_logsumexp,
    _fake_triton_logsumexp,
    _triton_logsumexp_gradient,
    keeps_outputs=True,
)

# Functions -----------------------------------------------------------------------------------------------------------


def softmax(input: torch.Tensor, dim: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """exp(x − max x) / Σ exp(x − max x) along `dim`, as `torch.softmax`.

    Args:
        input: any shape; any dtype if `dtype` is given, else float16, bfloat16, float32 or float64.
        dim: the dimension that sums to one; a 0-d tensor has dimension 0.
        dtype: converts `input` first, and is the dtype of the result.

    Returns:
        A contiguous tensor of the shape of `input`. A slice holding a NaN or +inf, or only -inf, gives NaN.

    Raises:
        IndexError: `dim` is out of range.
        TypeError: the dtype of the result would not be a supported one.
    """
    interpret_without_cuda()
    dim = _normalized_dim(input, dim)
    x = _floating(input, dtype, "softmax")
    y: torch.Tensor = _SOFTMAX(*computed_in(x), dim)
    return y.to(x.dtype)


def log_softmax(input: torch.Tensor, dim: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """x − max x − log Σ exp(x − max x) along `dim`, as `torch.log_softmax`.

    Args, result and errors are those of `softmax`.
    """
    interpret_without_cuda()
    dim = _normalized_dim(input, dim)
    x = _floating(input, dtype, "log_softmax")
    y: torch.Tensor = _LOG_SOFTMAX(*computed_in(x), dim)
    return y.to(x.dtype)


def logsumexp(input: torch.Tensor, dim: int, keepdim: bool = False) -> torch.Tensor:
    """log Σ exp(x) along `dim`, as `torch.logsumexp` with one dimension.

    Args:
        input: any shape; float16, bfloat16, float32 or float64, or integers and booleans, which are
            converted to the default dtype.
        dim: the dimension to sum over; a 0-d tensor has dimension 0.
        keepdim: keep `dim` with size 1.

    Returns:
        The shape of `input` without `dim`. An empty sum is -inf.

    Raises:
        IndexError: `dim` is out of range.
        TypeError: `input` has another dtype.
    """
    interpret_without_cuda()
    dim = _normalized_dim(input, dim)
    x = _exact_as_floating(input)
    y: torch.Tensor = _LOGSUMEXP(*computed_in(x), dim, keepdim)
    return y.to(x.dtype)


def triton_softmax(input: torch.Tensor, dim: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """`softmax` by fused Triton kernels, forward and backward.

    Each slice is read twice, whatever its length: the maximum and the normaliser are found together in one
    pass (Milakov & Gimelshein 2018, "Online normalizer calculation for softmax"). The backward pass
    computes p again from `input` in the same way, so nothing besides `input` is kept.

    Args and result are those of `softmax`. Without a CUDA device the kernels run in Triton's interpreter.

    Raises:
        IndexError: `dim` is out of range.
        TypeError: the dtype of the result would not be a supported one.
        RuntimeError: `input` is on the CPU and Triton was imported without TRITON_INTERPRET=1.
        NotImplementedError: bfloat16 in Triton's interpreter, which computes it wrongly.
    """
    interpret_without_cuda()
    dim = _normalized_dim(input, dim)
    y: torch.Tensor = _TRITON_SOFTMAX(_floating(input, dtype, "triton_softmax"), dim)
    return y


def triton_log_softmax(input: torch.Tensor, dim: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """`log_softmax` by fused Triton kernels; what is said of `triton_softmax` holds for it, too."""
    interpret_without_cuda()
    dim = _normalized_dim(input, dim)
    y: torch.Tensor = _TRITON_LOG_SOFTMAX(_floating(input, dtype, "triton_log_softmax"), dim)
    return y


def triton_logsumexp(input: torch.Tensor, dim: int, keepdim: bool = False) -> torch.Tensor:
    """`logsumexp` by fused Triton kernels, which keep `input` and the result.

    Args and result are those of `logsumexp`, errors those of `triton_softmax`.
    """
    interpret_without_cuda()
    dim = _normalized_dim(input, dim)
    x = _exact_as_floating(input)
    y: torch.Tensor = _TRITON_LOGSUMEXP(x, dim).to(x.dtype)
    return y if keepdim or input.ndim == 0 else y.squeeze(dim)
