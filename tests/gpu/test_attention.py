"""Scaled dot product attention: values and gradients, eager and Triton, against float64."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lemmata.gpu.attention import (
    scaled_dot_product_attention,
    scaled_dot_product_attention_with_lse,
    triton_scaled_dot_product_attention,
    triton_scaled_dot_product_attention_with_lse,
)
from lemmata.tests.gpu import expected
from lemmata.tests.gpu.expected import Attention, assert_within
from torch.nn import functional

Function = Callable[..., tuple[torch.Tensor, torch.Tensor]]
Sizes = tuple[int, int, int, int, int, int, int]
Five = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
EAGER, TRITON = scaled_dot_product_attention_with_lse, triton_scaled_dot_product_attention_with_lse
BOTH = pytest.mark.parametrize("function", [EAGER, TRITON], ids=["eager", "triton"])
inf, nan = torch.inf, torch.nan


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def tensors(shape: Sizes, dtype: torch.dtype, device: str = "cpu") -> Five:
    """Query, key, value and the cotangents of output and lse for (B, Hq, Hkv, Sq, Sk, D, Dv)."""
    B, Hq, Hkv, Sq, Sk, D, Dv = shape
    sizes = (B, Hq, Sq, D), (B, Hkv, Sk, D), (B, Hkv, Sk, Dv), (B, Hq, Sq, Dv)
    q, k, v, do = (normal(*size, seed=i).to(device, dtype) for i, size in enumerate(sizes))
    lse_dtype = torch.float64 if dtype is torch.float64 else torch.float32
    return q, k, v, do, normal(B, Hq, Sq, seed=9).to(device, lse_dtype)


def additive(
    mask: torch.Tensor | None, is_causal: bool, shape: tuple[int, ...], window: int | None = None
) -> torch.Tensor:
    """The mask of any kind as float64 terms of the scores."""
    bias = torch.zeros(shape, dtype=torch.float64)
    if is_causal:
        bias += torch.full(shape[-2:], -inf, dtype=torch.float64).triu(1)
    if window is not None:
        bias += torch.full(shape[-2:], -inf, dtype=torch.float64).tril(-window)
    if mask is not None and mask.dtype is torch.bool:
        return bias.masked_fill(~mask.cpu(), -inf)
    return bias if mask is None else bias + mask.detach().double().cpu()


def check(
    function: Function,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    d_output: torch.Tensor,
    d_lse: torch.Tensor,
    mask: torch.Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    window: int | None = None,
) -> None:
    """Output, lse and every gradient of a four-dimensional problem, each within its derived bound."""
    weights_shape = (*query.shape[:3], key.shape[2])
    halves = function is TRITON and query.dtype in (torch.float16, torch.bfloat16)
    exact, bound = expected.attention(
        query,
        key,
        value,
        additive(mask, is_causal, weights_shape, window),
        d_output,
        d_lse,
        scale if scale is not None else 1 / math.sqrt(query.shape[3]),
        truncated_operands=halves,
    )
    inputs = [x.detach().requires_grad_() for x in (query, key, value)]
    if mask is not None and mask.dtype is not torch.bool:
        mask = mask.detach().requires_grad_()
        inputs.append(mask)
    grouped = query.shape[1] != key.shape[1]
    output, lse = function(*inputs[:3], mask, is_causal=is_causal, scale=scale, enable_gqa=grouped, window=window)
    assert output.dtype == query.dtype
    gradients = torch.autograd.grad((output, lse), inputs, (d_output, d_lse))
    for name, actual in zip(Attention._fields, (output, lse, *gradients), strict=False):
        wanted, error = getattr(exact, name), getattr(bound, name)
        if name == "scores":
            forms = expected.precision(actual.dtype, ("dbias",))
            wanted, error = expected.summed_to(actual.shape, wanted, error, forms)
        assert_within(actual, wanted, error, name)


# (B, Hq, Hkv, Sq, Sk, D, Dv): ragged lengths, Sq ≠ Sk, heads of any size, and groups whose size is not Hkv.
SHAPES: list[Sizes] = [
    (2, 2, 2, 63, 100, 16, 16),
    (1, 6, 3, 33, 17, 24, 40),
    (1, 6, 2, 150, 63, 8, 3),
    (1, 2, 1, 140, 260, 4, 4),
    (1, 1, 1, 260, 140, 4, 4),
    (2, 4, 1, 5, 140, 5, 8),
    (1, 1, 1, 1, 1, 1, 1),
    (1, 2, 2, 1, 129, 8, 8),
    (1, 2, 1, 130, 1, 8, 8),
    (1, 2, 1, 0, 5, 8, 4),
    (0, 2, 1, 3, 5, 8, 4),
    (1, 2, 1, 3, 0, 8, 4),
    (1, 2, 1, 3, 5, 8, 0),
]
KINDS = ["none", "causal", "boolean", "additive"]


def mask_of(kind: str, shape: Sizes, dtype: torch.dtype) -> torch.Tensor | None:
    B, Hq, _, Sq, Sk, *_ = shape
    if kind == "boolean":
        mask = normal(B, 1, Sq, Sk, seed=5) > -0.5
        mask[:, :, 1:2] = False
        return mask
    if kind == "additive":
        mask = normal(Hq, Sq, Sk, seed=5).to(dtype)
        mask[:, 2:3] = -inf
        return mask.masked_fill(normal(Sq, Sk, seed=6) > 1, -inf)
    return None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_eager(shape: Sizes, dtype: torch.dtype, kind: str) -> None:
    mask = mask_of(kind, shape, dtype)
    check(EAGER, *tensors(shape, dtype), mask, kind == "causal")


# The interpreter is slow, and float16 takes the same way through a kernel.
INTERPRETED = [*((torch.float32, kind) for kind in KINDS), (torch.float16, "causal"), (torch.float16, "additive")]


@pytest.mark.parametrize(("dtype", "kind"), INTERPRETED, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_triton(shape: Sizes, dtype: torch.dtype, kind: str) -> None:
    mask = mask_of(kind, shape, dtype)
    check(TRITON, *tensors(shape, dtype), mask, kind == "causal")


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("kind", ["boolean", "additive"])
@BOTH
def test_mask_and_its_gradient_broadcast(function: Function, kind: str, is_causal: bool) -> None:
    given = tensors((2, 4, 2, 7, 9, 8, 8), torch.float32)
    for shape in ((7, 9), (9,), (4, 1, 9), (2, 1, 7, 1), (2, 4, 7, 9), (1, 1, 1, 1)):
        mask = normal(*shape, seed=3).float()
        if is_causal:
            with pytest.raises(ValueError, match="exclude"):
                function(*given[:3], mask, is_causal=True, enable_gqa=True)
            continue
        check(function, *given, mask > 0 if kind == "boolean" else mask)


@BOTH
def test_layouts_of_inputs_and_cotangents(function: Function) -> None:
    q, k, v, do, dlse = tensors((2, 4, 2, 6, 9, 8, 8), torch.float32)

    def swapped(x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2).contiguous().transpose(1, 2)

    dlse_swapped = dlse.mT.contiguous().mT
    check(function, swapped(q), swapped(k), swapped(v), swapped(do), dlse_swapped, is_causal=True)
    check(function, q.mT.contiguous().mT, k[:, :, ::2], v[:, :, ::2], do.flip(3)[..., ::1], dlse[:1].expand(2, 4, 6))
    check(function, q[:1].expand_as(q), k[:, :1].expand_as(k), v[:, :, :1].expand_as(v), do, dlse)
    one = torch.ones(())
    mask = normal(9, 6, seed=4).float().T
    check(function, q, k, v, one.expand_as(do), one.expand_as(dlse), mask)
    check(function, q, k, v, do, dlse, (mask > 0)[:, :1].expand(6, 9))


@BOTH
def test_leading_dimensions_broadcast_as_in_torch(function: Function) -> None:
    cases: list[Any] = [
        ((7, 8), (9, 8), (9, 3), {}),
        ((4, 7, 8), (1, 9, 8), (4, 9, 3), {}),
        ((2, 1, 4, 7, 8), (3, 1, 9, 8), (2, 3, 4, 9, 3), {}),
        ((6, 7, 8), (2, 9, 8), (2, 9, 3), {"enable_gqa": True}),
        ((2, 6, 7, 8), (1, 3, 9, 8), (2, 3, 9, 3), {"enable_gqa": True, "is_causal": True}),
        ((2, 2, 6, 7, 8), (2, 2, 3, 9, 8), (2, 2, 3, 9, 3), {"enable_gqa": True, "mask": (2, 1, 1, 7, 9)}),
    ]
    for *shapes, options in cases:
        mask_shape = options.pop("mask", None)
        mask = normal(*mask_shape, seed=7).float() if mask_shape else None
        inputs = [normal(*shape, seed=i).float().requires_grad_() for i, shape in enumerate(shapes)]
        output, lse = function(*inputs, mask, **options)
        q, k, v = inputs
        assert output.shape == functional.scaled_dot_product_attention(q, k, v, mask, **options).shape
        assert lse.shape == output.shape[:-1]
        # The same call with every leading dimension written out, as [batch, heads, ...]: the same numbers.
        kept = 3 if options.get("enable_gqa") else 2
        leading = torch.broadcast_shapes(*(shape[:-kept] for shape in shapes))  # type: ignore[no-untyped-call]
        full = [x.expand(*leading, *x.shape[-kept:]) for x in inputs]
        rank = 4 - kept
        flat = [x.reshape(*((1,) * (rank - len(leading))), *leading, *x.shape[-kept:]) for x in full]
        flat = [x.flatten(0, len(leading) - rank) if len(leading) > rank else x for x in flat]
        if mask is not None:
            mask = mask.expand(*leading, 1, 7, 9).flatten(0, len(leading) - rank)
        whole, _ = function(*flat, mask, **options)
        assert torch.equal(output.flatten(), whole.flatten())
        d = normal(*output.shape, seed=8).float()
        gradients = torch.autograd.grad(output, inputs, d)
        for x, a, b in zip(inputs, gradients, torch.autograd.grad(whole, inputs, d.reshape(whole.shape)), strict=True):
            assert a.shape == x.shape
            assert torch.equal(a, b)


@BOTH
def test_extreme_scores(function: Function) -> None:
    q, k, v, do, dlse = tensors((1, 2, 2, 9, 11, 8, 8), torch.float32)
    check(function, 100 * q, 100 * k, v, do, dlse)
    check(function, 1e-20 * q, 1e-20 * k, 1e10 * v, do, dlse)
    check(function, q, k, v, do, dlse, scale=-3.0)
    check(function, q, k, v, do, dlse, scale=0.0)
    check(function, q, k, v, do, dlse, torch.linspace(-1e4, 1e4, 11))


@BOTH
def test_small_float16_cotangents_do_not_vanish(function: Function) -> None:
    q, k, v, do, dlse = tensors((1, 1, 1, 140, 140, 8, 8), torch.float16)
    check(function, q, 64 * k, v, 1e-3 * do, 0 * dlse, scale=0.1)


@BOTH
def test_a_query_without_keys_gives_zero(function: Function) -> None:
    q, k, v, do, dlse = tensors((1, 2, 2, 4, 5, 8, 8), torch.float32)
    boolean = torch.ones(4, 5, dtype=torch.bool)
    boolean[1] = False
    for mask in (boolean, torch.zeros(4, 5).masked_fill(~boolean, -inf)):
        inputs = [x.clone().requires_grad_() for x in (q, k, v)]
        output, lse = function(*inputs, mask)
        assert (output[:, :, 1] == 0).all()
        assert (lse[:, :, 1] == -inf).all()
        # Not even an infinite or undefined cotangent of that query goes anywhere.
        spoiled = do.clone()
        spoiled[:, :, 1] = nan
        gradients = torch.autograd.grad((output, lse), inputs, (spoiled, dlse))
        assert (gradients[0][:, :, 1] == 0).all()
        assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@BOTH
def test_masked_keys_do_not_leak(function: Function, bad: float) -> None:
    q, k, v, do, dlse = tensors((2, 4, 2, 6, 7, 8, 8), torch.float32)
    padding = torch.tensor([True, True, False, True, True, False, True])
    for mask in (padding.expand(6, 7), torch.zeros(6, 7).masked_fill(~padding, -inf)):
        results = []
        for spoil in (False, True):
            key, value = k.clone(), v.clone()
            if spoil:
                key[:, :, 2], value[:, :, 5], value[:, :, 2, 3] = bad, bad, bad
            inputs = [x.requires_grad_() for x in (q.clone(), key, value)]
            output, lse = function(*inputs, mask, enable_gqa=True)
            results.append((output, lse, *torch.autograd.grad((output, lse), inputs, (do, dlse))))
        for clean, spoiled in zip(*results, strict=True):
            assert torch.equal(clean, spoiled)


@BOTH
def test_special_values_reach_exactly_the_queries_that_see_them(function: Function) -> None:
    q, k, v, do, dlse = tensors((1, 2, 1, 6, 6, 8, 8), torch.float32)
    plain = function(q, k, v, is_causal=True, enable_gqa=True)[0]
    exact, bound = expected.attention(q, k, v, additive(None, True, (1, 2, 6, 6)), do, dlse, 1 / math.sqrt(8))
    k, v = k.clone(), v.clone()
    v[:, :, 2, 0], v[:, :, 3, 0], v[:, :, 3, 1], k[:, :, 5] = inf, -inf, nan, nan
    inputs = [x.requires_grad_() for x in (q.clone(), k, v)]
    output, lse = function(*inputs, is_causal=True, enable_gqa=True)
    assert torch.equal(output[:, :, :2], plain[:, :, :2])
    assert (output[:, :, 2, 0] == inf).all()
    assert output[:, :, 3:5, :2].isnan().all()
    assert_within(output[:, :, 2:5, 2:], exact.output[:, :, 2:5, 2:], bound.output[:, :, 2:5, 2:], "other features")
    assert output[:, :, 5].isnan().all()
    dq, dk, dv = torch.autograd.grad((output, lse), inputs, (do, dlse))
    # Key 5 is seen by query 5 alone, and 0 to 4 by undefined queries among others.
    assert dq[:, :, :2].isfinite().all()
    assert dq[:, :, 2:].isnan().all()
    assert dk.isnan().all(-1).all()
    assert dv[:, :, 5].isnan().all()


@BOTH
def test_an_undefined_query_reaches_only_the_keys_it_sees(function: Function) -> None:
    q, k, v, do, dlse = tensors((1, 2, 1, 6, 6, 8, 8), torch.float32)
    inputs = [x.clone() for x in (q, k, v)]
    inputs[0][:, :, 2] = nan
    output, lse = function(*(x.requires_grad_() for x in inputs), is_causal=True, enable_gqa=True)
    dq, dk, dv = torch.autograd.grad((output, lse), inputs, (do, dlse))
    for by_query in (output, dq, lse[..., None]):
        assert by_query.isnan().any(-1)[0, 0].tolist() == [False, False, True, False, False, False]
    for by_key in (dk, dv):
        assert by_key.isnan().all(-1)[0, 0].tolist() == [True] * 3 + [False] * 3
        assert by_key[:, :, 3:].isfinite().all()


@BOTH
def test_refusals_quote_the_shapes(function: Function) -> None:
    r = normal
    refused: list[Any] = [
        ((r(2, 6, 4, 8), r(2, 4, 5, 8), r(2, 4, 5, 8)), {"enable_gqa": True}, r"query \(2, 6, 4, 8\)"),
        ((r(2, 6, 4, 8), r(2, 3, 5, 8), r(2, 3, 5, 8)), {}, "broadcast"),
        ((r(4, 8), r(5, 8), r(5, 8)), {"enable_gqa": True}, "head dimension"),
        ((r(4, 8), r(5, 7), r(5, 8)), {}, r"key \(5, 7\)"),
        ((r(4, 8), r(5, 8), r(6, 8)), {}, r"value \(6, 8\)"),
        ((r(8), r(5, 8), r(5, 8)), {}, "two dimensions"),
        ((r(4, 8), r(5, 8), r(5, 8)), {"attn_mask": torch.ones(5, 4) > 0}, r"\(5, 4\)"),
        ((r(4, 8), r(5, 8), r(5, 8)), {"attn_mask": torch.ones(3, 1, 1) > 0}, r"\(3, 1, 1\)"),
        ((r(4, 8), r(5, 8), r(5, 8)), {"dropout_p": 0.1}, "dropout"),
    ]
    for arguments, options, message in refused:
        with pytest.raises(ValueError, match=message):
            function(*(x.float() for x in arguments), **options)
    x = r(4, 8).float()
    for arguments, mask in (((x, x.half(), x), None), ((x.int(), x.int(), x.int()), None)):
        with pytest.raises(TypeError, match="float16"):
            function(*arguments, mask)
    with pytest.raises(TypeError, match="attn_mask"):
        function(x, x, x, torch.ones(4, 4, dtype=torch.int32))


def test_triton_refuses_float64_and_interpreted_bfloat16() -> None:
    x = normal(4, 8)
    with pytest.raises(TypeError, match="float32, not float64"):
        triton_scaled_dot_product_attention(x, x, x)
    if torch.cuda.is_available():
        return
    with pytest.raises(NotImplementedError, match="bfloat16"):
        triton_scaled_dot_product_attention(x.bfloat16(), x.bfloat16(), x.bfloat16())
    pytest.skip("NOT RUN: Triton's interpreter does not compute bfloat16")


def test_gradcheck() -> None:
    q, k, v, *_ = (x.requires_grad_() for x in tensors((1, 4, 2, 3, 5, 4, 2), torch.float64))
    mask = normal(3, 1, seed=5).requires_grad_()

    def masked(*inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v, mask = inputs
        return EAGER(q, k, v, mask, enable_gqa=True)

    def causal(*inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = inputs
        return EAGER(q, k, v, is_causal=True, enable_gqa=True)

    assert torch.autograd.gradcheck(masked, (q, k, v, mask))
    assert torch.autograd.gradcheck(causal, (q, k, v))


@BOTH
@pytest.mark.parametrize("window", [1, 3, 40, 100])
def test_a_query_sees_the_keys_of_its_window(function: Function, window: int) -> None:
    # Windows shorter and longer than a block of keys, and more queries than keys, the last of which see none.
    for shape in ((1, 2, 1, 90, 90, 4, 4), (1, 1, 1, 150, 70, 4, 4), (1, 1, 1, 33, 130, 4, 4)):
        check(function, *tensors(shape, torch.float32), is_causal=True, window=window)


@BOTH
def test_windows_and_caps_that_make_no_sense_are_refused(function: Function) -> None:
    x = normal(1, 1, 2, 4).float()
    with pytest.raises(ValueError, match=r"window=0"):
        function(x, x, x, is_causal=True, window=0)
    with pytest.raises(ValueError, match=r"is_causal=False"):
        function(x, x, x, window=2)
    with pytest.raises(ValueError, match=r"softcap=0.0"):
        function(x, x, x, softcap=0.0)


@pytest.mark.parametrize("name", ["attention", "triton_attention"])
def test_operators_meet_pytorchs_contract(name: str) -> None:
    operator = getattr(torch.ops.lemmata, name).default
    q, k, v, _, _ = (x.requires_grad_() for x in tensors((2, 4, 2, 3, 5, 8, 4), torch.float32))
    mask = normal(1, 4, 3, 1, seed=5).float().requires_grad_()
    torch.library.opcheck(operator, (q, k, v, None, True, 0.5, 0.0, 0))
    torch.library.opcheck(operator, (q, k, v, None, True, 0.5, 2.0, 2))
    torch.library.opcheck(operator, (q, k, v, mask, False, 0.5, 0.0, 0))
    torch.library.opcheck(operator, (q, k, v, mask.detach() > 0, False, 0.5, 0.0, 0))


@pytest.mark.parametrize(
    "function", [scaled_dot_product_attention, triton_scaled_dot_product_attention], ids=["eager", "triton"]
)
def test_compiles_without_graph_breaks(function: Callable[..., torch.Tensor]) -> None:
    q, k, v, do, _ = tensors((2, 4, 2, 3, 5, 8, 4), torch.float32)
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    gradients = []
    for f in (compiled, function):
        inputs = [x.clone().requires_grad_() for x in (q, k, v)]
        gradients.append(torch.autograd.grad(f(*inputs, is_causal=True, enable_gqa=True), inputs, do))
    for a, b in zip(*gradients, strict=True):
        assert torch.equal(a, b)


@pytest.mark.cuda
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_triton_on_cuda(shape: Sizes, dtype: torch.dtype, kind: str) -> None:
    mask = mask_of(kind, shape, dtype)
    mask = None if mask is None else mask.cuda()
    given = tensors(shape, dtype, "cuda")
    check(TRITON, *given, mask, kind == "causal")
