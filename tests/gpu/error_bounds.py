"""Bounds on the rounding error of softmax and attention, to first order, doubled.

Each is k·u·(natural magnitude): u is the unit roundoff, k counts the roundings on a path through the formula
(n for a sum of n terms in any order), and the magnitude is the formula with absolute values, which is
what rounding errors are relative to where the terms cancel. Quantities are computed in float64 from
the inputs as given; the factor two covers second-order terms. A small absolute term covers underflow.
"""

from typing import NamedTuple

import torch

# Half the spacing of numbers in [1, 2).
UNIT = {
    torch.float16: 2.0**-11,
    torch.bfloat16: 2.0**-8,
    torch.float32: 2.0**-24,
    torch.float64: 2.0**-53,
}
# Roundings in exp, log, a division and the operations around them: each is within 2 units of u, 5 in all.
STEPS = 10


def compute_unit(dtype: torch.dtype) -> float:
    return UNIT[torch.float64 if dtype is torch.float64 else torch.float32]


def _tiny(dtype: torch.dtype) -> float:
    """Below it a number may be rounded to zero: the smallest normal one, as subnormals may be flushed."""
    return torch.finfo(torch.float32 if dtype is torch.bfloat16 else dtype).tiny


def assert_within(actual: torch.Tensor, expected: torch.Tensor, bound: torch.Tensor, name: str) -> None:
    """|actual − expected| ≤ bound everywhere, with equal shapes and infinities, and no NaN."""
    assert actual.shape == expected.shape, name
    if not actual.numel():
        return
    error = (actual.double() - expected).abs().masked_fill(actual.double() == expected, 0.0)
    ratio = error / bound.clamp_min(1e-300)
    assert bool((ratio <= 1).all()), f"{name}: {ratio.max().item():.3g} times the bound, {error.max().item():.3g}"


def softmax_bounds(x: torch.Tensor, dy: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bounds for p = softmax(x) and for dx = p∘(dy − Σ p∘dy)."""
    u, n = compute_unit(x.dtype), x.shape[dim] if x.ndim else 1
    out = UNIT[x.dtype] if x.dtype in (torch.float16, torch.bfloat16) else 0.0
    X, dY = x.double(), dy.double()
    p = torch.softmax(X, dim)
    # exp(x − m) is wrong by the rounding of x − m; the normaliser by the mean of that, and a sum's roundings.
    exponent = (X - X.amax(dim, keepdim=True)).abs() if X.numel() else X
    relative = u * (exponent + (p * exponent).sum(dim, keepdim=True) + n + STEPS)
    mean = (p * dY.abs()).sum(dim, keepdim=True)
    gradient = 2 * relative * p * (dY.abs() + mean)
    gradient = gradient + 2 * p * (relative * p * dY.abs()).sum(dim, keepdim=True)
    dx = p * (dY - (p * dY).sum(dim, keepdim=True))
    floor = _tiny(x.dtype)
    return 2 * (relative + out) * p + floor, 2 * gradient + 2 * out * dx.abs() + floor * (1 + dY.abs() + mean)


def _normalizer(x: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """m + log Σ exp(x − m), kept as a dimension; p; and the error of the logarithm in units of u."""
    lse = torch.logsumexp(x, dim, keepdim=True)
    p = torch.exp(x - lse)
    exponent = (x - x.amax(dim, keepdim=True)).abs() if x.numel() else x
    n = x.shape[dim] if x.ndim else 1
    return lse, p, (p * exponent).sum(dim, keepdim=True) + exponent + n + STEPS


def log_softmax_bounds(x: torch.Tensor, dy: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bounds for y = log softmax(x) and for dx = dy − exp(y) Σ dy."""
    u, n = compute_unit(x.dtype), x.shape[dim] if x.ndim else 1
    out = UNIT[x.dtype] if x.dtype in (torch.float16, torch.bfloat16) else 0.0
    X, dY = x.double(), dy.double()
    lse, p, error = _normalizer(X, dim)
    y = X - lse
    error = u * (error + 2 * y.abs())
    total = dY.abs().sum(dim, keepdim=True)
    gradient = p * (error + u * (n + STEPS)) * total + 2 * u * (dY.abs() + p * total)
    dx = dY - p * dY.sum(dim, keepdim=True)
    floor = _tiny(x.dtype)
    return 2 * (error + out * y.abs()) + floor, 2 * (gradient + out * dx.abs()) + floor * (1 + total)


def logsumexp_bounds(x: torch.Tensor, dy: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bounds, with `dim` kept, for y = log Σ exp(x) and for dx = exp(x − y)·dy; `dy` has `dim` kept."""
    u = compute_unit(x.dtype)
    out = UNIT[x.dtype] if x.dtype in (torch.float16, torch.bfloat16) else 0.0
    X, dY = x.double(), dy.double().abs()
    y, p, error = _normalizer(X, dim)
    if not X.numel():
        return torch.zeros_like(y), torch.zeros_like(X)
    maximum = X.amax(dim, keepdim=True).abs()
    error = u * (error.amin(dim, keepdim=True) + 2 * maximum + 2 * y.abs())
    gradient = p * (error + u * ((X - y).abs() + STEPS) + out) * dY
    floor = _tiny(x.dtype)
    return 2 * (error + out * y.abs()) + floor, 2 * gradient + floor * (1 + dY)


class Attention(NamedTuple):
    """The output, lse and gradients of attention, or their error bounds."""

    output: torch.Tensor
    lse: torch.Tensor
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    scores: torch.Tensor


def attention_bounds(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor,
    d_output: torch.Tensor,
    d_lse: torch.Tensor,
    scale: float,
    weight_unit: float = 0.0,
    stored_output_unit: float = 0.0,
) -> tuple[Attention, Attention]:
    """Exact results in float64 and their error bounds, for (B, Hq, Sq, D), (B, Hkv, Sk, D), (B, Hkv, Sk, Dv).

    `bias` (B, Hq, Sq, Sk) is added to the scores and -inf where masked out. `weight_unit` is the roundoff
    of p and ds before they are multiplied, `stored_output_unit` that of the output the gradient uses.
    """
    u = compute_unit(query.dtype)
    out = UNIT[query.dtype] if query.dtype in (torch.float16, torch.bfloat16) else 0.0
    floor = _tiny(query.dtype)
    group = query.shape[1] // key.shape[1]
    Q, K, V = query.double(), key.double(), value.double()
    K, V = K.repeat_interleave(group, 1), V.repeat_interleave(group, 1)
    dO, dL = d_output.double(), d_lse.double()
    D, Dv, Sq, Sk = Q.shape[3], V.shape[3], Q.shape[2], K.shape[2]

    def summed(x: torch.Tensor) -> torch.Tensor:
        return x.reshape(key.shape[0], key.shape[1], group, x.shape[2], x.shape[3]).sum(2)

    s = scale * Q @ K.mT + bias.double()
    seen = s > -torch.inf
    lse = torch.logsumexp(s, -1)
    log_total = lse.masked_fill(lse == -torch.inf, 0.0)[..., None]
    p = torch.exp(s - log_total)
    o = p @ V
    dp = dO @ V.mT
    row = ((dO * o).sum(-1) - dL)[..., None]
    ds = p * (dp - row)
    exact = Attention(o, lse, scale * ds @ K, summed(scale * ds.mT @ Q), summed(p.mT @ dO), ds)

    # Scores: D products, the scale and the bias; then s − m and s − lse, each rounded once.
    magnitude = abs(scale) * Q.abs() @ K.abs().mT
    error_s = u * ((D + 4) * magnitude + 2 * bias.double().abs() + 2 * s.abs() + 2 * log_total.abs())
    error_s = error_s.masked_fill(~seen, 0.0)
    mean_error = (p * error_s).sum(-1, keepdim=True)
    relative_p = error_s + mean_error + u * (Sk + STEPS + log_total.abs())
    p_v = p @ V.abs()
    error_o = (p * (relative_p + weight_unit)) @ V.abs() + u * (Sk + STEPS) * p_v + out * o.abs()
    error_o = error_o + floor * (1 + V.abs().sum(2, keepdim=True))
    error_lse = mean_error[..., 0] + u * (Sk + STEPS + 2 * log_total[..., 0].abs())

    dp_magnitude = dO.abs() @ V.abs().mT
    row_magnitude = ((dO.abs() * p_v).sum(-1) + dL.abs())[..., None]
    error_row = (dO.abs() * (error_o + (stored_output_unit + u * (Dv + 2)) * p_v)).sum(-1)[..., None]
    error_row = error_row + 2 * u * dL.abs()[..., None]
    error_dp = u * (Dv + 2) * dp_magnitude
    ds_magnitude = p * (dp_magnitude + row_magnitude)
    error_ds = relative_p * p * ((dp - row).abs()) + p * (error_dp + error_row) + 3 * u * ds_magnitude
    error_ds = error_ds + weight_unit * ds.abs() + floor * (dp_magnitude + row_magnitude)
    error_ds = error_ds.masked_fill(~seen, 0.0)
    terms = u * (Sk + STEPS) * ds.abs()
    error_q = abs(scale) * (error_ds + terms) @ K.abs() + out * exact.query.abs()
    terms = u * (group * Sq + STEPS) * ds.abs()
    error_k = summed(abs(scale) * (error_ds + terms).mT @ Q.abs()) + out * exact.key.abs()
    error_p = p * (relative_p + weight_unit + u * (group * Sq + STEPS)) + floor * seen
    error_v = summed(error_p.mT @ dO.abs()) + out * exact.value.abs()
    errors = (error_o, error_lse, error_q, error_k, error_v, error_ds + out * ds.abs())
    return exact, Attention(*(2 * error + floor for error in errors))
