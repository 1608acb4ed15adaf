"""# Layer normalisation and root-mean-square normalisation

A row of features is brought to mean 0 and variance 1 (layer norm), or to mean square 1 (RMS norm), then scaled feature
by feature. Both also come with the residual sum before them.

Definition
----------
layer_norm:
    mean = Σ_f x[f] / d,   centred[c] = x[c] − mean,   var = Σ_f centred[f]² / d
    rstd = (var + eps)^(−1/2),   xhat[c] = centred[c] rstd,   y[c] = xhat[c] weight[c] + bias[c]

rms_norm:
    ms = Σ_f x[f]² / d,   rstd = (ms + eps)^(−1/2),   xhat[c] = x[c] rstd,   y[c] = xhat[c] weight[c]

`add_layer_norm` and `add_rms_norm` give s = x + r and the norm of s.

Statements
----------
layer_norm:
    S1   shift invariance: y(x + a) = y(x);
    S2   at eps = 0, invariance to positive scale: y(βx) = y(x);
    S3   before scale and bias the mean is 0 and the variance var/(var + eps);
    S4   the variance of two passes is the mean square minus the square of the mean, and not negative;
    S5   VJP: dx = rstd (g − mean(g) − xhat mean(g ∘ xhat)) with g = dy ∘ weight;
    S6   VJP of scale and bias: dweight = dy ∘ xhat, dbias = dy;
    S7   JVP;
    S8   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S9   Σ_c dx[c] = 0, the conservation law of S1;
    S10  ⟨dx, x⟩ = eps rstd² ⟨g, xhat⟩, which is 0 at eps = 0: the conservation law of S2.

rms_norm:
    S1   at eps = 0, invariance to positive scale: y(βx) = y(x);
    S2   before the scale the mean square is ms/(ms + eps);
    S3   RMS norm of a centred row is layer norm without bias;
    S4   VJP: dx = rstd (g − xhat mean(g ∘ xhat)) with g = dy ∘ weight;
    S5   VJP of the scale: dweight = dy ∘ xhat;
    S6   JVP;
    S7   adjoint identity;
    S8   ⟨dx, x⟩ = eps rstd² ⟨g, xhat⟩, which is 0 at eps = 0: the conservation law of S1.

add_layer_norm:
    S1   y is the layer norm of the sum x + r;
    S2   VJP: dx = ds + the gradient of layer norm: the residual path passes its cotangent unchanged;
    S3   both terms of the sum have the same gradient: dr = dx;
    S4   VJP of scale and bias;
    S5   JVP;
    S6   adjoint identity;
    S7   Σ_c dx[c] = Σ_c ds[c], the conservation law of the shift invariance.

add_rms_norm:
    S1   y is the RMS norm of the sum x + r;
    S2   VJP: dx = ds + the gradient of RMS norm: the residual path passes its cotangent unchanged;
    S3   both terms of the sum have the same gradient: dr = dx;
    S4   VJP of the scale;
    S5   JVP;
    S6   adjoint identity;
    S7   ⟨dx, s⟩ = ⟨ds, s⟩ at eps = 0, the conservation law of the invariance to scale.

Notation
--------
x input, r residual, s their sum, y output; c, f features (d of them); var variance, ms mean square, rstd the reciprocal
of the root; xhat the normalised row; g = dy ∘ weight is `dxhat`. mean(·) is the mean over the features. Gradients are
`d` + name, tangents `t` + name.

Domain and conventions
----------------------
Every statement holds for all d ≥ 1 and all real rows with var + eps > 0 (ms + eps > 0). The variance is divided by d,
not by d − 1. eps is added to the variance, under the root. At d = 1 layer norm is its bias. The default eps of RMS norm
is that of torch, the machine epsilon of the dtype: the one written here is that of float64.

References
----------
Ba, Kiros & Hinton 2016, Layer normalization, (4).
Zhang & Sennrich 2019, Root mean square layer normalization, (4).
Higham 2002, Accuracy and stability of numerical algorithms, section 1.9 (two-pass variance).
"""

from __future__ import annotations

from fractions import Fraction

from .calculus.expr import ONE, ZERO, Const, Expr, Replacement, Tensor, substitute, total
from .calculus.operation import Input, Operation
from .calculus.statement import Equal, NonNegative, Statement
from .calculus.symmetry import pairing
from .norm_program import (
    ADD_LAYER_NORM_PROGRAM,
    ADD_RMS_NORM_PROGRAM,
    LAYER_NORM_PROGRAM,
    RMS_NORM_PROGRAM,
    average,
    bias,
    c,
    centred,
    eps,
    f,
    mean,
    ms,
    r,
    rstd,
    s,
    var,
    weight,
    x,
    xhat,
    y,
)

EXACT: dict[Tensor, Replacement] = {eps: lambda: ZERO}  # eps = 0


def _normalised_vjp(op: Operation, *, centres: bool) -> Expr:
    """rstd (g − mean(g) − xhat mean(g ∘ xhat)); a norm that does not centre its row has no mean(g)."""
    dy = op.cotangent(y)
    product = average(f, dy[f] * weight[f] * xhat[f])
    middle = average(f, dy[f] * weight[f]) if centres else ZERO
    return op.program.inline(rstd[()] * (dy[c] * weight[c] - middle - xhat[c] * product))


def _normalised_jvp(op: Operation, tangent: Expr, at_f: Expr, *, centres: bool) -> Expr:
    """tweight xhat + weight rstd (t − mean(t) − xhat mean(xhat ∘ t)), with the tangent t of the row at c and at f."""
    middle = average(f, at_f) if centres else ZERO
    moved = rstd[()] * (tangent - middle - xhat[c] * average(f, xhat[f] * at_f))
    return op.program.inline(op.tangent(weight)[c] * xhat[c] + weight[c] * moved)


def _scale_law(op: Operation) -> tuple[Expr, Expr]:
    """⟨dx, x⟩ and eps rstd² ⟨dy ∘ weight, xhat⟩."""
    t, dy = Tensor("t"), op.cotangent(y)
    paired = pairing(op, {x: lambda k: t[()] * x[k]}, t, 1)
    return paired, op.program.inline(eps[()] * rstd[()] ** 2 * total(c, dy[c] * weight[c] * xhat[c]))


def _scaled() -> dict[Tensor, Replacement]:
    beta = Tensor("beta", (), "positive")
    return {**EXACT, x: lambda k: beta[()] * x[k]}


def _layer_norm_statements() -> tuple[Statement, ...]:
    op = LAYER_NORM
    a, t = Tensor("a"), Tensor("t")
    dy, tx = op.cotangent(y), op.tangent(x)
    value, derived = op.program.inline, op.derived_vjp.inline
    paired, law = _scale_law(op)
    return (
        Statement(
            "S1",
            "layer_norm(x + a) = layer_norm(x) for every number a",
            Equal(op.value(y[c], {x: lambda k: x[k] + a[()]}), op.value(y[c])),
            law="shift",
        ),
        Statement(
            "S2",
            "at eps = 0: layer_norm(βx) = layer_norm(x) for every β > 0",
            Equal(op.value(y[c], _scaled()), op.value(y[c], EXACT)),
        ),
        Statement(
            "S3",
            "before scale and bias the mean is 0 and the variance var/(var + eps)",
            Equal(value(average(c, xhat[c])), ZERO),
            conjuncts=(Equal(value(average(c, xhat[c] ** 2)), value(var[()] / (var[()] + eps[()]))),),
            law="moments",
        ),
        Statement(
            "S4",
            "two passes: var = mean(x²) − mean(x)², and it is not negative",
            Equal(value(var[()]), value(average(f, x[f] ** 2) - mean[()] ** 2)),
            conjuncts=(NonNegative(value(var[()])),),
        ),
        Statement(
            "S5",
            "dx = rstd (g − mean(g) − xhat mean(g ∘ xhat)), g = dy ∘ weight, is the vector-Jacobian product",
            Equal(derived(op.gradient(x)[c]), _normalised_vjp(op, centres=True)),
        ),
        Statement(
            "S6",
            "dweight = dy ∘ xhat and dbias = dy",
            Equal(derived(op.gradient(weight)[c]), value(dy[c] * xhat[c])),
            conjuncts=(Equal(derived(op.gradient(bias)[c]), dy[c]),),
        ),
        Statement(
            "S7",
            "ty = tweight ∘ xhat + weight ∘ rstd (tx − mean(tx) − xhat mean(xhat ∘ tx)) + tbias",
            Equal(
                op.derived_jvp.inline(op.tangent(y)[c]),
                _normalised_jvp(op, tx[c], tx[f], centres=True) + op.tangent(bias)[c],
            ),
        ),
        Statement("S8", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S9",
            "Σ_c dx[c] = 0: the conservation law of the shift invariance S1",
            Equal(pairing(op, {x: lambda k: x[k] + t[()]}, t, 0), ZERO),
            law="zero gradient sum",
        ),
        Statement(
            "S10",
            "⟨dx, x⟩ = eps rstd² ⟨g, xhat⟩, 0 at eps = 0: the conservation law of the invariance to scale S2",
            Equal(paired, law),
            conjuncts=(Equal(substitute(paired, EXACT), ZERO),),
        ),
    )


def _rms_norm_statements() -> tuple[Statement, ...]:
    op = RMS_NORM
    dy, tx = op.cotangent(y), op.tangent(x)
    value, derived = op.program.inline, op.derived_vjp.inline
    paired, law = _scale_law(op)
    centred_row: dict[Tensor, Replacement] = {x: lambda k: LAYER_NORM.value(centred[k])}
    return (
        Statement(
            "S1",
            "at eps = 0: rms_norm(βx) = rms_norm(x) for every β > 0",
            Equal(op.value(y[c], _scaled()), op.value(y[c], EXACT)),
        ),
        Statement(
            "S2",
            "before the scale the mean square is ms/(ms + eps)",
            Equal(value(average(c, xhat[c] ** 2)), value(ms[()] / (ms[()] + eps[()]))),
            law="moments",
        ),
        Statement(
            "S3",
            "rms_norm(x − mean(x)) = layer_norm(x) without bias",
            Equal(op.value(y[c], centred_row), LAYER_NORM.value(y[c], {bias: lambda _: ZERO})),
        ),
        Statement(
            "S4",
            "dx = rstd (g − xhat mean(g ∘ xhat)), g = dy ∘ weight, is the vector-Jacobian product",
            Equal(derived(op.gradient(x)[c]), _normalised_vjp(op, centres=False)),
        ),
        Statement(
            "S5",
            "dweight = dy ∘ xhat",
            Equal(derived(op.gradient(weight)[c]), value(dy[c] * xhat[c])),
        ),
        Statement(
            "S6",
            "ty = tweight ∘ xhat + weight ∘ rstd (tx − xhat mean(xhat ∘ tx))",
            Equal(op.derived_jvp.inline(op.tangent(y)[c]), _normalised_jvp(op, tx[c], tx[f], centres=False)),
        ),
        Statement("S7", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S8",
            "⟨dx, x⟩ = eps rstd² ⟨g, xhat⟩, 0 at eps = 0: the conservation law of the invariance to scale S1",
            Equal(paired, law),
            conjuncts=(Equal(substitute(paired, EXACT), ZERO),),
        ),
    )


def _residual_statements(op: Operation, plain: Operation) -> tuple[Statement, ...]:
    """What holds of a residual sum followed by the norm `plain`, except the conservation law."""
    dy, ds = op.cotangent(y), op.cotangent(s)
    centres = bias in op.differentiable
    derived = op.derived_vjp.inline
    summed: dict[Tensor, Replacement] = {x: lambda k: x[k] + r[k]}
    inner = plain.derived_vjp.inline(plain.gradient(x)[c], summed)
    moved = [op.tangent(x)[k] + op.tangent(r)[k] for k in (c, f)]
    jvp = _normalised_jvp(op, moved[0], moved[1], centres=centres)
    if centres:
        jvp = jvp + op.tangent(bias)[c]
    name = plain.name
    affine = [Equal(derived(op.gradient(weight)[c]), op.program.inline(dy[c] * xhat[c]))]
    if centres:
        affine.append(Equal(derived(op.gradient(bias)[c]), dy[c]))
    return (
        Statement(
            "S1",
            f"y = {name}(x + r), and s = x + r",
            Equal(op.value(y[c]), plain.value(y[c], summed)),
            conjuncts=(Equal(op.value(s[c]), x[c] + r[c]),),
        ),
        Statement(
            "S2",
            f"dx = ds + the gradient of {name} at x + r: the residual path passes its cotangent unchanged",
            Equal(derived(op.gradient(x)[c]), ds[c] + inner),
            conjuncts=(Equal(inner, _normalised_vjp(op, centres=centres)),),
        ),
        Statement(
            "S3",
            "dr = dx",
            Equal(derived(op.gradient(r)[c]), derived(op.gradient(x)[c])),
            law="equal gradients",
        ),
        Statement(
            "S4",
            "dweight = dy ∘ xhat" + (" and dbias = dy" if centres else ""),
            affine[0],
            conjuncts=tuple(affine[1:]),
        ),
        Statement(
            "S5",
            f"ts = tx + tr, and ty is the Jacobian-vector product of {name} in its direction",
            Equal(op.derived_jvp.inline(op.tangent(y)[c]), jvp),
            conjuncts=(Equal(op.derived_jvp.inline(op.tangent(s)[c]), moved[0]),),
        ),
        Statement("S6", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def _add_layer_norm_statements() -> tuple[Statement, ...]:
    op, t = ADD_LAYER_NORM, Tensor("t")
    return (
        *_residual_statements(op, LAYER_NORM),
        Statement(
            "S7",
            "Σ_c dx[c] = Σ_c ds[c]: the conservation law of the shift invariance",
            Equal(pairing(op, {x: lambda k: x[k] + t[()]}, t, 0), total(c, op.cotangent(s)[c])),
            law="residual gradient sum",
        ),
    )


def _add_rms_norm_statements() -> tuple[Statement, ...]:
    op, t = ADD_RMS_NORM, Tensor("t")
    scaling: dict[Tensor, Replacement] = {x: lambda k: t[()] * x[k], r: lambda k: t[()] * r[k]}
    return (
        *_residual_statements(op, RMS_NORM),
        Statement(
            "S7",
            "⟨dx, s⟩ = ⟨ds, s⟩ at eps = 0: the conservation law of the invariance to scale",
            Equal(
                substitute(pairing(op, scaling, t, 1), EXACT),
                op.program.inline(total(c, op.cotangent(s)[c] * s[c])),
            ),
        ),
    )


_WEIGHT = Input("scale of each feature `[d]`", ONE, shared=True)
_BIAS = Input("shift of each feature `[d]`", ZERO, shared=True)
_X = Input("features `[..., d]`")
_R = Input("residual `[..., d]`, added to x")
_LAYER_EPS = Input("added to the variance", Const(Fraction(1, 10**5)))
_RMS_EPS = Input("added to the mean square", Const(Fraction(1, 2**52)))
_OUTPUT = {"y": "normalised features `[..., d]`"}
_SUM = {"s": "sum x + r `[..., d]`"}
_LAYER_CONVENTIONS = {"variance": "divided by d, not by d − 1", "eps": "added under the root"}
_RMS_CONVENTIONS = {"eps": "added under the root; torch's default is the machine epsilon of the dtype, here of float64"}
_BA = "Ba, Kiros & Hinton 2016, (4)"
_ZHANG = "Zhang & Sennrich 2019, (4)"

LAYER_NORM = Operation(
    "layer_norm",
    "A row of features brought to mean 0 and variance 1, then scaled and shifted.",
    LAYER_NORM_PROGRAM,
    (x, weight, bias),
    _layer_norm_statements,
    {"x": _X, "weight": _WEIGHT, "bias": _BIAS, "eps": _LAYER_EPS},
    _OUTPUT,
    _LAYER_CONVENTIONS,
    _BA,
    composable=True,
)
RMS_NORM = Operation(
    "rms_norm",
    "A row of features brought to mean square 1, then scaled.",
    RMS_NORM_PROGRAM,
    (x, weight),
    _rms_norm_statements,
    {"x": _X, "weight": _WEIGHT, "eps": _RMS_EPS},
    _OUTPUT,
    _RMS_CONVENTIONS,
    _ZHANG,
    composable=True,
)
ADD_LAYER_NORM = Operation(
    "add_layer_norm",
    "A residual sum and its layer norm.",
    ADD_LAYER_NORM_PROGRAM,
    (x, r, weight, bias),
    _add_layer_norm_statements,
    {"x": _X, "r": _R, "weight": _WEIGHT, "bias": _BIAS, "eps": _LAYER_EPS},
    {**_SUM, **_OUTPUT},
    _LAYER_CONVENTIONS,
    _BA,
)
ADD_RMS_NORM = Operation(
    "add_rms_norm",
    "A residual sum and its RMS norm.",
    ADD_RMS_NORM_PROGRAM,
    (x, r, weight),
    _add_rms_norm_statements,
    {"x": _X, "r": _R, "weight": _WEIGHT, "eps": _RMS_EPS},
    {**_SUM, **_OUTPUT},
    _RMS_CONVENTIONS,
    _ZHANG,
)

OPERATIONS = (LAYER_NORM, RMS_NORM, ADD_LAYER_NORM, ADD_RMS_NORM)
