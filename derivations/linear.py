"""# Linear layers

Each token is multiplied by one matrix of weights; a bias may be added. Queries, keys and values are three such products
of the same tokens.

Definition
----------
linear:
    y[i,e] = Σ_c x[i,c] weight[e,c] + bias[e]

qkv_projection:
    q[i,e] = Σ_c x[i,c] w_q[e,c] + b_q[e],   k[i,f] = Σ_c x[i,c] w_k[f,c] + b_k[f]
    v[i,g] = Σ_c x[i,c] w_v[g,c] + b_v[g]

Statements
----------
linear:
    S1   VJP: dX = dY W;
    S2   VJP of the parameters: dW = dYᵀ X, db = Σ_i dy[i];
    S3   JVP: tY = tX Wᵀ + X tWᵀ + tb;
    S4   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S5   linear in X, without bias;
    S6   linear in the parameters (W, b);
    S7   ⟨dX, X⟩ = ⟨dY, Y − b⟩, the law of S5;
    S8   ⟨dW, W⟩ + ⟨db, b⟩ = ⟨dY, Y⟩, the law of S6;
    S9   two linear layers in succession are one, with the weights W₂W and the bias W₂b + b₂;
    S10  a low-rank update of the weights is applied without forming it: x(W + BA)ᵀ = xWᵀ + (xAᵀ)Bᵀ;
    S11  the gradients of its factors: dB = dYᵀ(XAᵀ), dA = (dY B)ᵀ X;
    S12  permuting the tokens permutes the rows of Y and leaves dW and db unchanged;
    S13  two blocks of tokens: their gradients of the parameters add up.

qkv_projection:
    S1   one product with the concatenated weights gives q, k and v;
    S2   VJP: dX = dQ W_q + dK W_k + dV W_v, which is that of the concatenated product;
    S3   VJP of the weights: dW_q = dQᵀ X, and likewise the others;
    S4   VJP of the biases: sums over the tokens;
    S5   JVP;
    S6   adjoint identity.

Notation
--------
i tokens (n); c features of the input (d_in); e, f, g features of the outputs (d_out; d_q, d_k, d_v). Weights are stored
one row for each feature of the output, as in torch. Capitals are the same tensors as matrices. Gradients are `d` +
name, tangents `t` + name.

Domain and conventions
----------------------
Every statement holds for all sizes ≥ 1 and all real values. Without a bias it is 0. Weights and biases are shared by
all batches: their gradients are summed over them.

References
----------
Vaswani et al. 2017, Attention is all you need, section 3.2.2 (projections).
Hu et al. 2022, LoRA: low-rank adaptation of large language models, (3).
"""

from __future__ import annotations

from .calculus.blocks import Split
from .calculus.expr import ZERO, Dim, Expr, Index, Permutation, Replacement, Subscript, Tensor, plain, total
from .calculus.operation import Input, Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, Statement, Step
from .calculus.symmetry import pairing

n = Dim("n")
d_in, d_out = Dim("d_in", grows=False), Dim("d_out", grows=False)
i, c, e = Index("i", n), Index("c", d_in), Index("e", d_out)

x, weight, bias = Tensor("x", (n, d_in)), Tensor("weight", (d_out, d_in)), Tensor("bias", (d_out,))
y = Tensor("y", (n, d_out))


def _applied(weights: Tensor, shift: Tensor, out: Subscript) -> Expr:
    """One feature of the output for token i."""
    return total(c, x[i, c] * weights[out, c]) + shift[out]


LINEAR_PROGRAM = Program(
    "linear",
    (x, weight, bias),
    (Def(y[i, e], _applied(weight, bias, e), "matrix product of tokens and weights"),),
    (y,),
)

HEADS = tuple(Dim(name, grows=False) for name in ("d_q", "d_k", "d_v"))
OUT = tuple(Index(name, dim) for name, dim in zip("efg", HEADS, strict=True))
W = tuple(Tensor(f"w_{name}", (dim, d_in)) for name, dim in zip("qkv", HEADS, strict=True))
B = tuple(Tensor(f"b_{name}", (dim,)) for name, dim in zip("qkv", HEADS, strict=True))
Y = tuple(Tensor(name, (n, dim)) for name, dim in zip("qkv", HEADS, strict=True))
_NOTES = ("queries", "keys", "values")

QKV_PROGRAM = Program(
    "qkv_projection",
    (x, *W, *B),
    tuple(Def(out[i, k], _applied(w, b, k), note) for out, w, b, k, note in zip(Y, W, B, OUT, _NOTES, strict=True)),
    Y,
)


def _linear_statements() -> tuple[Statement, ...]:
    return (*_derivatives(), *_linearity(), *_products(), *_tokens())


def _derivatives() -> tuple[Statement, ...]:
    op = LINEAR
    dy, derived = op.cotangent(y), op.derived_vjp.inline
    tx, tw, tb = (op.tangent(tensor) for tensor in (x, weight, bias))
    return (
        Statement(
            "S1",
            "dX = dY W is the vector-Jacobian product",
            Equal(derived(op.gradient(x)[i, c]), total(e, dy[i, e] * weight[e, c])),
        ),
        Statement(
            "S2",
            "dW = dYᵀ X and db = Σ_i dy[i]",
            Equal(derived(op.gradient(weight)[e, c]), total(i, dy[i, e] * x[i, c])),
            conjuncts=(Equal(derived(op.gradient(bias)[e]), total(i, dy[i, e])),),
        ),
        Statement(
            "S3",
            "tY = tX Wᵀ + X tWᵀ + tb is the Jacobian-vector product",
            Equal(
                op.derived_jvp.inline(op.tangent(y)[i, e]),
                total(c, tx[i, c] * weight[e, c]) + total(c, x[i, c] * tw[e, c]) + tb[e],
            ),
        ),
        Statement("S4", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def _linearity() -> tuple[Statement, ...]:
    op = LINEAR
    alpha, beta, t = Tensor("alpha"), Tensor("beta"), Tensor("t")
    u, w, shift = Tensor("u", x.dims), Tensor("w", weight.dims), Tensor("b", bias.dims)
    dy = op.cotangent(y)
    Y = op.value(y[i, e])
    no_bias: dict[Tensor, Replacement] = {bias: lambda _: ZERO}

    def output(inputs: dict[Tensor, Replacement]) -> Expr:
        return op.value(y[i, e], inputs)

    return (
        Statement(
            "S5",
            "linear in X, without bias: Y(αX + βU) = αY(X) + βY(U)",
            Equal(
                output({x: lambda row, k: alpha[()] * x[row, k] + beta[()] * u[row, k], **no_bias}),
                alpha[()] * output(no_bias) + beta[()] * output({x: lambda row, k: u[row, k], **no_bias}),
            ),
            law="linear in X",
        ),
        Statement(
            "S6",
            "linear in the parameters: Y(αW + βW′, αb + βb′) = αY(W, b) + βY(W′, b′)",
            Equal(
                output(
                    {
                        weight: lambda k, f: alpha[()] * weight[k, f] + beta[()] * w[k, f],
                        bias: lambda k: alpha[()] * bias[k] + beta[()] * shift[k],
                    }
                ),
                alpha[()] * Y + beta[()] * output({weight: lambda k, f: w[k, f], bias: lambda k: shift[k]}),
            ),
        ),
        Statement(
            "S7",
            "⟨dX, X⟩ = ⟨dY, Y − b⟩: the law of the linearity in X",
            Equal(pairing(op, {x: lambda row, k: t[()] * x[row, k]}, t, 1), total(i, e, dy[i, e] * (Y - bias[e]))),
            law="input pairing",
        ),
        Statement(
            "S8",
            "⟨dW, W⟩ + ⟨db, b⟩ = ⟨dY, Y⟩: the law of the linearity in the parameters",
            Equal(
                pairing(op, {weight: lambda k, f: t[()] * weight[k, f], bias: lambda k: t[()] * bias[k]}, t, 1),
                total(i, e, dy[i, e] * Y),
            ),
            law="parameter pairing",
        ),
    )


def _products() -> tuple[Statement, ...]:
    """Products of weights: layers in succession, and updates of low rank (factors A of d_r rows, B of d_r columns)."""
    op = LINEAR
    dy = op.cotangent(y)
    k, low = Index("k", Dim("d_2", grows=False)), Index("r", Dim("d_r", grows=False))
    w2, b2 = Tensor("weight2", (k.dim, d_out)), Tensor("bias2", (k.dim,))
    down, up = Tensor("a", (low.dim, d_in)), Tensor("b", (d_out, low.dim))
    updated: dict[Tensor, Replacement] = {
        weight: lambda row, col: weight[row, col] + total(low, up[row, low] * down[low, col])
    }

    def chained(through: Expr, *indices: Index) -> Expr:
        """The gradient of a factor: that of the weights, times the derivative of their update by the factor."""
        return total(*indices, op.derived_vjp.inline(op.gradient(weight)[e, c], updated) * through)

    return (
        Statement(
            "S9",
            "W₂(W x + b) + b₂ = (W₂W) x + (W₂b + b₂)",
            Equal(
                total(e, op.value(y[i, e]) * w2[k, e]) + b2[k],
                total(c, x[i, c] * total(e, w2[k, e] * weight[e, c])) + (total(e, w2[k, e] * bias[e]) + b2[k]),
            ),
        ),
        Statement(
            "S10",
            "(W + BA) x + b = W x + b + B (A x)",
            Equal(
                op.value(y[i, e], updated),
                op.value(y[i, e]) + total(low, up[e, low] * total(c, down[low, c] * x[i, c])),
            ),
        ),
        Statement(
            "S11",
            "of a low-rank update: dB = dYᵀ (X Aᵀ) and dA = (dY B)ᵀ X",
            Equal(
                chained(down[low, c], c),
                total(i, dy[i, e] * total(c, x[i, c] * down[low, c])),
            ),
            chain=(Step(total(c, i, dy[i, e] * x[i, c] * down[low, c]), "dB = dW Aᵀ with dW = dYᵀ X (S2)"),),
            conjuncts=(Equal(chained(up[e, low], e), total(i, total(e, dy[i, e] * up[e, low]) * x[i, c])),),
        ),
    )


def _tokens() -> tuple[Statement, ...]:
    op = LINEAR
    dy, pi = op.cotangent(y), Permutation("π", n)
    moved: dict[Tensor, Replacement] = {
        x: lambda row, k: x[pi(plain(row)), k],
        dy: lambda row, k: dy[pi(plain(row)), k],
    }
    halves = Split(n, Dim("n1"), Dim("n2"))
    first, second = Index("i", halves.first), Index("i", halves.second)
    (x1, x2), (dy1, dy2) = ((halves.tensor(tensor, 1), halves.tensor(tensor, 2)) for tensor in (x, dy))
    derived = op.derived_vjp.inline
    dw, db = op.gradient(weight)[e, c], op.gradient(bias)[e]
    return (
        Statement(
            "S12",
            "permuting the tokens permutes the rows of Y and leaves dW and db unchanged",
            Equal(op.value(y[i, e], {x: moved[x]}), op.value(y[pi(i), e])),
            conjuncts=(
                Equal(derived(dw, moved), derived(dw)),
                Equal(derived(db, moved), derived(db)),
            ),
            law="token permutation",
        ),
        Statement(
            "S13",
            "the gradients of the parameters from two blocks of tokens add up",
            Equal(
                halves.apply(derived(dw)),
                total(first, dy1[first, e] * x1[first, c]) + total(second, dy2[second, e] * x2[second, c]),
            ),
            conjuncts=(Equal(halves.apply(derived(db)), total(first, dy1[first, e]) + total(second, dy2[second, e])),),
        ),
    )


def _qkv_statements() -> tuple[Statement, ...]:
    op = QKV
    derived, tangents = op.derived_vjp.inline, op.derived_jvp.inline
    dys = tuple(op.cotangent(out) for out in Y)
    tx = op.tangent(x)
    backward = [total(k, dy[i, k] * w[k, c]) for dy, w, k in zip(dys, W, OUT, strict=True)]
    weights = [
        Equal(derived(op.gradient(w)[k, c]), total(i, dy[i, k] * x[i, c])) for dy, w, k in zip(dys, W, OUT, strict=True)
    ]
    biases = [Equal(derived(op.gradient(b)[k]), total(i, dy[i, k])) for dy, b, k in zip(dys, B, OUT, strict=True)]
    forward = [
        Equal(
            tangents(op.tangent(out)[i, k]),
            total(c, tx[i, c] * w[k, c]) + total(c, x[i, c] * op.tangent(w)[k, c]) + op.tangent(b)[k],
        )
        for out, w, b, k in zip(Y, W, B, OUT, strict=True)
    ]
    dx = derived(op.gradient(x)[i, c])
    together = _Concatenated()
    projections = [
        Equal(together.output(part, k), op.value(out[i, k], together.inputs()))
        for part, (out, k) in enumerate(zip(Y, OUT, strict=True))
    ]
    return (
        Statement(
            "S1",
            "one product with the rows of W_q, W_k and W_v under each other gives q, k and v",
            projections[0],
            conjuncts=tuple(projections[1:]),
        ),
        Statement(
            "S2",
            "dX = dQ W_q + dK W_k + dV W_v, which is that of the concatenated product",
            Equal(dx, backward[0] + backward[1] + backward[2]),
            conjuncts=(Equal(together.gradient(), op.derived_vjp.inline(op.gradient(x)[i, c], together.inputs())),),
        ),
        Statement("S3", "dW_q = dQᵀ X, dW_k = dKᵀ X, dW_v = dVᵀ X", weights[0], conjuncts=tuple(weights[1:])),
        Statement(
            "S4",
            "db_q, db_k and db_v are the sums of dq, dk and dv over the tokens",
            biases[0],
            conjuncts=tuple(biases[1:]),
        ),
        Statement(
            "S5",
            "tq = tX W_qᵀ + X tW_qᵀ + tb_q, and likewise tk and tv",
            forward[0],
            conjuncts=tuple(forward[1:]),
        ),
        Statement("S6", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


class _Concatenated:
    """One linear layer whose features of the output are those of q, then those of k, then those of v."""

    def __init__(self) -> None:
        rest = Dim("d_kv", grows=False)
        self.outer, self.inner = Split(d_out, HEADS[0], rest), Split(rest, HEADS[1], HEADS[2])

    def _parts(self, tensor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        others = self.outer.tensor(tensor, 2)
        return self.outer.tensor(tensor, 1), self.inner.tensor(others, 1), self.inner.tensor(others, 2)

    def inputs(self) -> dict[Tensor, Replacement]:
        """The weights, biases and cotangents of the three projections as blocks of those of the one layer."""
        replaced: dict[Tensor, Replacement] = {}
        blocks = {weight: W, bias: B, LINEAR.cotangent(y): tuple(QKV.cotangent(out) for out in Y)}
        for whole, own in blocks.items():
            for tensor, block in zip(own, self._parts(whole), strict=True):
                replaced[tensor] = lambda *at, block=block: block[at]
        return replaced

    def output(self, part: int, k: Index) -> Expr:
        """Feature k of one of the three parts of the output."""
        if part == 0:
            return self.outer.apply(LINEAR.value(y[i, e]), {e: (1, k)})
        between = Index("e", self.inner.dim)
        return self.inner.apply(
            self.outer.apply(LINEAR.value(y[i, e]), {e: (2, between)}), {between: (1 if part == 1 else 2, k)}
        )

    def gradient(self) -> Expr:
        """The gradient of the tokens."""
        return self.inner.apply(self.outer.apply(LINEAR.derived_vjp.inline(LINEAR.gradient(x)[i, c])))


_X = Input("tokens `[..., n, d_in]`")

LINEAR = Operation(
    "linear",
    "Each token times one matrix of weights, plus a bias.",
    LINEAR_PROGRAM,
    (x, weight, bias),
    _linear_statements,
    {
        "x": _X,
        "weight": Input("weights `[d_out, d_in]`", shared=True),
        "bias": Input("bias `[d_out]`", ZERO, shared=True),
    },
    {"y": "output `[..., n, d_out]`"},
    {"weight layout": "one row for each feature of the output, as in torch"},
    "torch.nn.functional.linear",
)
QKV = Operation(
    "qkv_projection",
    "Queries, keys and values: three linear layers of the same tokens.",
    QKV_PROGRAM,
    (x, *W, *B),
    _qkv_statements,
    {
        "x": _X,
        **{
            w.name: Input(f"weights of the {note} `[{w.dims[0]}, d_in]`", shared=True)
            for w, note in zip(W, _NOTES, strict=True)
        },
        **{
            b.name: Input(f"bias of the {note} `[{b.dims[0]}]`", ZERO, shared=True)
            for b, note in zip(B, _NOTES, strict=True)
        },
    },
    {out.name: f"{note} `[..., n, {out.dims[1]}]`" for out, note in zip(Y, _NOTES, strict=True)},
    {"weight layout": "one row for each feature of the output, as in torch"},
    "Vaswani et al. 2017, section 3.2.2",
)

OPERATIONS = (LINEAR, QKV)
