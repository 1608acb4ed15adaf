"""Reference implementation of softmax, log_softmax, logsumexp.

GENERATED from derivations/softmax.py by `lemmata generate softmax`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard
Format = tuple[int, int, float]  # significand bits, exponent of the least normal number, largest number


def softmax(x: Array) -> Array:
    """A row of logits as a probability distribution.

    Args:
        x: logits `[..., n]`.

    Returns:
        p: probabilities `[..., n]`.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # p[i] = a[i]/z  (S3)
    p = a / z[..., None]
    return p


def softmax_vjp(x: Array, dp: Array) -> Array:
    """Vector-Jacobian product: cotangents of the outputs to gradients of the inputs.

    Args:
        x: logits `[..., n]`.
        dp: cotangent of p, of its shape.

    Returns:
        dx: gradient of x, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # p[i] = a[i]/z  (S3)
    p = a / z[..., None]
    # delta = Σ_j dp[j]·p[j]
    delta = xp.sum(dp * p, axis=-1)
    # dx[i] = p[i]·(dp[i] − delta)
    dx = p * (dp - delta[..., None])
    return dx


def softmax_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args:
        x: logits `[..., n]`.
        tx: tangent of x, of its shape.

    Returns:
        tp: tangent of p, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # p[i] = a[i]/z  (S3)
    p = a / z[..., None]
    # delta = Σ_j tx[j]·p[j]
    delta = xp.sum(tx * p, axis=-1)
    # tp[i] = p[i]·(tx[i] − delta)
    tp = p * (tx - delta[..., None])
    return tp


@np.errstate(all="ignore")
def softmax_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `softmax`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, p).

    Returns:
        absolute errors of p, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = u * abs(a_1)
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + x.shape[-1] * u_sum * xp.sum(abs(a), axis=-1)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[i] = a[i]/z
    p = a / z[..., None]
    p_err = _quotient_error(p, a_err, z[..., None], z_err[..., None]) + u * abs(p) + tiny
    p_err = _output(p, p_err, precision.get("p", precision["compute"]))
    p_err = xp.where(p_err < xp.inf, xp.minimum(p_err, 1 + u), xp.inf)
    return p_err


@np.errstate(all="ignore")
def softmax_vjp_bound(x: Array, dp: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `softmax_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, p, delta, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = u * abs(a_1)
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + x.shape[-1] * u_sum * xp.sum(abs(a), axis=-1)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[i] = a[i]/z
    p = a / z[..., None]
    p_err = _quotient_error(p, a_err, z[..., None], z_err[..., None]) + u * abs(p) + tiny
    p_err = _checked(p, p_err, precision["compute"])
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"])
    p_err = xp.where(p_err < xp.inf, xp.minimum(p_err, 1 + u), xp.inf)
    # delta = Σ_j dp[j]·p[j]
    delta_1 = dp * p
    delta_1_err = _product_error(dp, None, p, p_err) + u * abs(delta_1) + tiny
    delta = xp.sum(delta_1, axis=-1)
    delta_err = xp.sum(delta_1_err, axis=-1) + x.shape[-1] * u_sum * xp.sum(abs(delta_1), axis=-1)
    delta_err = _checked(delta, delta_err, precision["compute"])
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"])
    # dx[i] = p[i]·(dp[i] − delta)
    dx_1 = dp - delta[..., None]
    dx_1_err = delta_err[..., None] + u * abs(dx_1)
    dx = p * dx_1
    dx_err = _product_error(p, p_err, dx_1, dx_1_err) + u * abs(dx) + tiny
    dx_err = _output(dx, dx_err, precision.get("dx", precision["compute"]))
    return dx_err


def log_softmax(x: Array) -> Array:
    """Logarithms of the probabilities, without forming them.

    Args:
        x: logits `[..., n]`.

    Returns:
        y: log-probabilities `[..., n]`.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # y[i] = (x[i] − m) − log(z)
    y = x - m[..., None] - xp.log(z)[..., None]
    return y


def log_softmax_vjp(x: Array, dy: Array) -> Array:
    """Vector-Jacobian product: cotangents of the outputs to gradients of the inputs.

    Args:
        x: logits `[..., n]`.
        dy: cotangent of y, of its shape.

    Returns:
        dx: gradient of x, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # dz = -(Σ_j dy[j])/z
    dz = -1 * xp.sum(dy, axis=-1) / z
    # dx[i] = dy[i] + dz·a[i]
    dx = dy + dz[..., None] * a
    return dx


def log_softmax_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args:
        x: logits `[..., n]`.
        tx: tangent of x, of its shape.

    Returns:
        ty: tangent of y, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # delta = (Σ_j tx[j]·a[j])/z
    delta = xp.sum(tx * a, axis=-1) / z
    # ty[i] = tx[i] − delta
    ty = tx - delta[..., None]
    return ty


@np.errstate(all="ignore")
def log_softmax_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `log_softmax`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = u * abs(a_1)
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + x.shape[-1] * u_sum * xp.sum(abs(a), axis=-1)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # y[i] = (x[i] − m) − log(z)
    y_1 = x - m[..., None]
    y_1_err = u * abs(y_1)
    y_2 = xp.log(z)
    y_2_err = _log_error(z, z_err) + 4 * u * xp.where(y_2 > -xp.inf, abs(y_2), 0.0)
    y = y_1 - y_2[..., None]
    y_err = y_1_err + y_2_err[..., None] + u * abs(y)
    y_err = _output(y, y_err, precision.get("y", precision["compute"]))
    return y_err


@np.errstate(all="ignore")
def log_softmax_vjp_bound(x: Array, dy: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `log_softmax_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, dz, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = u * abs(a_1)
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + x.shape[-1] * u_sum * xp.sum(abs(a), axis=-1)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # dz = -(Σ_j dy[j])/z
    dz_1 = -1 / z
    dz_1_err = _quotient_error(dz_1, None, z, z_err) + u * abs(dz_1) + tiny
    dz_2 = xp.sum(dy, axis=-1)
    dz_2_err = x.shape[-1] * u_sum * xp.sum(abs(dy), axis=-1)
    dz = dz_1 * dz_2
    dz_err = _product_error(dz_1, dz_1_err, dz_2, dz_2_err) + u * abs(dz) + tiny
    dz_err = _checked(dz, dz_err, precision["compute"])
    if "dz" in precision:
        dz_err = _stored(dz, dz_err, precision["dz"])
    # dx[i] = dy[i] + dz·a[i]
    dx_1 = dz[..., None] * a
    dx_1_err = _product_error(dz[..., None], dz_err[..., None], a, a_err) + u * abs(dx_1) + tiny
    dx = dy + dx_1
    dx_err = dx_1_err + u * abs(dx)
    dx_err = _output(dx, dx_err, precision.get("dx", precision["compute"]))
    return dx_err


def logsumexp(x: Array) -> Array:
    """The logarithm of a sum of exponentials, whose gradient is softmax.

    Args:
        x: logits `[..., n]`.

    Returns:
        lse: log of the sum of exponentials `[...]`.

    Conventions:
        empty row: a row that is −∞ throughout gives −∞.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # lse = m + log(z)
    lse = m + xp.log(z)
    return lse


def logsumexp_vjp(x: Array, dlse: Array) -> Array:
    """Vector-Jacobian product: cotangents of the outputs to gradients of the inputs.

    Args:
        x: logits `[..., n]`.
        dlse: cotangent of lse, of its shape.

    Returns:
        dx: gradient of x, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives −∞.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # dz = dlse/z
    dz = dlse / z
    # dx[i] = dz·a[i]
    dx = dz[..., None] * a
    return dx


def logsumexp_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args:
        x: logits `[..., n]`.
        tx: tangent of x, of its shape.

    Returns:
        tlse: tangent of lse, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives −∞.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = xp.exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # tlse = (Σ_j tx[j]·a[j])/z
    tlse = xp.sum(tx * a, axis=-1) / z
    return tlse


@np.errstate(all="ignore")
def logsumexp_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `logsumexp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse).

    Returns:
        absolute errors of lse, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = u * abs(a_1)
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + x.shape[-1] * u_sum * xp.sum(abs(a), axis=-1)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # lse = m + log(z)
    lse_1 = xp.log(z)
    lse_1_err = _log_error(z, z_err) + 4 * u * xp.where(lse_1 > -xp.inf, abs(lse_1), 0.0)
    lse = m + lse_1
    lse_err = lse_1_err + u * abs(lse)
    lse_err = _output(lse, lse_err, precision.get("lse", precision["compute"]))
    return lse_err


@np.errstate(all="ignore")
def logsumexp_vjp_bound(x: Array, dlse: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `logsumexp_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, dz, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = u * abs(a_1)
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + x.shape[-1] * u_sum * xp.sum(abs(a), axis=-1)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # dz = dlse/z
    dz = dlse / z
    dz_err = _quotient_error(dz, None, z, z_err) + u * abs(dz) + tiny
    dz_err = _checked(dz, dz_err, precision["compute"])
    if "dz" in precision:
        dz_err = _stored(dz, dz_err, precision["dz"])
    # dx[i] = dz·a[i]
    dx = dz[..., None] * a
    dx_err = _product_error(dz[..., None], dz_err[..., None], a, a_err) + u * abs(dx) + tiny
    dx_err = _output(dx, dx_err, precision.get("dx", precision["compute"]))
    return dx_err


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _tiny(form: Format) -> float:
    """What underflow may lose: the least normal number where it may be flushed to zero, else half a subnormal."""
    return 2.0 ** form[1] if form[1] == -126 else max(2.0 ** (form[1] - form[0]), 2.0**-1074)


def _checked(value: Array, error: Array, form: Format) -> Array:
    """The error, infinite where the format may overflow or the analysis has no number (0·∞)."""
    xp = _namespace(value)
    return xp.where(abs(value) + error < form[2], error, xp.inf)


def _stored(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding to a format, whatever scaling the rounding meets: relative, zero stays zero."""
    xp = _namespace(value)
    size = abs(value) + error
    rounded = xp.where(size > 0, error + 2.0 ** -form[0] * size + _tiny(form), 0.0)
    return xp.where(size < form[2], rounded, xp.inf)


def _output(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding the result to its format: half a unit in the last place of its binade."""
    xp = _namespace(value)
    size = abs(value) + error
    binade = xp.floor(xp.log2(xp.where((size > 0) & (size < xp.inf), size, 1.0) * (1 + 2.0**-40)))
    half = 2.0 ** (xp.where(binade < form[1], form[1] * 1.0, binade) - form[0])
    rounded = xp.where(size > 0, 1.05 * error + half, 0.0)
    return xp.where(size < form[2], rounded, xp.inf)


def _product_error(a: Array, a_err: Array | None, b: Array, b_err: Array | None) -> Array:
    """|a b − ã b̃| for factors with errors."""
    total = 0.0
    if a_err is not None:
        total = total + a_err * abs(b)
    if b_err is not None:
        total = total + abs(a) * b_err
    if a_err is not None and b_err is not None:
        total = total + a_err * b_err
    return total


def _quotient_error(value: Array, a_err: Array | None, b: Array, b_err: Array | None) -> Array:
    """|a/b − ã/b̃|; infinite where the divisor may be zero."""
    xp = _namespace(value)
    if b_err is None:
        return a_err / abs(b)
    room = abs(b) - b_err
    total = abs(value) * b_err if a_err is None else a_err + abs(value) * b_err
    return xp.where(room > 0, total / xp.where(room > 0, room, 1.0), xp.where(total > 0, xp.inf, 0.0))


def _log_error(b: Array, b_err: Array) -> Array:
    """|log b − log b̃| for positive b; infinite where b̃ may not be positive."""
    xp = _namespace(b)
    share = b_err / b
    return xp.where(share < 1, -xp.log1p(-xp.where(share < 1, share, 0.0)), xp.inf)


def _exp_error(value: Array, moved: Array, u: float) -> Array:
    """|exp(x) − fl(exp(x̃))| for an argument that moved; its scaling by log₂e moves it as well."""
    xp = _namespace(value)
    return xp.where(moved < 700, value * xp.expm1(xp.where(moved < 700, moved, 0.0)) + 4 * u * value, xp.inf)
