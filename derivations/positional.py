"""# Positional encodings: sinusoidal, rotary, linear biases

Attention does not see the order of tokens. A position enters as a point on circles (sinusoidal), as a rotation of the
queries and keys (rotary, RoPE), or as a penalty that grows with the distance (ALiBi).

Definition
----------
    ω[c] = base^(−number[c]/h)                                   geometric, with number = 0, …, h − 1
    sine[i,c] = sin(pos[i] ω[c]),  cosine[i,c] = cos(pos[i] ω[c])     PE(pos)(2c) and PE(pos)(2c + 1)
    y1[i,c] = x1[i,c] cos(pos[i] ω[c]) − x2[i,c] sin(pos[i] ω[c])     rope
    y2[i,c] = x1[i,c] sin(pos[i] ω[c]) + x2[i,c] cos(pos[i] ω[c])
    bias[r,i,j] = −slope[r] (pos_q[i] − pos_k[j])                     alibi

Statements
----------
geometric:
    S1   the next number has base^(−1/h) times the frequency;
    S2   ω is 1 at number 0 and 1/base at number h;
    S3   it turns sums of numbers into products: ω(a + b) = ω(a) ω(b);
    S4   with base 2⁸ and number = 1, …, r it gives the slopes 2^(−8 number/r) of ALiBi;
    S5   VJP: dnumber = −(log base/h) ω ∘ dω, dbase = −Σ_c number[c] ω[c] dω[c] / (h base);
    S6   JVP: tω = −ω (log base · tnumber + number · tbase/base)/h;
    S7   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩.

sinusoidal:
    S1   PE(t + k) = R(k) PE(t): R turns each pair by kω, whatever t is;
    S2   R(k) is a rotation: RᵀR = I and det R = 1;
    S3   R(k + l) = R(k) R(l) and R(0) = I: each pair is a character of the positions;
    S4   ⟨PE(t), PE(s)⟩ = Σ_c cos((t − s)ω_c);
    S5   it depends on t − s only;
    S6   ⟨PE(t), PE(t)⟩ = h: the norm is constant;
    S7   pair c has the period 2π/ω_c;
    S8   a Fourier family: ∂²PE/∂t² = −ω² PE;
    S9   only the products t·ω matter;
    S10  VJP: dpos[i] = Σ_c ω[c] dθ[i,c], dω[c] = Σ_i pos[i] dθ[i,c] with dθ = dsine ∘ cosine − dcosine ∘ sine;
    S11  JVP: tsine = cosine ∘ tθ, tcosine = −sine ∘ tθ with tθ = tpos ω + pos tω;
    S12  adjoint identity;
    S13  ⟨dpos, pos⟩ = ⟨dω, ω⟩, the law of S9.

rope:
    S1   norms are preserved, pair by pair;
    S2   ⟨R_t q, R_s k⟩ = ⟨q, R_(s−t) k⟩: only relative positions matter;
    S3   shifting all positions leaves every ⟨R_t q, R_s k⟩ unchanged;
    S4   at position 0 it is the identity;
    S5   a pair whose frequency is 0 passes unchanged;
    S6   rotations compose by adding angles;
    S7   linear in x;
    S8   only the products t·ω matter;
    S9   the velocity: ∂y1/∂t = −ω y2, ∂y2/∂t = ω y1;
    S10  pairs are independent of each other;
    S11  VJP: dx1 = cos(tω) dy1 + sin(tω) dy2, dx2 = cos(tω) dy2 − sin(tω) dy1;
    S12  the VJP is the rotation by the inverse angle: dx = R_(−t) dy;
    S13  JVP: ty = R_t tx;
    S14  adjoint identity;
    S15  ⟨dx, x⟩ = ⟨dy, y⟩, the law of S7;
    S16  Σ dx2 x1 − dx1 x2 = Σ dy2 y1 − dy1 y2: turning x turns y;
    S17  the gradient has the norm of the cotangent;
    S18  reordering the features is a conjugation, so interleaved and half are one operation;
    S19  the matrix form is the form in pairs.

alibi:
    S1   only distances matter: shifting all positions leaves the bias unchanged;
    S2   it is 0 where a key has the position of the query;
    S3   it adds along a path: bias(t, s) + bias(s, u) = bias(t, u);
    S4   linear in the slopes;
    S5   to a softmax over the keys, slope · pos_k is the same bias;
    S6   VJP: dslope[r] = −Σ_ij dbias[r,i,j] (pos_q[i] − pos_k[j]);
    S7   JVP: tbias = −tslope (pos_q − pos_k);
    S8   adjoint identity;
    S9   ⟨dslope, slope⟩ = ⟨dbias, bias⟩, the law of S4.

Notation
--------
t, s, k, l positions, as numbers; n queries, m keys; h pairs of features, d = 2h; r heads; pos positions `[..., n]`;
number the exponents of a geometric sequence `[h]`; omega (ω) frequencies `[h]`; theta (θ) angles `[..., n, h]`;
x1, x2 the first and second features of the pairs, passed as one array `[..., n, 2h]`; R_t the rotation of pair c by
tω_c; slope `[r]`. Gradients are `d` + name, tangents `t` + name.

Domain and conventions
----------------------
Positions and frequencies are any real numbers; the frequencies of Vaswani et al. and of Su et al. are geometric, with
base 10000 and number = 0, …, h − 1. A Fourier family means: functions of the position that every shift multiplies by
a phase (sinusoidal S1–S3), which makes them eigenfunctions of the second derivative (S8); it is discrete, because its
frequencies are the h terms of a geometric sequence (geometric S1–S3), wavelengths from 2π to 2π · base^((h−1)/h).

Angles are formed at least in binary64, whatever the format of the features, and rounded to another format only without
their multiples of 2π: in binary32 the product t·ω is off by up to 0.03 at t = 10⁶, which loses the phase.

Partial rotary: h frequencies rotate the first rotary_dim = 2h features of x, which make up the pairs; those after them
pass unchanged, as pairs of frequency 0 do (rope S5, S10).

References
----------
Vaswani et al. 2017, Attention is all you need, section 3.5.
Su et al. 2021, RoFormer: enhanced transformer with rotary position embedding, (34).
Press, Smith & Lewis 2022, Train short, test long: attention with linear biases enables input length extrapolation.
"""

from __future__ import annotations

from .calculus.operation import Input, Operation
from .calculus.statement import Statement
from .positional_alibi import alibi_statements
from .positional_program import (
    ALIBI_PROGRAM,
    GEOMETRIC_PROGRAM,
    ROPE_PROGRAM,
    SINUSOIDAL_PROGRAM,
    base,
    number,
    omega,
    pos,
    slope,
    x1,
    x2,
)
from .positional_rotary import rope_statements
from .positional_sinusoidal import geometric_statements, sinusoidal_statements


def _geometric_statements() -> tuple[Statement, ...]:
    return geometric_statements(GEOMETRIC)


def _sinusoidal_statements() -> tuple[Statement, ...]:
    return sinusoidal_statements(SINUSOIDAL)


def _rope_statements() -> tuple[Statement, ...]:
    return rope_statements(ROPE)


def _alibi_statements() -> tuple[Statement, ...]:
    return alibi_statements(ALIBI)


_POSITIONS = Input("positions `[..., n]`, any real numbers")
_FREQUENCIES = Input("frequencies `[h]`", shared=True)
_ANGLES = {
    "angles": "pos·omega is formed at least in binary64, and rounded to another format only within [−π, π], that is "
    "without its multiples of 2π"
}
_BIAS_POSITIONS = {
    "pos_q": Input("positions of the queries `[..., n]`"),
    "pos_k": Input("positions of the keys `[..., m]`"),
}

GEOMETRIC = Operation(
    "geometric",
    "A geometric sequence: the frequencies of sinusoidal and rotary encodings, the slopes of ALiBi.",
    GEOMETRIC_PROGRAM,
    (number, base),
    _geometric_statements,
    {
        "number": Input("exponents `[..., h]`: 0, …, h − 1 for frequencies, 1, …, h for slopes"),
        "base": Input("positive number: 10000 for frequencies, 256 for slopes"),
    },
    {"omega": "terms of the sequence `[..., h]`: base^(−number/h)"},
    {
        "slopes": "those of the paper for a number of heads that is a power of 2, by the same formula for any other",
    },
    "Vaswani et al. 2017, section 3.5; Press et al. 2022, section 3",
)
SINUSOIDAL = Operation(
    "sinusoidal",
    "Each position becomes a point on h circles, one for each frequency.",
    SINUSOIDAL_PROGRAM,
    (pos, omega),
    _sinusoidal_statements,
    {"pos": _POSITIONS, "omega": _FREQUENCIES},
    {"sine": "sines `[..., n, h]`", "cosine": "cosines `[..., n, h]`", "pe": "encodings `[..., n, 2h]`"},
    {**_ANGLES, "order": "interleaved (2c, 2c + 1) in the paper; half (c, c + h) puts all sines before all cosines"},
    "Vaswani et al. 2017, section 3.5",
    pairs={"pe": ("sine", "cosine")},
)
ROPE = Operation(
    "rope",
    "Each pair of features is rotated by an angle that is proportional to the position.",
    ROPE_PROGRAM,
    (x1, x2),
    _rope_statements,
    {
        "x": Input("queries or keys `[..., n, d]`, d ≥ 2h"),
        "x1": Input("first features of the pairs `[..., n, h]`"),
        "x2": Input("second features of the pairs `[..., n, h]`"),
        "pos": _POSITIONS,
        "omega": _FREQUENCIES,
    },
    {
        "y": "rotated queries or keys `[..., n, d]`",
        "y1": "first features of the rotated pairs `[..., n, h]`",
        "y2": "second features of the rotated pairs `[..., n, h]`",
    },
    {
        **_ANGLES,
        "order": "interleaved pairs (2c, 2c + 1) in the paper; half pairs (c, c + h)",
        "partial rotary": "the first rotary_dim = 2h features are rotated, those after them pass unchanged",
    },
    "Su et al. 2021, (34)",
    pairs={"x": ("x1", "x2"), "y": ("y1", "y2")},
)
ALIBI = Operation(
    "alibi",
    "An additive mask that grows more negative the further the key lies behind the query.",
    ALIBI_PROGRAM,
    (slope,),
    _alibi_statements,
    {"slope": Input("slopes `[r]`, one for each head", shared=True), **_BIAS_POSITIONS},
    {"bias": "additive mask `[..., r, n, m]`"},
    {"future keys": "the formula holds on both sides of the query, so keys after it get a bonus: use a causal mask"},
    "Press et al. 2022, section 3",
)

OPERATIONS = (GEOMETRIC, SINUSOIDAL, ROPE, ALIBI)
