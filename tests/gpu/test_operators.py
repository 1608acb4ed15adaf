"""What PyTorch asks of an operator: opcheck, compilation without graph breaks, second derivatives, autocast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from lemmata.gpu import (
    activation,
    attention,
    embedding,
    linear,
    linear_loss,
    loss,
    norm,
    optimizer,
    positional,
    softmax,
)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


class Use(NamedTuple):
    """A function of this package on tensors, of which the floating ones are differentiated."""

    function: Callable[..., Any]
    tensors: tuple[torch.Tensor, ...]


LABELS, KEEP = torch.tensor([0, 3, 1]), torch.tensor([True, True, False])
SCALE, SHIFT = numbers(4, seed=1), numbers(4, seed=2)
PLACES = numbers(4, seed=5)
X, Y, POSITIVE = numbers(3, 4), numbers(3, 4, seed=3), numbers(3, 4, seed=4).abs() + 0.1
USES = {
    "softmax": Use(lambda x: softmax.softmax(x, 0), (X,)),
    "log_softmax": Use(lambda x: softmax.log_softmax(x, -1), (X,)),
    "logsumexp": Use(lambda x: softmax.logsumexp(x, -1), (X,)),
    "triton_softmax": Use(lambda x: softmax.triton_softmax(x, -1), (X,)),
    "triton_log_softmax": Use(lambda x: softmax.triton_log_softmax(x, 0), (X,)),
    "triton_logsumexp": Use(lambda x: softmax.triton_logsumexp(x, -1), (X,)),
    "attention": Use(
        lambda q, k, v, b: attention.scaled_dot_product_attention(q, k, v, b, softcap=2.0),
        (numbers(1, 2, 3, 4), numbers(1, 2, 5, 4), numbers(1, 2, 5, 3), numbers(1, 1, 3, 5)),
    ),
    "relu": Use(activation.relu, (X,)),
    "silu": Use(activation.silu, (X,)),
    "gelu": Use(activation.gelu, (X,)),
    "gelu_tanh": Use(lambda x: activation.gelu(x, "tanh"), (X,)),
    "swiglu": Use(activation.swiglu, (X, Y)),
    "geglu": Use(activation.geglu, (X, Y)),
    "triton_swiglu": Use(activation.triton_swiglu, (X, Y)),
    "triton_geglu": Use(activation.triton_geglu, (X, Y)),
    "layer_norm": Use(lambda x, w, b: norm.layer_norm(x, (4,), w, b), (X, SCALE, SHIFT)),
    "rms_norm": Use(lambda x, w: norm.rms_norm(x, (4,), w), (X, SCALE)),
    "add_layer_norm": Use(lambda x, r, w, b: norm.add_layer_norm(x, r, weight=w, bias=b), (X, Y, SCALE, SHIFT)),
    "add_rms_norm": Use(lambda x, r, w: norm.add_rms_norm(x, r, weight=w), (X, Y, SCALE)),
    "triton_layer_norm": Use(lambda x, w, b: norm.triton_layer_norm(x, (4,), w, b), (X, SCALE, SHIFT)),
    "triton_add_rms_norm": Use(lambda x, r, w: norm.triton_add_rms_norm(x, r, weight=w), (X, Y, SCALE)),
    "linear": Use(linear.linear, (X, numbers(2, 4), numbers(2))),
    "qkv_projection": Use(linear.qkv_projection, (X, numbers(2, 4), numbers(3, 4), numbers(1, 4))),
    "embedding": Use(lambda ids, w: embedding.embedding(ids, w), (LABELS, numbers(5, 2))),
    "triton_embedding": Use(lambda ids, w: embedding.triton_embedding(ids, w), (LABELS, numbers(5, 2))),
    "cross_entropy": Use(lambda x: loss.cross_entropy(x, LABELS, SCALE.abs(), label_smoothing=0.1), (X,)),
    "soft_cross_entropy": Use(loss.cross_entropy, (X, POSITIVE)),
    "smoothed_cross_entropy": Use(
        lambda x: loss.smoothed_cross_entropy(x, LABELS, 0.2, weight=SCALE.abs(), keep=KEEP, zeta=0.3), (X,)
    ),
    "linear_cross_entropy": Use(lambda h, w: linear_loss.linear_cross_entropy(h, w, LABELS), (X, numbers(6, 4))),
    "triton_cross_entropy": Use(lambda x: loss.triton_cross_entropy(x, LABELS, label_smoothing=0.1), (X,)),
    "triton_linear_cross_entropy": Use(
        lambda h, w: linear_loss.triton_linear_cross_entropy(h, w, LABELS, keep=KEEP, zeta=0.3), (X, numbers(6, 4))
    ),
    "rope": Use(lambda x: positional.rope(x, torch.arange(3.0), torch.ones(1)), (X,)),
    "triton_rope": Use(lambda x: positional.triton_rope(x, torch.arange(3.0), torch.ones(1), interleaved=True), (X,)),
    "sinusoidal": Use(positional.sinusoidal, (numbers(3), numbers(2))),
    "alibi": Use(lambda slope: positional.alibi(slope, PLACES[:3], PLACES), (numbers(2),)),
    "geometric": Use(positional.geometric, (X, torch.tensor(3.0, dtype=torch.float64))),
    "sgd": Use(lambda p, g, v: optimizer.sgd(p, g, 0.1, buf=v, momentum=0.9, weight_decay=0.1), (X, Y, X + Y)),
    "nesterov_sgd": Use(lambda p, g, v: optimizer.nesterov_sgd(p, g, 0.1, 0.9, buf=v), (X, Y, X + Y)),
    "adam": Use(lambda p, g, m, v: optimizer.adam(p, g, m, v, 3.0, 0.1, weight_decay=0.1), (X, Y, X + Y, POSITIVE)),
    "adamw": Use(lambda p, g, m, v: optimizer.adamw(p, g, m, v, 3.0, 0.1), (X, Y, X + Y, POSITIVE)),
    "triton_adam": Use(
        lambda p, g, m, v: optimizer.triton_adam(p, g, m, v, 3.0, 0.1, weight_decay=0.1), (X, Y, X + Y, POSITIVE)
    ),
    "clip_grad_norm": Use(lambda g: optimizer.clip_grad_norm(g, 1.0), (X,)),
}
# What is called by name, with arguments as its schema has them.
CHECKED: dict[str, tuple[Any, ...]] = {
    "softmax": (X, 1),
    "log_softmax": (X, 1),
    "logsumexp": (X, 0, False),
    "triton_softmax": (X, 1),
    "triton_log_softmax": (X, 0),
    "triton_logsumexp": (X, 1),
    "relu": (X,),
    "silu": (X,),
    "gelu": (X,),
    "gelu_tanh": (X,),
    "swiglu": (X, Y),
    "geglu": (X, Y),
    "triton_swiglu": (X, Y),
    "triton_geglu": (X, Y),
    "norm": (X, SCALE, SHIFT, 1e-5, True),
    "add_norm": (X, Y, SCALE, None, 1e-5, False),
    "triton_norm": (X, None, SCALE, SHIFT, 1e-5, True),
    "linear": (X, numbers(2, 4), numbers(2)),
    "qkv_projection": (X, numbers(2, 4), numbers(3, 4), numbers(1, 4), None, None, None),
    "embedding": (LABELS, numbers(5, 2), 3),
    "triton_embedding": (LABELS, numbers(5, 2), 3),
    "cross_entropy": (X, LABELS, KEEP, None, 0.1, 0.2),
    "soft_cross_entropy": (X, Y, None),
    "triton_cross_entropy": (X, LABELS, KEEP, SCALE.abs(), 0.1, 0.2),
    "triton_linear_cross_entropy": (X, numbers(6, 4), LABELS, None, numbers(6).abs(), 0.2),
    "rope": (X, numbers(3, 2).cos(), numbers(3, 2).sin(), True),
    "triton_rope": (X, numbers(3, 2).cos(), numbers(3, 2).sin(), False),
    "sinusoidal": (numbers(3), numbers(2), False),
    "alibi": (numbers(2), numbers(3), numbers(4)),
    "geometric": (X, torch.tensor(3.0, dtype=torch.float64)),
    "sgd": (X, Y, None, 0.1, 0.9, 1.0, 0.1, False),
    "adam": (X, Y, X + Y, POSITIVE, 3.0, 0.1, 0.9, 0.99, 1e-8, 0.1, 0.0),
    "triton_adam": (X, Y, X + Y, POSITIVE, 3.0, 0.1, 0.9, 0.99, 1e-8, 0.0, 0.1),
    "clip_grad_norm": (X, 1.0, 1e-6),
}


def leaves(tensors: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    return [x.clone().requires_grad_() if x.is_floating_point() else x for x in tensors]


@pytest.mark.parametrize("name", CHECKED)
def test_an_operator_meets_pytorchs_contract(name: str) -> None:
    arguments = [x.clone().requires_grad_() if isinstance(x, torch.Tensor) and x.is_floating_point() else x
                 for x in CHECKED[name]]  # fmt: skip
    torch.library.opcheck(getattr(torch.ops.lemmata, name).default, tuple(arguments))


@pytest.mark.parametrize("name", USES)
def test_first_and_second_derivatives(name: str) -> None:
    use = USES[name]
    assert torch.autograd.gradcheck(use.function, leaves(use.tensors))
    assert torch.autograd.gradgradcheck(use.function, leaves(use.tensors))


@pytest.mark.parametrize("name", USES)
def test_compiles_without_graph_breaks(name: str) -> None:
    use = USES[name]
    compiled = torch.compile(use.function, backend="aot_eager", fullgraph=True)
    found = []
    for function in (compiled, use.function):
        tensors = leaves(use.tensors)
        outputs = function(*tensors)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        floating = [x for x in tensors if x.requires_grad]
        found.append([*outputs, *torch.autograd.grad(sum(y.square().sum() for y in outputs), floating)])
    for ours, eager in zip(*found, strict=True):
        assert torch.equal(ours, eager)


# Ours, and PyTorch's, on tensors of the dtype that autocast meets.
CAST: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "softmax": (lambda x: softmax.softmax(x, -1), lambda x: F.softmax(x, -1)),
    "log_softmax": (lambda x: softmax.log_softmax(x, -1), lambda x: F.log_softmax(x, -1)),
    "logsumexp": (lambda x: softmax.logsumexp(x, -1), lambda x: torch.logsumexp(x, -1)),
    "layer_norm": (lambda x: norm.layer_norm(x, (4,)), lambda x: F.layer_norm(x, (4,))),
    "rms_norm": (lambda x: norm.rms_norm(x, (4,)), lambda x: F.rms_norm(x, (4,))),
    "linear": (lambda x: linear.linear(x, SCALE[None].float()), lambda x: F.linear(x, SCALE[None].float())),
    "gelu": (activation.gelu, F.gelu),
    "silu": (activation.silu, F.silu),
    "cross_entropy": (lambda x: loss.cross_entropy(x, LABELS), lambda x: F.cross_entropy(x, LABELS)),
    "attention": (
        lambda x: attention.scaled_dot_product_attention(x[None], x[None].float(), x[None].bfloat16()),
        lambda x: F.scaled_dot_product_attention(x[None], x[None].float(), x[None].bfloat16()),
    ),
}


def cast_alike(name: str, device: str, cast: torch.dtype, given: torch.dtype) -> None:
    ours, theirs = CAST[name]
    x = X.to(device, given).requires_grad_()
    with torch.autocast(device, cast), torch.device(device):
        y, wanted = ours(x), theirs(x)
    (dx,) = torch.autograd.grad(y.float().square().sum(), x)
    assert y.dtype == wanted.dtype
    assert dx.dtype == given


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cast", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", CAST)
def test_autocast_gives_the_dtypes_of_pytorch(name: str, cast: torch.dtype, given: torch.dtype) -> None:
    cast_alike(name, "cpu", cast, given)


@pytest.mark.cuda
@pytest.mark.parametrize("cast", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", sorted(set(CAST) - {"linear", "cross_entropy"}))
def test_autocast_on_cuda(name: str, cast: torch.dtype) -> None:
    cast_alike(name, "cuda", cast, torch.float32)


def test_an_operator_computes_in_the_dtype_that_it_was_given_under_autocast() -> None:
    x = X.float()
    with torch.autocast("cpu", torch.bfloat16):
        y = attention.scaled_dot_product_attention(X[None], X[None], X[None])
        z = linear.linear(x, x)
    assert torch.equal(y, attention.scaled_dot_product_attention(X[None], X[None], X[None]))
    assert torch.equal(z, F.linear(x.bfloat16(), x.bfloat16()))
