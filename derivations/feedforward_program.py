"""The programs of feed-forward networks: tensors, indices and definitions that the files on them share."""

from __future__ import annotations

from fractions import Fraction

from .calculus.expr import PI, Dim, Entry, Expr, Index, Tensor, erfc, exp, lift, relu, sigmoid, total
from .calculus.program import Def, Program

HALF = Fraction(1, 2)
ROOT_2 = lift(2) ** HALF
CUBIC = Fraction(44715, 10**6)  # the coefficient of x³ in the tanh form (Hendrycks & Gimpel 2016)

n = Dim("n")
d, d_f = Dim("d", grows=False), Dim("d_f", grows=False)
i, c, e, f = Index("i", n), Index("c", d), Index("e", d), Index("f", d_f)

# Activations, for each feature by itself.
x, y = Tensor("x", (d,)), Tensor("y", (d,))
s, cdf, u, a = Tensor("s", (d,)), Tensor("cdf", (d,)), Tensor("u", (d,)), Tensor("a", (d,))
gate, up = Tensor("gate", (d,)), Tensor("up", (d,))


def normal_cdf(argument: Expr) -> Expr:
    """Φ, the distribution function of the normal distribution, without cancellation for negative arguments."""
    return erfc(-argument / ROOT_2) / 2


def normal_density(argument: Expr) -> Expr:
    """φ = Φ′, the density of the normal distribution."""
    return exp(-(argument**2) / 2) / (2 * PI) ** HALF


def inner(argument: Expr) -> Expr:
    """What the tanh form takes the tanh of."""
    return (2 / PI) ** HALF * (argument + CUBIC * argument**3)


def inner_slope(argument: Expr) -> Expr:
    """Its derivative."""
    return (2 / PI) ** HALF * (1 + 3 * CUBIC * argument**2)


def _cdf(target: Entry, argument: Expr) -> Def:
    return Def(target, normal_cdf(argument), "Φ(x), the normal distribution function")


RELU_PROGRAM = Program("relu", (x,), (Def(y[c], relu(x[c]), "the larger of x and 0"),), (y,))
GELU_PROGRAM = Program("gelu", (x,), (_cdf(cdf[c], x[c]), Def(y[c], x[c] * cdf[c], "gaussian error linear unit")), (y,))
GELU_TANH_PROGRAM = Program(
    "gelu_tanh",
    (x,),
    (
        Def(u[c], inner(x[c]), "argument of the tanh"),
        Def(s[c], sigmoid(2 * u[c]), "(1 + tanh(u))/2 without cancellation", "S1"),
        Def(y[c], x[c] * s[c], "approximate gaussian error linear unit"),
    ),
    (y,),
)
SILU_PROGRAM = Program(
    "silu",
    (x,),
    (Def(s[c], sigmoid(x[c]), "logistic function"), Def(y[c], x[c] * s[c], "sigmoid linear unit")),
    (y,),
)
SWIGLU_PROGRAM = Program(
    "swiglu",
    (gate, up),
    (
        Def(s[c], sigmoid(gate[c]), "logistic function"),
        Def(a[c], gate[c] * s[c], "silu of the gate"),
        Def(y[c], a[c] * up[c], "gated features"),
    ),
    (y,),
)
GEGLU_PROGRAM = Program(
    "geglu",
    (gate, up),
    (
        _cdf(cdf[c], gate[c]),
        Def(a[c], gate[c] * cdf[c], "gelu of the gate"),
        Def(y[c], a[c] * up[c], "gated features"),
    ),
    (y,),
)

# Networks, for each token by itself.
X, Y = Tensor("x", (n, d)), Tensor("y", (n, d))
w_1, b_1, w_2, b_2 = Tensor("w_1", (d_f, d)), Tensor("b_1", (d_f,)), Tensor("w_2", (d, d_f)), Tensor("b_2", (d,))
w, v, w_out = Tensor("w", (d, d_f)), Tensor("v", (d, d_f)), Tensor("w_2", (d_f, d))
H, A, CDF = Tensor("h", (n, d_f)), Tensor("a", (n, d_f)), Tensor("cdf", (n, d_f))
GATE, UP, S, M = Tensor("g", (n, d_f)), Tensor("u", (n, d_f)), Tensor("s", (n, d_f)), Tensor("m", (n, d_f))

FEED_FORWARD_PROGRAM = Program(
    "feed_forward",
    (X, w_1, b_1, w_2, b_2),
    (
        Def(H[i, f], total(c, X[i, c] * w_1[f, c]) + b_1[f], "hidden features"),
        _cdf(CDF[i, f], H[i, f]),
        Def(A[i, f], H[i, f] * CDF[i, f], "gelu of the hidden features"),
        Def(Y[i, e], total(f, A[i, f] * w_2[e, f]) + b_2[e], "output"),
    ),
    (Y,),
)
SWIGLU_FEED_FORWARD_PROGRAM = Program(
    "swiglu_feed_forward",
    (X, w, v, w_out),
    (
        Def(GATE[i, f], total(c, X[i, c] * w[c, f]), "gate"),
        Def(UP[i, f], total(c, X[i, c] * v[c, f]), "hidden features"),
        Def(S[i, f], sigmoid(GATE[i, f]), "logistic function"),
        Def(A[i, f], GATE[i, f] * S[i, f], "silu of the gate"),
        Def(M[i, f], A[i, f] * UP[i, f], "gated features"),
        Def(Y[i, e], total(f, M[i, f] * w_out[f, e]), "output"),
    ),
    (Y,),
)
