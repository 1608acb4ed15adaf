"""The programs of positional encodings: tensors, indices and definitions that the files on them share."""

from __future__ import annotations

from .calculus.expr import Dim, Index, Size, Tensor, cos, exp, log, sin
from .calculus.program import Def, Program

n, m_dim = Dim("n"), Dim("m")
h, r_dim = Dim("h", grows=False), Dim("r", grows=False)
i, j = Index("i", n), Index("j", m_dim)
c, r = Index("c", h), Index("r", r_dim)

number, base = Tensor("number", (h,)), Tensor("base", (), "positive")
pos, omega = Tensor("pos", (n,)), Tensor("omega", (h,))
theta = Tensor("theta", (n, h))
sine, cosine = Tensor("sine", (n, h)), Tensor("cosine", (n, h))
x1, x2 = Tensor("x1", (n, h)), Tensor("x2", (n, h))
y1, y2 = Tensor("y1", (n, h)), Tensor("y2", (n, h))
slope, pos_q, pos_k = Tensor("slope", (r_dim,)), Tensor("pos_q", (n,)), Tensor("pos_k", (m_dim,))
distance, bias = Tensor("distance", (n, m_dim)), Tensor("bias", (r_dim, n, m_dim))

_ANGLES = (
    Def(theta[i, c], pos[i] * omega[c], "angles", angle=True),
    Def(sine[i, c], sin(theta[i, c]), "sines"),
    Def(cosine[i, c], cos(theta[i, c]), "cosines"),
)

GEOMETRIC_PROGRAM = Program(
    "geometric",
    (number, base),
    (Def(omega[c], exp(-(number[c] * log(base[()]) / Size(h))), "a geometric sequence"),),
    (omega,),
)
SINUSOIDAL_PROGRAM = Program("sinusoidal", (pos, omega), _ANGLES, (sine, cosine))
ROPE_PROGRAM = Program(
    "rope",
    (x1, x2, pos, omega),
    (
        *_ANGLES,
        Def(y1[i, c], x1[i, c] * cosine[i, c] - x2[i, c] * sine[i, c], "first features of the rotated pairs"),
        Def(y2[i, c], x1[i, c] * sine[i, c] + x2[i, c] * cosine[i, c], "second features of the rotated pairs"),
    ),
    (y1, y2),
)
ALIBI_PROGRAM = Program(
    "alibi",
    (slope, pos_q, pos_k),
    (
        Def(distance[i, j], pos_q[i] - pos_k[j], "how far the key lies behind the query"),
        Def(bias[r, i, j], -(slope[r] * distance[i, j]), "additive mask"),
    ),
    (bias,),
)
