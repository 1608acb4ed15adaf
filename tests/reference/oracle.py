"""Softmax and attention in mpmath at 50 digits, straight from the textbook formulas.

Nothing is shifted by a maximum, no statement of the derivations is used, and gradients are products with the full
Jacobian. Arrays are NumPy arrays of `mpmath.mpf` objects; a row is one vector, a problem of attention one batch entry.
"""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np

DIGITS = 50
Array = Any


def exact(x: Array) -> Array:
    """The same numbers as 50-digit objects."""
    with mp.workdps(DIGITS):
        return np.vectorize(lambda number: mp.mpf(number), otypes=[object])(np.asarray(x))


def _map(function: Any, x: Array) -> Array:
    return np.frompyfunc(function, 1, 1)(x)


def distance(approximate: Array, value: Array) -> Array:
    """|approximate − value| as float64, 0 where both are the same infinity and NaN where only one is finite."""
    approximate = np.asarray(approximate, dtype=np.float64)
    result = np.empty(approximate.shape)
    value = np.asarray(value, dtype=object)
    with mp.workdps(DIGITS):
        for place in np.ndindex(approximate.shape):
            a, b = float(approximate[place]), value[place]
            if np.isfinite(a) and mp.isfinite(b):
                result[place] = float(abs(mp.mpf(a) - b))
            else:
                result[place] = 0.0 if a == float(b) else np.nan
    return result


# Rows ---------------------------------------------------------------------------------------------------------------


def softmax(x: Array) -> Array:
    with mp.workdps(DIGITS):
        a = _map(mp.exp, exact(x))
        return a / a.sum()


def logsumexp(x: Array) -> Array:
    with mp.workdps(DIGITS):
        total = _map(mp.exp, exact(x)).sum()
        return mp.log(total) if total else mp.mpf("-inf")


def log_softmax(x: Array) -> Array:
    with mp.workdps(DIGITS):
        return exact(x) - logsumexp(x)


def softmax_jacobian(x: Array) -> Array:
    """∂p_i/∂x_j = p_i (δ_ij − p_j)."""
    with mp.workdps(DIGITS):
        p = softmax(x)
        return np.array([[p[i] * ((i == j) - p[j]) for j in range(len(p))] for i in range(len(p))], dtype=object)


def log_softmax_jacobian(x: Array) -> Array:
    """∂y_i/∂x_j = δ_ij − p_j."""
    with mp.workdps(DIGITS):
        p = softmax(x)
        return np.array([[(i == j) - p[j] for j in range(len(p))] for i in range(len(p))], dtype=object)


def logsumexp_jacobian(x: Array) -> Array:
    """∂lse/∂x_j = p_j, as a matrix of one row."""
    return softmax(x)[None, :]


def pulled_back(jacobian: Array, cotangent: Array) -> Array:
    """cotangent · J."""
    with mp.workdps(DIGITS):
        return np.atleast_1d(exact(cotangent)) @ jacobian


def pushed_forward(jacobian: Array, tangent: Array) -> Array:
    """J · tangent."""
    with mp.workdps(DIGITS):
        return jacobian @ exact(tangent)


# Attention ----------------------------------------------------------------------------------------------------------


class Attention:
    """One batch entry of attention: q (r, n, d), k (m, d), v (m, d_v), keep and bias (r, n, m), or None.

    With a `cap`, scores are cap · tanh(scale q·k / cap) + bias.
    """

    def __init__(
        self,
        q: Array,
        k: Array,
        v: Array,
        keep: Array | None = None,
        bias: Array | None = None,
        scale: float | None = None,
        cap: float | None = None,
    ) -> None:
        with mp.workdps(DIGITS):
            self.q, self.k, self.v = exact(q), exact(k), exact(v)
            self.shape = (*q.shape[:2], k.shape[0])
            self.scale = mp.mpf(scale) if scale is not None else 1 / mp.sqrt(q.shape[-1])
            self.cap = None if cap is None else mp.mpf(cap)
            self.keep = np.ones(self.shape, bool) if keep is None else np.broadcast_to(keep, self.shape)
            s = self.scale * (self.q @ self.k.T)
            self.slope = np.full(self.shape, mp.mpf(1), dtype=object)
            if self.cap is not None:
                t = _map(mp.tanh, s / self.cap)
                s, self.slope = self.cap * t, 1 - t * t
            if bias is not None:
                s = s + exact(np.broadcast_to(bias, self.shape))
            a = np.where(self.keep, _map(mp.exp, s), mp.mpf(0))
            z = a.sum(-1, keepdims=True)
            self.p = a / np.where(z == 0, mp.mpf(1), z)
            self.o = self.p @ self.v
            self.lse = _map(lambda total: mp.log(total) if total else mp.mpf("-inf"), z[..., 0])

    def vjp(self, do: Array, dlse: Array | None = None) -> tuple[Array, Array, Array, Array]:
        """dq, dk, dv and dbias: dp_j = Σ_e do_e v_je goes through the Jacobian of softmax; dlse adds dlse · p."""
        with mp.workdps(DIGITS):
            do = exact(do)
            dp = do @ self.v.T
            dt = self.p * dp - self.p * (self.p * dp).sum(-1, keepdims=True)
            if dlse is not None:
                dt = dt + exact(dlse)[..., None] * self.p
            ds = dt * self.slope
            dq = self.scale * (ds @ self.k)
            dk = self.scale * np.einsum("rij,ric->jc", ds, self.q)
            dv = np.einsum("rij,rie->je", self.p, do)
            return dq, dk, dv, dt

    def jvp(self, tq: Array, tk: Array, tv: Array, tbias: Array | None = None) -> tuple[Array, Array]:
        """to and tlse."""
        with mp.workdps(DIGITS):
            tt = self.scale * (exact(tq) @ self.k.T + self.q @ exact(tk).T) * self.slope
            if tbias is not None:
                tt = tt + exact(np.broadcast_to(tbias, self.shape))
            mean = (self.p * tt).sum(-1, keepdims=True)
            to = (self.p * tt - self.p * mean) @ self.v + self.p @ exact(tv)
            return to, mean[..., 0]
