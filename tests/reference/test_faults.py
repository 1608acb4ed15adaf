"""The bounds can fail: each planted fault leaves them, in float64 and in float32."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lemmata.reference import attention as attention_reference
from lemmata.reference import softmax as softmax_reference
from lemmata.reference.bounds.attention import attention_bound, attention_vjp_bound
from lemmata.reference.bounds.softmax import softmax_bound, softmax_vjp_bound
from lemmata.tests.reference.evaluate import worst_share
from lemmata.tests.reference.formats import FLOAT32, FLOAT64, Format

Array = Any
SIZES = {"r": 2, "n": 7, "m": 9, "d": 5, "d_v": 3}
FORMATS = pytest.mark.parametrize("form", [FLOAT64, FLOAT32], ids=["float64", "float32"])


def inputs() -> tuple[Array, Array, Array, Array, Array]:
    rng = np.random.default_rng(17)
    r, n, m, d, d_v = SIZES.values()
    shapes = ((r, n, d), (m, d), (m, d_v), (r, n, d_v), (r, n))
    q, k, v, do, dlse = (rng.standard_normal(shape) for shape in shapes)
    return q, k, v, do, dlse


def by_hand(fault: str = "") -> dict[str, Array]:
    """Attention and its gradients in float64, written out, with one fault."""
    q, k, v, do, dlse = inputs()
    scale = SIZES["d"] ** -0.5
    s = scale * q @ k.T
    if fault == "scale missing in the scores":
        s = s / scale
    if fault == "scale with the wrong size":
        s = s * (SIZES["d"] / (SIZES["d"] + 1)) ** 0.5
    if fault == "one key more is masked":
        s[1, 2, 3] = -np.inf
    a = np.exp(s - s.max(-1, keepdims=True))
    z = a.sum(-1, keepdims=True)
    if fault == "sum over n − 1 keys":
        z = a[..., :-1].sum(-1, keepdims=True)
    if fault == "1e-6 in the denominator":
        z = z + 1e-6
    p = a / z
    o = p @ v
    lse = s.max(-1) + np.log(z[..., 0])
    if fault == "LSE in base 2":
        lse = lse / np.log(2)
    dp = do @ v.T
    delta = (do * o).sum(-1) - dlse
    if fault == "D dropped":
        delta = -dlse
    if fault == "dLSE ignored":
        delta = delta + dlse
    if fault == "dLSE with the wrong sign":
        delta = delta + 2 * dlse
    ds = p * (dp - delta[..., None])
    if fault == "ds without p":
        ds = dp - delta[..., None]
    dk = np.einsum("rij,ric->jc", ds, q) * (1.0 if fault == "scale missing in dK" else scale)
    dq = ds @ k * (scale * scale if fault == "scale twice in dQ" else scale)
    dv = np.einsum("rij,rie->je", p, do)
    if fault == "dV of the first head of the group only":
        dv = p[0].T @ do[0]
    if fault == "dK with the last query dropped":
        dk = np.einsum("rij,ric->jc", ds[:, :-1], q[:, :-1]) * scale
    if fault == "one unit in the fifth digit":
        dq = dq * (1 + 1e-5)
    return {"o": o, "lse": lse, "dq": dq, "dk": dk, "dv": dv}


FAULTS = (
    "scale missing in the scores",
    "scale with the wrong size",
    "one key more is masked",
    "sum over n − 1 keys",
    "1e-6 in the denominator",
    "LSE in base 2",
    "D dropped",
    "dLSE ignored",
    "dLSE with the wrong sign",
    "ds without p",
    "scale missing in dK",
    "scale twice in dQ",
    "dV of the first head of the group only",
    "dK with the last query dropped",
    "one unit in the fifth digit",
)
# Faults of a size that only float64 can tell from rounding.
SUBTLE = ("1e-6 in the denominator", "one unit in the fifth digit")


def share(results: dict[str, Array], form: Format) -> float:
    q, k, v, do, dlse = inputs()
    o, lse = attention_reference.attention(q, k, v)
    dq, dk, dv, _ = attention_reference.attention_vjp(q, k, v, do, dlse)
    precision = {"compute": form}
    o_err, lse_err = attention_bound(q, k, v, precision=precision)
    dq_err, dk_err, dv_err, _ = attention_vjp_bound(q, k, v, do, dlse, precision=precision)
    exact = {"o": o, "lse": lse, "dq": dq, "dk": dk, "dv": dv}
    bounds = {"o": o_err, "lse": lse_err, "dq": dq_err, "dk": dk_err, "dv": dv_err}
    worst, stated = worst_share({name: abs(results[name] - x) for name, x in exact.items()}, bounds)
    assert stated == sum(x.size for x in exact.values())
    return worst


@FORMATS
def test_without_a_fault_the_hand_written_form_is_within(form: Format) -> None:
    # Twice: the reference it is compared with is off as well.
    assert share(by_hand(), form) <= 2.0


@FORMATS
@pytest.mark.parametrize("fault", FAULTS)
def test_attention_with_a_fault_is_out(fault: str, form: Format) -> None:
    if fault not in SUBTLE or form == FLOAT64:
        assert share(by_hand(fault), form) > 2.0
    else:
        assert share(by_hand(fault), form) > share(by_hand(), form)


@FORMATS
@pytest.mark.parametrize(
    "fault",
    [
        lambda x, dp: np.exp(x) / np.exp(x).sum(-1, keepdims=True),  # the shift by the maximum dropped
        lambda x, dp: np.exp(x - x.max()) / np.exp(x - x.max()).sum(-1, keepdims=True),  # the maximum of all rows
        lambda x, dp: softmax_reference.softmax(x[..., :-1]),  # a column short, its probability 0
        lambda x, dp: softmax_reference.softmax(x) * (1 + 1e-5),
    ],
    ids=["no shift", "one shift for all rows", "last column dropped", "fifth digit"],
)
def test_softmax_with_a_fault_is_out(fault: Callable[[Array, Array], Array], form: Format) -> None:
    x = np.array([[1000.0, 1001.0, 999.5], [-800.0, -801.0, -800.5], [0.1, 0.2, 0.3]])
    with np.errstate(all="ignore"):
        wrong = fault(x, x)
        wrong = np.concatenate([wrong, np.zeros((3, 3 - wrong.shape[1]))], axis=-1)
        error = abs(wrong - softmax_reference.softmax(x))
    bound = softmax_bound(x, precision={"compute": form})
    assert np.isfinite(bound).all()
    assert worst_share({"p": error}, {"p": bound})[0] > 2.0


@FORMATS
@pytest.mark.parametrize("fault", ["no D", "transposed Jacobian sign", "p squared"])
def test_softmax_gradients_with_a_fault_are_out(fault: str, form: Format) -> None:
    rng = np.random.default_rng(3)
    x, dp = rng.standard_normal((4, 6)), rng.standard_normal((4, 6))
    p = softmax_reference.softmax(x)
    delta = (p * dp).sum(-1, keepdims=True)
    wrong = {"no D": p * dp, "transposed Jacobian sign": p * (delta - dp), "p squared": p * p * (dp - delta)}[fault]
    bound = softmax_vjp_bound(x, dp, precision={"compute": form})
    assert worst_share({"dx": abs(wrong - softmax_reference.softmax_vjp(x, dp))}, {"dx": bound})[0] > 2.0


def test_an_overflow_of_the_format_is_not_hidden() -> None:
    # 300 · 300 leaves float16 before the scaling; in float32 it does not.
    q = k = np.full((1, 1, 1), 300.0)
    v = np.ones((1, 1))
    half: Format = (11, -14, 65504.0)
    for form, finite in ((half, False), (FLOAT32, True)):
        bounds = attention_bound(q, k[0], v, scale=1.0, precision={"compute": form})
        assert all(np.isfinite(bound).all() == finite for bound in bounds)
