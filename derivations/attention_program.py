"""The programs of attention: tensors, indices and definitions that the files on attention share."""

from __future__ import annotations

from .calculus.expr import Dim, Index, Tensor, exp, log, maximum, tanh, total
from .calculus.program import Def, Program

r_dim, n, m_dim = Dim("r", grows=False), Dim("n"), Dim("m")
d, d_v = Dim("d", grows=False), Dim("d_v", grows=False)
r, i, j = Index("r", r_dim), Index("i", n), Index("j", m_dim)
c, e = Index("c", d), Index("e", d_v)

q, k, v = Tensor("q", (r_dim, n, d)), Tensor("k", (m_dim, d)), Tensor("v", (m_dim, d_v))
keep = Tensor("keep", (r_dim, n, m_dim), "boolean")
bias = Tensor("bias", (r_dim, n, m_dim))
scale, cap = Tensor("scale"), Tensor("cap", (), "positive")

s, t = Tensor("s", (r_dim, n, m_dim)), Tensor("t", (r_dim, n, m_dim))
m, z = Tensor("m", (r_dim, n)), Tensor("z", (r_dim, n))
a, p = Tensor("a", (r_dim, n, m_dim)), Tensor("p", (r_dim, n, m_dim))
o, lse = Tensor("o", (r_dim, n, d_v)), Tensor("lse", (r_dim, n))


def _blend(scores: Tensor) -> tuple[Def, ...]:
    """From scores to output: masked softmax, product with the values, log-sum-exp."""
    return (
        Def(m[r, i], maximum(j, scores[r, i, j], keep[r, i, j]), "row maximum over the keys that are kept"),
        Def(a[r, i, j], keep[r, i, j] * exp(scores[r, i, j] - m[r, i]), "exponentials, 0 where masked", "S2"),
        Def(z[r, i], total(j, a[r, i, j]), "partition function"),
        Def(
            p[r, i, j],
            a[r, i, j] / z[r, i],
            "probabilities",
            "S1",
            within=(0, 1),
            alternatives=(keep[r, i, j] * exp(scores[r, i, j] - (m[r, i] + log(z[r, i]))),),  # from the LSE (S28)
        ),
        Def(o[r, i, e], total(j, p[r, i, j] * v[j, e]), "output"),
        Def(lse[r, i], m[r, i] + log(z[r, i]), "log-sum-exp"),
    )


ATTENTION_PROGRAM = Program(
    "attention",
    (q, k, v, keep, bias, scale),
    (
        Def(s[r, i, j], scale[()] * total(c, q[r, i, c] * k[j, c]) + bias[r, i, j], "scores"),
        *_blend(s),
    ),
    (o, lse),
    zero_over_empty=frozenset({z}),
)

SOFTCAP_PROGRAM = Program(
    "softcapped_attention",
    (q, k, v, keep, bias, scale, cap),
    (
        Def(s[r, i, j], scale[()] * total(c, q[r, i, c] * k[j, c]), "products"),
        Def(t[r, i, j], cap[()] * tanh(s[r, i, j] / cap[()]) + bias[r, i, j], "capped scores"),
        *_blend(t),
    ),
    (o, lse),
    zero_over_empty=frozenset({z}),
)
