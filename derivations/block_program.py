"""The programs of transformer blocks: compositions of norms, multi-head attention and a feed-forward network."""

from __future__ import annotations

from . import multihead as heads
from .calculus.call import Call
from .calculus.composite import Composition
from .calculus.expr import ONE, Dim, Entry, Index, Replacement, Tensor, at_least, plain
from .calculus.operation import Operation
from .calculus.program import Def
from .feedforward import FEED_FORWARD
from .multihead import MULTI_HEAD_ATTENTION
from .norm import LAYER_NORM

g_dim, r_dim = Dim("g", grows=False), Dim("r", grows=False)
n = Dim("n")
d, d_h, d_w, d_f = (Dim(name, grows=False) for name in ("d", "d_h", "d_w", "d_f"))
g, r = Index("g", g_dim), Index("r", r_dim)
i, j = Index("i", n), Index("j", n)
c, f = Index("c", d), Index("f", d_f)
e, u = Index("e", d_h), Index("u", d_w)

x, h, y = (Tensor(name, (n, d)) for name in ("x", "h", "y"))
a, b, attended, transformed = (Tensor(name, (n, d)) for name in ("a", "b", "attended", "transformed"))
gain_1, shift_1, gain_2, shift_2 = (Tensor(name, (d,)) for name in ("gain_1", "shift_1", "gain_2", "shift_2"))
w_q, b_q = Tensor("w_q", (g_dim, r_dim, d_h, d)), Tensor("b_q", (g_dim, r_dim, d_h))
w_k, b_k = Tensor("w_k", (g_dim, d_h, d)), Tensor("b_k", (g_dim, d_h))
w_v, b_v = Tensor("w_v", (g_dim, d_w, d)), Tensor("b_v", (g_dim, d_w))
w_o, b_o = Tensor("w_o", (g_dim, r_dim, d, d_w)), Tensor("b_o", (d,))
w_1, b_1 = Tensor("w_1", (d_f, d)), Tensor("b_1", (d_f,))
w_2, b_2 = Tensor("w_2", (d, d_f)), Tensor("b_2", (d,))
keep = Tensor("keep", (g_dim, r_dim, n, n), "boolean")

PARAMETERS = (gain_1, shift_1, w_q, w_k, w_v, w_o, b_q, b_k, b_v, b_o, gain_2, shift_2, w_1, b_1, w_2, b_2)
DIFFERENTIABLE = (x, *PARAMETERS)


# What `keep` is for a decoder, and for an encoder.
CAUSAL: dict[Tensor, Replacement] = {
    keep: lambda group, head, row, key: keep[group, head, row, key] * at_least(plain(row), plain(key))
}
UNMASKED: dict[Tensor, Replacement] = {keep: lambda *_: ONE}


def _tensor(operation: Operation, name: str) -> Tensor:
    return operation.program.tensor(name)


def norm_of_each_token(row: Entry, gain: Tensor, shift: Tensor, result: Tensor) -> Call:
    """Layer norm of each token."""
    arguments = {"x": row, "weight": gain[c], "bias": shift[c]}
    named = {_tensor(LAYER_NORM, name): entry for name, entry in arguments.items()}
    return Call(LAYER_NORM.part, "value", (i,), named, {_tensor(LAYER_NORM, "y"): result})


def _attend(row: Entry, result: Tensor) -> Call:
    """Self-attention: queries, keys and values from one source."""
    arguments = {
        heads.x_q: row,
        heads.x_k: row,
        heads.x_v: row,
        heads.w_q: w_q[g, r, e, c],
        heads.w_k: w_k[g, e, c],
        heads.w_v: w_v[g, u, c],
        heads.w_o: w_o[g, r, c, u],
        heads.b_q: b_q[g, r, e],
        heads.b_k: b_k[g, e],
        heads.b_v: b_v[g, u],
        heads.b_o: b_o[c],
        heads.keep: keep[g, r, i, j],
    }
    return Call(MULTI_HEAD_ATTENTION.part, "value", (), arguments, {heads.y: result})


def _transform(row: Entry, result: Tensor) -> Call:
    """The feed-forward network."""
    arguments = {"x": row, "w_1": w_1[f, c], "b_1": b_1[f], "w_2": w_2[c, f], "b_2": b_2[c]}
    named = {_tensor(FEED_FORWARD, name): entry for name, entry in arguments.items()}
    return Call(FEED_FORWARD.part, "value", (), named, {_tensor(FEED_FORWARD, "y"): result})


PRE_NORM = Composition(
    "pre_norm_block",
    (x, *PARAMETERS, keep),
    (
        norm_of_each_token(x[i, c], gain_1, shift_1, a),
        _attend(a[i, c], attended),
        Def(h[i, c], x[i, c] + attended[i, c], "the stream after attention", "S1"),
        norm_of_each_token(h[i, c], gain_2, shift_2, b),
        _transform(b[i, c], transformed),
        Def(y[i, c], h[i, c] + transformed[i, c], "the stream after the feed-forward network", "S1"),
    ),
    (y,),
)
POST_NORM = Composition(
    "post_norm_block",
    (x, *PARAMETERS, keep),
    (
        _attend(x[i, c], attended),
        Def(a[i, c], x[i, c] + attended[i, c], "residual sum"),
        norm_of_each_token(a[i, c], gain_1, shift_1, h),
        _transform(h[i, c], transformed),
        Def(b[i, c], h[i, c] + transformed[i, c], "residual sum"),
        norm_of_each_token(b[i, c], gain_2, shift_2, y),
    ),
    (y,),
)
