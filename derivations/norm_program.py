"""The programs of layer normalisation and root-mean-square normalisation, alone and after a residual sum.

The variance is that of two passes: the mean first, then the mean square of what differs from it.
"""

from __future__ import annotations

from fractions import Fraction

from .calculus.expr import Dim, Entry, Expr, Index, Size, Tensor, total
from .calculus.program import Def, Program

d = Dim("d", grows=False)
c, f = Index("c", d), Index("f", d)

x, r, s = (Tensor(name, (d,)) for name in ("x", "r", "s"))
weight, bias, eps = Tensor("weight", (d,)), Tensor("bias", (d,)), Tensor("eps")
mean, var, ms, rstd = Tensor("mean"), Tensor("var"), Tensor("ms"), Tensor("rstd")
centred, xhat, y = Tensor("centred", (d,)), Tensor("xhat", (d,)), Tensor("y", (d,))


def average(index: Index, body: Expr) -> Expr:
    """The mean over an index."""
    return total(index, body) / Size(index.dim)


def _reciprocal_root(square: Entry, note: str) -> Def:
    return Def(rstd[()], (square + eps[()]) ** Fraction(-1, 2), note)


def _layer_norm_steps(row: Tensor) -> tuple[Def, ...]:
    return (
        Def(mean[()], average(f, row[f]), "mean over the features"),
        Def(centred[c], row[c] - mean[()], "deviations from the mean, which sum to 0"),
        Def(var[()], average(f, centred[f] ** 2), "variance", "S4"),
        _reciprocal_root(var[()], "reciprocal standard deviation"),
        Def(xhat[c], centred[c] * rstd[()], "normalised row", "S3"),
        Def(y[c], xhat[c] * weight[c] + bias[c], "scaled and shifted"),
    )


def _rms_norm_steps(row: Tensor) -> tuple[Def, ...]:
    return (
        Def(ms[()], average(f, row[f] ** 2), "mean square"),
        _reciprocal_root(ms[()], "reciprocal root mean square"),
        Def(xhat[c], row[c] * rstd[()], "normalised row", "S2"),
        Def(y[c], xhat[c] * weight[c], "scaled"),
    )


_RESIDUAL = Def(s[c], x[c] + r[c], "residual sum")

LAYER_NORM_PROGRAM = Program("layer_norm", (x, weight, bias, eps), _layer_norm_steps(x), (y,))
RMS_NORM_PROGRAM = Program("rms_norm", (x, weight, eps), _rms_norm_steps(x), (y,))
ADD_LAYER_NORM_PROGRAM = Program(
    "add_layer_norm", (x, r, weight, bias, eps), (_RESIDUAL, *_layer_norm_steps(s)), (s, y)
)
ADD_RMS_NORM_PROGRAM = Program("add_rms_norm", (x, r, weight, eps), (_RESIDUAL, *_rms_norm_steps(s)), (s, y))
