"""# Token embedding and the tied output projection

A token number selects a row of a table; the same table, used the other way round, gives the logits of every token.

Definition
----------
    y[i,c] = w[ids(i),c]
    logits[i,v] = Σ_c h[i,c] w[v,c]

The first is a lookup, which is the product with a one-hot matrix: y[i,c] = Σ_v δ[ids(i),v] w[v,c]. Rows that are not
trained (padding) have a value like any other, and the gradient 0.

Statements
----------
embedding:
    S1   a lookup is the product with a one-hot matrix;
    S2   linear in the table;
    S3   VJP: scatter-add, tokens that occur more than once being summed;
    S4   the gradient of the padding row is zero, its value is not;
    S5   JVP: a lookup in the tangent of the table;
    S6   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S7   Σ_v dw[v] = Σ_i dy[i], the conservation law of the shift of all rows;
    S8   ⟨dw, w⟩ = ⟨dy, y⟩, the law of S2;
    S9   only rows that are read have a gradient.

tied_output:
    S1   linear in the hidden states and in the table;
    S2   VJP: dH = dL W and dW = dLᵀ H, with L the logits;
    S3   JVP;
    S4   adjoint identity;
    S5   ⟨dh, h⟩ = ⟨dw, w⟩ = ⟨dlogits, logits⟩, the laws of S1;
    S6   the gradient of a tied table is the sum of those of its two uses, whatever lies between them.

Notation
--------
ids token numbers `[..., n]`; w table `[V, d]`; trained rows that have a gradient `[V]`; y rows `[..., n, d]`; h hidden
states `[..., n, d]`; logits `[..., n, V]`. Gradients are `d` + name, tangents `t` + name; δ is the Kronecker delta.

Domain and conventions
----------------------
Token numbers are whole numbers from 0 to V − 1. `padding_idx` is `trained[v] = (v ≠ padding_idx)`: the row is read as
it is, as in torch.

References
----------
Vaswani et al. 2017, Attention is all you need, section 3.4.
Press & Wolf 2017, Using the output embedding to improve language models.
"""

from __future__ import annotations

from .calculus.differentiate import vjp
from .calculus.expr import (
    ONE,
    ZERO,
    Delta,
    Dim,
    Expr,
    Gated,
    Index,
    Replacement,
    Subscript,
    Tensor,
    total,
)
from .calculus.operation import Input, Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, Statement, Step
from .calculus.symmetry import pairing

n, V, d = Dim("n"), Dim("V"), Dim("d", grows=False)
i, k = Index("i", n), Index("k", n)
v = Index("v", V)
c, e = Index("c", d), Index("e", d)

ids = Tensor("ids", (n,), "index", V)
w, trained = Tensor("w", (V, d)), Tensor("trained", (V,), "boolean")
h, y = Tensor("h", (n, d)), Tensor("y", (n, d))
logits = Tensor("logits", (n, V))

EMBEDDING_PROGRAM = Program(
    "embedding",
    (ids, w, trained),
    (Def(y[i, c], Gated(w[ids(i), c], trained[ids(i)]), "rows of the table", "S1"),),
    (y,),
)
TIED_OUTPUT_PROGRAM = Program(
    "tied_output", (h, w), (Def(logits[i, v], total(c, h[i, c] * w[v, c]), "products with every row"),), (logits,)
)


def _embedding_statements() -> tuple[Statement, ...]:
    op = EMBEDDING
    dy, tw = op.cotangent(y), op.tangent(w)
    other, alpha, beta, t = Tensor("u", w.dims), Tensor("alpha"), Tensor("beta"), Tensor("t")
    shift, weight = Tensor("a", (d,)), Tensor("f", (V,))
    padding = Index("padding", V)
    every: dict[Tensor, Replacement] = {trained: lambda row: ONE}
    padded: dict[Tensor, Replacement] = {trained: lambda row: 1 - Delta(row, padding)}
    gradient = op.derived_vjp.inline(op.gradient(w)[v, c])

    def rows(table: Tensor) -> Expr:
        return op.value(y[i, c], {w: lambda row, feature: table[row, feature]})

    return (
        Statement(
            "S1",
            "a lookup is the product with a one-hot matrix: w[ids(i)] = Σ_v δ[ids(i),v] w[v]",
            Equal(op.value(y[i, c]), total(v, Delta(ids(i), v) * w[v, c])),
        ),
        Statement(
            "S2",
            "linear in the table: Y(αW + βU) = αY(W) + βY(U)",
            Equal(
                op.value(y[i, c], {w: lambda row, f: alpha[()] * w[row, f] + beta[()] * other[row, f]}),
                alpha[()] * rows(w) + beta[()] * rows(other),
            ),
            law="linear in w",
        ),
        Statement(
            "S3",
            "dw[v] = trained[v] Σ_i δ[ids(i),v] dy[i] is the vector-Jacobian product: a scatter-add, duplicates summed",
            Equal(gradient, trained[v] * total(i, Delta(ids(i), v) * dy[i, c])),
            chain=(
                Step(
                    total(i, Delta(ids(i), v) * trained[ids(i)] * dy[i, c]),
                    "the transposed one-hot matrix (S1) applied to the cotangent of the rows that are trained",
                ),
            ),
        ),
        Statement(
            "S4",
            "the gradient of the padding row is zero; its value does not depend on that",
            Equal(op.derived_vjp.inline(op.gradient(w)[padding, c], padded), ZERO),
            conjuncts=(Equal(op.value(y[i, c], padded), w[ids(i), c]),),
            law="zero padding gradient",
        ),
        Statement(
            "S5",
            "ty[i] = trained[ids(i)] tw[ids(i)] is the Jacobian-vector product",
            Equal(op.derived_jvp.inline(op.tangent(y)[i, c]), trained[ids(i)] * tw[ids(i), c]),
        ),
        Statement("S6", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S7",
            "Σ_v dw[v] = Σ_i dy[i] if every row is trained: the conservation law of the shift Y(W + 1aᵀ) = Y(W) + 1aᵀ",
            Equal(
                op.derived_vjp.inline(total(v, op.gradient(w)[v, c]), every),
                total(i, dy[i, c]),
            ),
            conjuncts=(
                Equal(op.value(y[i, c], {w: lambda row, f: w[row, f] + shift[f]}), op.value(y[i, c]) + shift[c]),
            ),
            law="gradient sum",
        ),
        Statement(
            "S8",
            "⟨dw, w⟩ = ⟨dy, y⟩ if every row is trained: the law of the linearity S2",
            Equal(
                pairing(op, {w: lambda row, f: t[()] * w[row, f]}, t, 1, every),
                op.program.inline(total(i, c, dy[i, c] * y[i, c])),
            ),
            law="table pairing",
        ),
        Statement(
            "S9",
            "only rows that are read have a gradient: Σ_v f[v] dw[v] = Σ_i f[ids(i)] trained[ids(i)] dy[i] for every f",
            Equal(
                op.derived_vjp.inline(total(v, weight[v] * op.gradient(w)[v, c])),
                total(i, weight[ids(i)] * trained[ids(i)] * dy[i, c]),
            ),
        ),
    )


def _tied_statements() -> tuple[Statement, ...]:
    op = TIED_OUTPUT
    dl, th, tw = op.cotangent(logits), op.tangent(h), op.tangent(w)
    states, table = Tensor("g", h.dims), Tensor("u", w.dims)
    alpha, beta, t = Tensor("alpha"), Tensor("beta"), Tensor("t")

    def of(hidden: Tensor, rows: Tensor) -> Expr:
        return op.value(logits[i, v], {h: lambda token, f: hidden[token, f], w: lambda row, f: rows[row, f]})

    paired = op.program.inline(total(i, v, dl[i, v] * logits[i, v]))
    return (
        Statement(
            "S1",
            "linear in the hidden states and in the table",
            Equal(
                op.value(logits[i, v], {h: lambda token, f: alpha[()] * h[token, f] + beta[()] * states[token, f]}),
                alpha[()] * of(h, w) + beta[()] * of(states, w),
            ),
            conjuncts=(
                Equal(
                    op.value(logits[i, v], {w: lambda row, f: alpha[()] * w[row, f] + beta[()] * table[row, f]}),
                    alpha[()] * of(h, w) + beta[()] * of(h, table),
                ),
            ),
            law="bilinear",
        ),
        Statement(
            "S2",
            "dH = dL W and dW = dLᵀ H are the vector-Jacobian product",
            Equal(op.derived_vjp.inline(op.gradient(h)[i, c]), total(v, dl[i, v] * w[v, c])),
            conjuncts=(Equal(op.derived_vjp.inline(op.gradient(w)[v, c]), total(i, dl[i, v] * h[i, c])),),
        ),
        Statement(
            "S3",
            "tL = tH Wᵀ + H tWᵀ is the Jacobian-vector product",
            Equal(op.derived_jvp.inline(op.tangent(logits)[i, v]), total(c, th[i, c] * w[v, c] + h[i, c] * tw[v, c])),
        ),
        Statement("S4", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S5",
            "⟨dh, h⟩ = ⟨dw, w⟩ = ⟨dlogits, logits⟩: the laws of the linearity S1",
            Equal(pairing(op, {h: lambda token, f: t[()] * h[token, f]}, t, 1), paired),
            conjuncts=(Equal(pairing(op, {w: lambda row, f: t[()] * w[row, f]}, t, 1), paired),),
            law="pairing",
        ),
        _tied_gradient(),
    )


def _tied_gradient() -> Statement:
    """Embedding, any network (here its Jacobian at a point), output projection: one table used twice."""
    network = Tensor("J", (n, d, n, d))
    hidden = Def(h[i, c], total(k, e, network[i, c, k, e] * y[k, e]), "a network, to first order")
    whole = Program(
        "tied", (ids, w, trained, network), (*EMBEDDING_PROGRAM.steps, hidden, *TIED_OUTPUT_PROGRAM.steps), (logits,)
    )
    derived = vjp(whole, (w,))
    dl, (dw,) = TIED_OUTPUT.cotangent(logits), derived.outputs

    def states(token: Subscript, feature: Subscript) -> Expr:
        return whole.inline(h[token, feature])

    def cotangent_of_rows(token: Subscript, feature: Subscript) -> Expr:
        dh = TIED_OUTPUT.derived_vjp.inline(TIED_OUTPUT.gradient(h)[i, c], {h: states})
        return total(i, c, network[i, c, token, feature] * dh)

    as_output = TIED_OUTPUT.derived_vjp.inline(TIED_OUTPUT.gradient(w)[v, c], {h: states})
    as_input = EMBEDDING.derived_vjp.inline(EMBEDDING.gradient(w)[v, c], {EMBEDDING.cotangent(y): cotangent_of_rows})
    assert derived.inputs[-1] == dl, "both programs name the cotangent of the logits alike"
    return Statement(
        "S6",
        "the gradient of a tied table is the sum of those as embedding and as output, for any network between the two",
        Equal(derived.inline(dw[v, c]), as_input + as_output),
    )


_TABLE = Input("table `[V, d]`", shared=True)

EMBEDDING = Operation(
    "embedding",
    "A row of a table for each token number.",
    EMBEDDING_PROGRAM,
    (w,),
    _embedding_statements,
    {
        "ids": Input("token numbers `[..., n]`, whole numbers from 0 to V − 1"),
        "w": _TABLE,
        "trained": Input("boolean `[V]`, False for a row whose gradient is 0 (`padding_idx`)", ONE, shared=True),
    },
    {"y": "rows of the table `[..., n, d]`"},
    {"padding row": "read as it is, gradient 0"},
    "Vaswani et al. 2017, section 3.4",
    composable=True,
)
TIED_OUTPUT = Operation(
    "tied_output",
    "The logits of every token: products of the hidden states with the rows of the embedding table.",
    TIED_OUTPUT_PROGRAM,
    (h, w),
    _tied_statements,
    {"h": Input("hidden states `[..., n, d]`"), "w": _TABLE},
    {"logits": "logits `[..., n, V]`"},
    {},
    "Press & Wolf 2017, section 3",
    composable=True,
)

OPERATIONS = (EMBEDDING, TIED_OUTPUT)
