"""Rounding-error bounds of sinusoidal.

GENERATED from derivations/positional.py by `lemmata generate positional`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding, halves, joined


@np.errstate(all="ignore")
def sinusoidal_bound(pos: Array, omega: Array, *, interleaved: bool = False, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `sinusoidal`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (theta, pe).

    Returns:
        absolute errors of pe, infinite where a format may overflow.
    """
    fl = Rounding(precision, pos)
    pos = fl.given(pos, "i")
    omega = fl.given(omega, "c")
    # theta[i, c] = pos[i]·omega[c]
    theta = fl.angle("theta", fl.wide(pos) * fl.wide(omega), "i c")
    # sine[i, c] = sin(theta[i, c])
    sine = fl.output("pe", fl.sin(theta), "i c")
    # cosine[i, c] = cos(theta[i, c])
    cosine = fl.output("pe", fl.cos(theta), "i c")
    return joined(sine.total, cosine.total, None, interleaved)


@np.errstate(all="ignore")
def sinusoidal_vjp_bound(
    pos: Array, omega: Array, dpe: Array, *, interleaved: bool = False, precision: Mapping[str, Format]
) -> tuple[Array, Array]:
    """Bound of the rounding error of `sinusoidal_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (theta, sine, cosine, dtheta,
            dpos, domega).

    Returns:
        absolute errors of dpos, domega, infinite where a format may overflow.
    """
    fl = Rounding(precision, pos)
    dsine, dcosine = halves(dpe, omega.shape[-1], interleaved)
    pos = fl.given(pos, "i")
    omega = fl.given(omega, "c")
    dsine = fl.given(dsine, "i c")
    dcosine = fl.given(dcosine, "i c")
    # theta[i, c] = pos[i]·omega[c]
    theta = fl.angle("theta", fl.wide(pos) * fl.wide(omega), "i c")
    # sine[i, c] = sin(theta[i, c])
    sine = fl.step("sine", fl.sin(theta), "i c")
    # cosine[i, c] = cos(theta[i, c])
    cosine = fl.step("cosine", fl.cos(theta), "i c")
    # dtheta[i, c] = dsine[i, c]·cosine[i, c] − dcosine[i, c]·sine[i, c]
    dtheta = fl.step("dtheta", dsine * cosine - dcosine * sine, "i c")
    # dpos[i] = Σ_c omega[c]·dtheta[i, c]
    dpos = fl.output("dpos", fl.sum(omega * dtheta, "c"), "i")
    # domega[c] = Σ_i pos[i]·dtheta[i, c]
    domega = fl.output("domega", fl.sum(pos * dtheta, "i"), "c", shared=True)
    return dpos.total, domega.total


@np.errstate(all="ignore")
def sinusoidal_jvp_bound(
    pos: Array, omega: Array, tpos: Array, tomega: Array, *, interleaved: bool = False, precision: Mapping[str, Format]
) -> Array:
    """Bound of the rounding error of `sinusoidal_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (theta, sine, cosine, ttheta,
            tpe).

    Returns:
        absolute errors of tpe, infinite where a format may overflow.
    """
    fl = Rounding(precision, pos)
    pos = fl.given(pos, "i")
    omega = fl.given(omega, "c")
    tpos = fl.given(tpos, "i")
    tomega = fl.given(tomega, "c")
    # theta[i, c] = pos[i]·omega[c]
    theta = fl.angle("theta", fl.wide(pos) * fl.wide(omega), "i c")
    # sine[i, c] = sin(theta[i, c])
    sine = fl.step("sine", fl.sin(theta), "i c")
    # cosine[i, c] = cos(theta[i, c])
    cosine = fl.step("cosine", fl.cos(theta), "i c")
    # ttheta[i, c] = omega[c]·tpos[i] + pos[i]·tomega[c]
    ttheta = fl.step("ttheta", omega * tpos + pos * tomega, "i c")
    # tsine[i, c] = cosine[i, c]·ttheta[i, c]
    tsine = fl.output("tpe", cosine * ttheta, "i c")
    # tcosine[i, c] = -sine[i, c]·ttheta[i, c]
    tcosine = fl.output("tpe", -sine * ttheta, "i c")
    return joined(tsine.total, tcosine.total, None, interleaved)
