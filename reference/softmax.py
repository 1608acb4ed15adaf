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
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # p[i] = a[i]/z  (S3)
    p = _over(a, z[..., None])
    return p


def softmax_value_and_vjp(x: Array, dp: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args:
        x: logits `[..., n]`.
        dp: cotangent of p, of its shape.

    Returns:
        p: probabilities `[..., n]`.
        dx: gradient of x, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # p[i] = a[i]/z  (S3)
    p = _over(a, z[..., None])
    # delta = Σ_j dp[j]·p[j]
    delta = xp.sum(dp * p, axis=-1)
    # dx[i] = p[i]·(dp[i] − delta)
    dx = p * (dp - delta[..., None])
    return p, dx


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
    _, dx = softmax_value_and_vjp(x, dp)
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
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # p[i] = a[i]/z  (S3)
    p = _over(a, z[..., None])
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
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[i] = a[i]/z
    p = a / z[..., None]
    p_err = _quotient_error(p, a, a_err, z[..., None], 0.0, tiny, 0.0, z_err[..., None]) + u * abs(p)
    p_z = -p * z_err[..., None] / z[..., None]
    p_err = _output(p, p_err + abs(p_z), precision.get("p", precision["compute"]))
    (p_err,) = _within(1 + u, p_err)
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
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[i] = a[i]/z
    p = a / z[..., None]
    p_err = _quotient_error(p, a, a_err, z[..., None], 0.0, tiny, 0.0, z_err[..., None]) + u * abs(p)
    p_z = -p * z_err[..., None] / z[..., None]
    p_err, p_z = _within(1 + u, p_err, p_z)
    p_err = _checked(p, p_err, precision["compute"], abs(p_z))
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"], abs(p_z))
    # delta = Σ_j dp[j]·p[j]
    delta_1 = dp * p
    delta_1_err = _product_error(dp, None, p, p_err, tiny, 0.0, abs(p_z)) + u * abs(delta_1)
    delta_1_z = dp * p_z
    delta_1_err = _checked(delta_1, delta_1_err, precision["compute"], abs(delta_1_z))
    delta = xp.sum(delta_1, axis=-1)
    delta_err = _sum_error(xp.sum(abs(delta_1), axis=-1), xp.sum(delta_1_err, axis=-1), x.shape[-1], precision)
    delta_z = xp.sum(delta_1_z, axis=-1)
    delta_err = _checked(delta, delta_err, precision["compute"], abs(delta_z))
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"], abs(delta_z))
    # dx[i] = p[i]·(dp[i] − delta)
    dx_1 = dp - delta[..., None]
    dx_1_err = _added(dx_1, 0.0, u * abs(dx_1))
    dx_1_z = -delta_z[..., None]
    dx_1_delta = -delta_err[..., None]
    dx_1_rows = abs(dx_1_z) + abs(dx_1_delta)
    dx_1_err = _checked(dx_1, dx_1_err, precision["compute"], dx_1_rows)
    dx = p * dx_1
    dx_err = _product_error(p, p_err, dx_1, dx_1_err, tiny, abs(p_z), dx_1_rows) + u * abs(dx)
    dx_z = p_z * dx_1 + p * dx_1_z
    dx_delta = p * dx_1_delta
    dx_rows = abs(dx_z) + abs(dx_delta)
    dx_err = _output(dx, dx_err + dx_rows, precision.get("dx", precision["compute"]))
    return dx_err


@np.errstate(all="ignore")
def softmax_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `softmax_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, p, delta, tp).

    Returns:
        absolute errors of tp, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[i] = a[i]/z
    p = a / z[..., None]
    p_err = _quotient_error(p, a, a_err, z[..., None], 0.0, tiny, 0.0, z_err[..., None]) + u * abs(p)
    p_z = -p * z_err[..., None] / z[..., None]
    p_err, p_z = _within(1 + u, p_err, p_z)
    p_err = _checked(p, p_err, precision["compute"], abs(p_z))
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"], abs(p_z))
    # delta = Σ_j tx[j]·p[j]
    delta_1 = tx * p
    delta_1_err = _product_error(tx, None, p, p_err, tiny, 0.0, abs(p_z)) + u * abs(delta_1)
    delta_1_z = tx * p_z
    delta_1_err = _checked(delta_1, delta_1_err, precision["compute"], abs(delta_1_z))
    delta = xp.sum(delta_1, axis=-1)
    delta_err = _sum_error(xp.sum(abs(delta_1), axis=-1), xp.sum(delta_1_err, axis=-1), x.shape[-1], precision)
    delta_z = xp.sum(delta_1_z, axis=-1)
    delta_err = _checked(delta, delta_err, precision["compute"], abs(delta_z))
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"], abs(delta_z))
    # tp[i] = p[i]·(tx[i] − delta)
    tp_1 = tx - delta[..., None]
    tp_1_err = _added(tp_1, 0.0, u * abs(tp_1))
    tp_1_z = -delta_z[..., None]
    tp_1_delta = -delta_err[..., None]
    tp_1_rows = abs(tp_1_z) + abs(tp_1_delta)
    tp_1_err = _checked(tp_1, tp_1_err, precision["compute"], tp_1_rows)
    tp = p * tp_1
    tp_err = _product_error(p, p_err, tp_1, tp_1_err, tiny, abs(p_z), tp_1_rows) + u * abs(tp)
    tp_z = p_z * tp_1 + p * tp_1_z
    tp_delta = p * tp_1_delta
    tp_rows = abs(tp_z) + abs(tp_delta)
    tp_err = _output(tp, tp_err + tp_rows, precision.get("tp", precision["compute"]))
    return tp_err


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
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # y[i] = (x[i] − m) − log(z)
    y = x - m[..., None] - xp.log(z)[..., None]
    return y


def log_softmax_value_and_vjp(x: Array, dy: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args:
        x: logits `[..., n]`.
        dy: cotangent of y, of its shape.

    Returns:
        y: log-probabilities `[..., n]`.
        dx: gradient of x, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # y[i] = (x[i] − m) − log(z)
    y = x - m[..., None] - xp.log(z)[..., None]
    # dz = -(Σ_j dy[j])/z
    dz = -1 * xp.sum(dy, axis=-1) / z
    # dx[i] = dy[i] + dz·a[i]
    dx = dy + dz[..., None] * a
    return y, dx


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
    _, dx = log_softmax_value_and_vjp(x, dy)
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
    a = _exp(x - m[..., None])
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
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # y[i] = (x[i] − m) − log(z)
    y_1 = x - m[..., None]
    y_1_err = _added(y_1, 0.0, u * abs(y_1))
    y_1_err = _checked(y_1, y_1_err, precision["compute"])
    y_2 = xp.log(z)
    y_2_err = _log_error(z, 0.0, z_err) + 4 * u * xp.where(y_2 > -xp.inf, abs(y_2), 0.0)
    y_2_z = z_err / z
    y = y_1 - y_2[..., None]
    y_err = _added(y, y_1_err, u * abs(y))
    y_z = -y_2_z[..., None]
    y_row = -y_2_err[..., None]
    y_rows = abs(y_z) + abs(y_row)
    y_err = _output(y, y_err + y_rows, precision.get("y", precision["compute"]))
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
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # dz = -(Σ_j dy[j])/z
    dz_1 = -1 / z
    dz_1_err = _quotient_error(dz_1, -1, None, z, z_err, tiny) + u * abs(dz_1)
    dz_1_err = _checked(dz_1, dz_1_err, precision["compute"])
    dz_2 = xp.sum(dy, axis=-1)
    dz_2_err = _sum_error(xp.sum(abs(dy), axis=-1), 0.0, x.shape[-1], precision)
    dz_2_err = _checked(dz_2, dz_2_err, precision["compute"])
    dz = dz_1 * dz_2
    dz_err = _product_error(dz_1, dz_1_err, dz_2, dz_2_err, tiny) + u * abs(dz)
    dz_err = _checked(dz, dz_err, precision["compute"])
    if "dz" in precision:
        dz_err = _stored(dz, dz_err, precision["dz"])
    # dx[i] = dy[i] + dz·a[i]
    dx_1 = dz[..., None] * a
    dx_1_err = _product_error(dz[..., None], 0.0, a, a_err, tiny, dz_err[..., None], 0.0) + u * abs(dx_1)
    dx_1_dz = dz_err[..., None] * a
    dx_1_err = _checked(dx_1, dx_1_err, precision["compute"], abs(dx_1_dz))
    dx = dy + dx_1
    dx_err = _added(dx, dx_1_err, u * abs(dx))
    dx_dz = dx_1_dz
    dx_err = _output(dx, dx_err + abs(dx_dz), precision.get("dx", precision["compute"]))
    return dx_err


@np.errstate(all="ignore")
def log_softmax_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `log_softmax_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, delta, ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # delta = (Σ_j tx[j]·a[j])/z
    delta_1 = 1 / z
    delta_1_err = _quotient_error(delta_1, 1, None, z, z_err, tiny) + u * abs(delta_1)
    delta_1_err = _checked(delta_1, delta_1_err, precision["compute"])
    delta_2 = tx * a
    delta_2_err = _product_error(tx, None, a, a_err, tiny) + u * abs(delta_2)
    delta_2_err = _checked(delta_2, delta_2_err, precision["compute"])
    delta_3 = xp.sum(delta_2, axis=-1)
    delta_3_err = _sum_error(xp.sum(abs(delta_2), axis=-1), xp.sum(delta_2_err, axis=-1), x.shape[-1], precision)
    delta_3_err = _checked(delta_3, delta_3_err, precision["compute"])
    delta = delta_1 * delta_3
    delta_err = _product_error(delta_1, delta_1_err, delta_3, delta_3_err, tiny) + u * abs(delta)
    delta_err = _checked(delta, delta_err, precision["compute"])
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"])
    # ty[i] = tx[i] − delta
    ty = tx - delta[..., None]
    ty_err = _added(ty, 0.0, u * abs(ty))
    ty_delta = -delta_err[..., None]
    ty_err = _output(ty, ty_err + abs(ty_delta), precision.get("ty", precision["compute"]))
    return ty_err


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
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # lse = m + log(z)
    lse = m + xp.log(z)
    return lse


def logsumexp_value_and_vjp(x: Array, dlse: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args:
        x: logits `[..., n]`.
        dlse: cotangent of lse, of its shape.

    Returns:
        lse: log of the sum of exponentials `[...]`.
        dx: gradient of x, of its shape.

    Conventions:
        empty row: a row that is −∞ throughout gives −∞.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # lse = m + log(z)
    lse = m + xp.log(z)
    # dz = dlse/z
    dz = dlse / z
    # dx[i] = dz·a[i]
    dx = dz[..., None] * a
    return lse, dx


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
    _, dx = logsumexp_value_and_vjp(x, dlse)
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
    a = _exp(x - m[..., None])
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
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # lse = m + log(z)
    lse_1 = xp.log(z)
    lse_1_err = _log_error(z, z_err) + 4 * u * xp.where(lse_1 > -xp.inf, abs(lse_1), 0.0)
    lse = m + lse_1
    lse_err = _added(lse, lse_1_err, u * abs(lse))
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
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # dz = dlse/z
    dz = dlse / z
    dz_err = _quotient_error(dz, dlse, None, z, z_err, tiny) + u * abs(dz)
    dz_err = _checked(dz, dz_err, precision["compute"])
    if "dz" in precision:
        dz_err = _stored(dz, dz_err, precision["dz"])
    # dx[i] = dz·a[i]
    dx = dz[..., None] * a
    dx_err = _product_error(dz[..., None], 0.0, a, a_err, tiny, dz_err[..., None], 0.0) + u * abs(dx)
    dx_dz = dz_err[..., None] * a
    dx_err = _output(dx, dx_err + abs(dx_dz), precision.get("dx", precision["compute"]))
    return dx_err


@np.errstate(all="ignore")
def logsumexp_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `logsumexp_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, tlse).

    Returns:
        absolute errors of tlse, infinite where a format may overflow.
    """
    xp = _namespace(x)
    u = 2.0 ** -precision["compute"][0]
    tiny = _tiny(precision["compute"])
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)
    a_1 = x - m[..., None]
    a_1_err = _added(a_1, 0.0, u * abs(a_1))
    a_1_err = _checked(a_1, a_1_err, precision["compute"])
    a = xp.exp(a_1)
    a_err = _exp_error(a, a_1, u, tiny, a_1_err)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), x.shape[-1], precision)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # tlse = (Σ_j tx[j]·a[j])/z
    tlse_1 = 1 / z
    tlse_1_err = _quotient_error(tlse_1, 1, None, z, z_err, tiny) + u * abs(tlse_1)
    tlse_1_err = _checked(tlse_1, tlse_1_err, precision["compute"])
    tlse_2 = tx * a
    tlse_2_err = _product_error(tx, None, a, a_err, tiny) + u * abs(tlse_2)
    tlse_2_err = _checked(tlse_2, tlse_2_err, precision["compute"])
    tlse_3 = xp.sum(tlse_2, axis=-1)
    tlse_3_err = _sum_error(xp.sum(abs(tlse_2), axis=-1), xp.sum(tlse_2_err, axis=-1), x.shape[-1], precision)
    tlse_3_err = _checked(tlse_3, tlse_3_err, precision["compute"])
    tlse = tlse_1 * tlse_3
    tlse_err = _product_error(tlse_1, tlse_1_err, tlse_3, tlse_3_err, tiny) + u * abs(tlse)
    tlse_err = _output(tlse, tlse_err, precision.get("tlse", precision["compute"]))
    return tlse_err


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _overwritten(x: Array, *others: Array) -> bool:
    """Whether NumPy can write the result of x and others, of the shape and dtype of x, into x."""
    return (
        isinstance(x, np.ndarray)
        and x.dtype.kind == "f"
        and all(isinstance(y, float) or (isinstance(y, np.ndarray) and y.dtype == x.dtype) for y in others)
        and np.broadcast_shapes(x.shape, *(np.shape(y) for y in others)) == x.shape
    )


def _over(x: Array, y: Array) -> Array:
    """x / y, in the memory of x, which is not read again."""
    return np.divide(x, y, out=x) if _overwritten(x, y) else x / y


def _exp(x: Array) -> Array:
    """exp(x), in the memory of x, which is not read again."""
    return np.exp(x, out=x) if _overwritten(x) else _namespace(x).exp(x)


def _tiny(form: Format) -> float:
    """What underflow may lose: the least normal number where it may be flushed to zero, else half a subnormal."""
    return 2.0 ** form[1] if form[1] == -126 else max(2.0 ** (form[1] - form[0]), 2.0**-1074)


def _exact_infinity(value: Array, error: Array) -> Array:
    """Whether the value is −∞ with a finite error: a mask, not an overflow."""
    return (value == -np.inf) & (error < np.inf)


def _checked(value: Array, error: Array, form: Format, rows: Array = 0.0) -> Array:
    """The error of a value, infinite where the format may overflow or the analysis has no number (0·∞)."""
    xp = _namespace(value)
    fits = abs(value) + error + rows < form[2]
    if xp.all(fits):
        return error
    return xp.where(fits | _exact_infinity(value, error), error, xp.inf)


def _stored(value: Array, error: Array, form: Format, rows: Array = 0.0) -> Array:
    """The error after rounding to a format, whatever scaling the rounding meets: relative, zero stays zero."""
    xp = _namespace(value)
    size = abs(value) + error + rows
    rounded = xp.where((size > 0) & (size < xp.inf), error + 2.0 ** -form[0] * size + _tiny(form), 0.0)
    return xp.where((size < form[2]) | _exact_infinity(value, error), rounded, xp.inf)


def _output(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding the result to its format: half a unit in the last place of its binade."""
    xp = _namespace(value)
    size = abs(value) + error
    binade = xp.floor(xp.log2(xp.where((size > 0) & (size < xp.inf), size, 1.0) * (1 + 2.0**-40)))
    half = 2.0 ** (xp.where(binade < form[1], form[1] * 1.0, binade) - form[0])
    rounded = xp.where((size > 0) & (size < xp.inf), 1.05 * error + half, 0.0)
    return xp.where((size < form[2]) | _exact_infinity(value, error), rounded, xp.inf)


def _added(value: Array, error: Array, rounding: Array) -> Array:
    """The error of a sum; an infinite term leaves none, unless its own is infinite."""
    xp = _namespace(value)
    finite = abs(value) < xp.inf
    return error + rounding if xp.all(finite) else xp.where(finite, error + rounding, 0.0 * error)


def _product_error(
    a: Array, a_err: Array | None, b: Array, b_err: Array | None, tiny: float, a_rows: Array = 0.0, b_rows: Array = 0.0
) -> Array:
    """|a b − ã b̃| for factors with errors, without the first-order part of the rows; a factor 0 leaves no error
    (0·∞ one that is not a number)."""
    xp = _namespace(b if b_err is not None else a)
    size_a, size_b = abs(a) + a_rows, abs(b) + b_rows
    if a_err is None:
        nothing, error = size_b + b_err == 0, size_a * b_err + tiny
    elif b_err is None:
        nothing, error = size_a + a_err == 0, a_err * size_b + tiny
    else:
        nothing = (size_a + a_err == 0) | (size_b + b_err == 0)
        error = a_err * size_b + size_a * b_err + a_err * b_err + a_rows * b_rows + tiny
    return xp.where(nothing, 0.0 * error, error) if xp.any(nothing) else error


def _quotient_error(
    value: Array,
    a: Array,
    a_err: Array | None,
    b: Array,
    b_err: Array | None,
    tiny: float,
    a_rows: Array = 0.0,
    b_rows: Array = 0.0,
) -> Array:
    """|a/b − ã/b̃|, without the first-order part of the rows; infinite where the divisor may be zero."""
    xp = _namespace(value)
    if b_err is None:
        return a_err / abs(b) + tiny
    above = a_rows if a_err is None else a_err + a_rows
    rows = a_rows + abs(value) * b_rows
    room = abs(b) - b_err - b_rows
    moved = (above + abs(value) * (b_err + b_rows)) / xp.where(room > 0, room, 1.0) - rows / abs(b) + tiny
    nothing = (value == 0) & (abs(a) + above == 0)
    return xp.where(nothing, 0.0 * moved, xp.where(room > 0, moved, xp.inf))


def _log_error(b: Array, b_err: Array, b_rows: Array = 0.0) -> Array:
    """|log b − log b̃| for positive b, without the first-order part of the rows; infinite where b̃ may be zero."""
    xp = _namespace(b)
    share = (b_err + b_rows) / b
    return xp.where(share < 1, -xp.log1p(-xp.where(share < 1, share, 0.0)) - b_rows / b, xp.inf)


def _exp_error(value: Array, x: Array, u: float, tiny: float, x_err: Array, x_rows: Array = 0.0) -> Array:
    """|exp(x) − fl(exp(x̃))|, without the first-order part of the rows; scaling x by log₂e moves it as well."""
    xp = _namespace(value)
    size = abs(x)
    moved = x_err + x_rows + 2 * u * xp.where(size < xp.inf, size, 0.0)
    small = moved < 700
    if xp.all(small):
        error = value * (xp.expm1(moved) - x_rows + 4 * u) + tiny
    else:
        error = value * (xp.expm1(xp.where(small, moved, 0.0)) - x_rows + 4 * u) + tiny
        error = xp.where(small, error, xp.inf)
    return xp.where((x > -xp.inf) | (error == xp.inf), error, 0.0)


def _sum_error(size: Array, moved: Array, terms: int, precision: Mapping[str, Format]) -> Array:
    """The error of a sum of so many terms whose sizes and errors add up to this, in any order of summation."""
    xp = _namespace(size)
    accumulator = precision.get("accumulate", precision["compute"])
    return xp.where(size + moved < accumulator[2], moved + terms * 2.0 ** -accumulator[0] * size, xp.inf)


def _within(width: float, error: Array, *rows: Array) -> tuple[Array, ...]:
    """Error and rows of a value that stays in a range of this width; an infinite error stays infinite."""
    xp = _namespace(error)
    total = error
    for row in rows:
        total = total + abs(row)
    over = (total > width) & (total < xp.inf)
    return xp.where(over, width, error), *(xp.where(over, 0.0, row) for row in rows)
