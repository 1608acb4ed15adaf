"""Block-wise attention: what FlashAttention, split keys, ring attention and grouped queries rest on (S20–S23, S28)."""

from __future__ import annotations

from .attention_program import (
    ATTENTION_PROGRAM,
    bias,
    c,
    e,
    i,
    j,
    k,
    keep,
    lse,
    m_dim,
    n,
    o,
    p,
    q,
    r,
    r_dim,
    s,
    scale,
    v,
)
from .calculus.blocks import Split
from .calculus.differentiate import vjp
from .calculus.expr import Dim, Expr, Index, Larger, Subscript, Tensor, exp, log, maximum, substitute, total
from .calculus.operation import Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, Statement, Step

KEYS = Split(m_dim, Dim("m1"), Dim("m2"))
QUERIES = Split(n, Dim("n1"), Dim("n2"))


class _Block:
    """One block of keys: its scores and the quantities that a kernel keeps for it."""

    def __init__(self, which: int) -> None:
        part = 1 if which == 1 else 2
        self.dim = KEYS.first if which == 1 else KEYS.second
        self.k, self.v, self.keep, self.bias = (KEYS.tensor(x, 1 if part == 1 else 2) for x in (k, v, keep, bias))

    def index(self) -> Index:
        return Index("j", self.dim)

    def score(self, key: Index) -> Expr:
        return scale[()] * total(c, q[r, i, c] * self.k[key, c]) + self.bias[r, i, key]

    def maximum(self) -> Expr:
        key = self.index()
        return maximum(key, self.score(key), self.keep[r, i, key])

    def exponential(self, key: Index, top: Expr) -> Expr:
        return self.keep[r, i, key] * exp(self.score(key) - top)

    def partition(self) -> Expr:
        key = self.index()
        return total(key, self.exponential(key, self.maximum()))

    def accumulator(self) -> Expr:
        """The unnormalised output: Σ_j a[j] v[j]."""
        key = self.index()
        return total(key, self.exponential(key, self.maximum()) * self.v[key, e])

    def output(self) -> Expr:
        return self.accumulator() / self.partition()

    def lse(self) -> Expr:
        return self.maximum() + log(self.partition())


def block_statements(op: Operation) -> tuple[Statement, ...]:
    """The statements on blocks of keys and queries, for the attention operation."""
    one, two = _Block(1), _Block(2)
    value = op.program.inline
    top = Larger(one.maximum(), two.maximum())
    z = one.partition() * exp(one.maximum() - top) + two.partition() * exp(two.maximum() - top)
    merged = one.accumulator() * exp(one.maximum() - top) + two.accumulator() * exp(two.maximum() - top)
    whole_o, whole_lse = KEYS.apply(value(o[r, i, e])), KEYS.apply(value(lse[r, i]))
    both = log(exp(one.lse()) + exp(two.lse()))
    blend = exp(one.lse() - both) * one.output() + exp(two.lse() - both) * two.output()
    return (
        Statement(
            "S20",
            "block-wise forward: two blocks of keys, each with its own maximum, rescaled when the maximum grows",
            Equal(whole_o, merged / z),
            conjuncts=(Equal(whole_lse, top + log(z)), *_online_associativity()),
        ),
        Statement(
            "S21",
            "block-wise backward: dQ adds over blocks of keys, dK and dV over blocks of queries, P from the LSE",
            Equal(KEYS.apply(op.derived_vjp.inline(op.gradient(q)[r, i, c])), _dq_by_blocks(op)),
            conjuncts=_dk_dv_by_blocks(op),
        ),
        Statement(
            "S22",
            "splitting the keys and merging by the LSE: O = Σ_b e^(LSE_b − LSE) O_b, LSE = log Σ_b e^(LSE_b)",
            Equal(whole_o, blend),
            chain=(Step(merged / z, "the block-wise form (S20)"),),
            conjuncts=(Equal(whole_lse, both),),
            law="split and merge",
        ),
        _grouped(op),
        Statement(
            "S28",
            "the weights from the LSE alone: P = keep ∘ exp(S − LSE)",
            Equal(value(p[r, i, j]), value(keep[r, i, j] * exp(s[r, i, j] - lse[r, i]))),
        ),
    )


def _online_associativity() -> tuple[Equal, ...]:
    """The merge of (maximum, partition function, accumulator) is associative and has an identity."""
    State = tuple[Expr, Expr, Expr]

    def merge(left: State, right: State) -> State:
        top = Larger(left[0], right[0])
        old, new = exp(left[0] - top), exp(right[0] - top)
        return top, left[1] * old + right[1] * new, left[2] * old + right[2] * new

    def state(number: int) -> State:
        mx, zx, ax = (Tensor(f"{name}{number}")[()] for name in ("m", "z", "a"))
        return mx, zx, ax

    a, b, d = state(1), state(2), state(3)
    left, right = merge(merge(a, b), d), merge(a, merge(b, d))
    empty: State = (a[0], a[1] * 0, a[2] * 0)
    kept = merge(empty, b)
    return (
        *(Equal(x, y) for x, y in zip(left, right, strict=True)),
        Equal(kept[1] * exp(kept[0]), b[1] * exp(b[0])),
        Equal(kept[2] * exp(kept[0]), b[2] * exp(b[0])),
    )


def _probability(row: Subscript, key: Subscript) -> Expr:
    """P from the scores and the saved LSE (Dao 2023, algorithm 2, line 11), the LSE being a name."""
    return keep[r, row, key] * exp(s[r, row, key] - lse[r, row])


def _ds(op: Operation, row: Subscript, key: Subscript) -> Expr:
    do, dlse = op.cotangent(o), op.cotangent(lse)
    D = total(e, do[r, row, e] * o[r, row, e]) - dlse[r, row]
    return _probability(row, key) * (total(e, do[r, row, e] * v[key, e]) - D)


def _dq_by_blocks(op: Operation) -> Expr:
    """Σ over blocks of scale · dS_b K_b, with LSE and D of the whole row."""
    return KEYS.apply(op.program.inline(scale[()] * total(j, _ds(op, i, j) * k[j, c])))


def _dk_dv_by_blocks(op: Operation) -> tuple[Equal, ...]:
    do = op.cotangent(o)
    row = Index("i", n)
    dk = op.program.inline(scale[()] * total(r, row, _ds(op, row, j) * q[r, row, c]))
    dv = op.program.inline(total(r, row, _probability(row, j) * do[r, row, e]))
    return (
        Equal(QUERIES.apply(op.derived_vjp.inline(op.gradient(k)[j, c])), QUERIES.apply(dk)),
        Equal(QUERIES.apply(op.derived_vjp.inline(op.gradient(v)[j, e])), QUERIES.apply(dv)),
    )


def _grouped(op: Operation) -> Statement:
    """Grouped queries are ordinary heads with repeated keys and values; their gradients add over the group."""
    keys, values = Tensor("k_heads", (r_dim, *k.dims)), Tensor("v_heads", (r_dim, *v.dims))
    steps = tuple(Def(step.target, _per_head(step.value, keys, values), step.note) for step in ATTENTION_PROGRAM.steps)
    heads = Program("heads", (q, keys, values, keep, bias, scale), steps, (o, lse))
    derived = vjp(heads, (q, keys, values))
    repeated = {keys: lambda g, key, f: k[key, f], values: lambda g, key, f: v[key, f]}
    dkeys, dvalues = derived.outputs[1], derived.outputs[2]
    return Statement(
        "S23",
        "grouped queries = repeated keys and values, with dK and dV summed over the group",
        Equal(op.value(o[r, i, e]), heads.inline(o[r, i, e], repeated)),
        conjuncts=(
            Equal(op.derived_vjp.inline(op.gradient(k)[j, c]), derived.inline(total(r, dkeys[r, j, c]), repeated)),
            Equal(op.derived_vjp.inline(op.gradient(v)[j, e]), derived.inline(total(r, dvalues[r, j, e]), repeated)),
        ),
        law="grouped queries",
    )


def _per_head(expr: Expr, keys: Tensor, values: Tensor) -> Expr:
    return substitute(expr, {k: lambda key, f: keys[r, key, f], v: lambda key, f: values[r, key, f]})
