"""Softmax, log-softmax and log-sum-exp: values and gradients, eager and Triton, against float64."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from lemmata.gpu.softmax import log_softmax, logsumexp, softmax, triton_softmax
from lemmata.tests.gpu.expected import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX, check_rows

SHAPES = [((63,), 0), ((5, 100), -1), ((3, 63, 7), 1), ((4, 5, 6), 0), ((70, 1), 1), ((), 0), ((0, 3), 0)]
SHAPES += [((0, 3), 1), ((3, 0), 1)]
Function = Callable[..., torch.Tensor]


def check(function: Function, x: torch.Tensor, dy: torch.Tensor, dim: int) -> None:
    x = x.detach().requires_grad_()
    y = function(x, dim)
    (dx,) = torch.autograd.grad(y, x, dy)
    check_rows(SOFTMAX, y, dx, x, dy, dim)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("function", [softmax, triton_softmax])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_softmax(function: Function, dtype: torch.dtype, shape: tuple[int, ...], dim: int) -> None:
    check(function, 3 * normal(*shape).to(dtype), normal(*shape, seed=1).to(dtype), dim)


@pytest.mark.parametrize("function", [softmax, triton_softmax])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_layouts_of_input_and_cotangent(function: Function, dim: int) -> None:
    x, dy = normal(6, 5, 4).float(), normal(6, 5, 4, seed=1).float()
    check(function, x.permute(2, 0, 1), dy.permute(2, 0, 1), dim)
    check(function, x[::2, :, 1:], dy[1::2, :, :3], dim)
    check(function, x[:, :1].expand(6, 5, 4), dy[:, :, :1].expand(6, 5, 4), dim)
    check(function, x[:1, :1, :1].expand(6, 5, 4), torch.ones(()).expand(6, 5, 4), dim)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_triton_rows_longer_than_a_block(dtype: torch.dtype) -> None:
    # The maximum rises from block to block, so every rescaling is used.
    x = normal(2, 5_001).to(dtype) + torch.linspace(-8, 8, 5_001).to(dtype)
    # Cotangents of one sign, or their mean would be too small to show a wrong rescaling of it.
    check(triton_softmax, x, normal(2, 5_001, seed=1).abs().to(dtype), 1)


@pytest.mark.parametrize("function", [softmax, triton_softmax])
def test_extreme_logits(function: Function) -> None:
    x = torch.tensor([[1e4, -1e4, 0.0, 9999.0], [-3e37, 3e37, 0, 1], [-100.0, -200.0, -103.0, -150.0]])
    check(function, x, normal(3, 4).float(), 1)
    x = torch.tensor([[-torch.inf, 2.0, -torch.inf], [-torch.inf, 1e4, 1e4]])
    assert function(x, 1).tolist() == [[0.0, 1.0, 0.0], [0.0, 0.5, 0.5]]


@pytest.mark.parametrize("function", [softmax, triton_softmax])
def test_undefined_rows_are_nan_and_stay_rows(function: Function) -> None:
    inf, nan = torch.inf, torch.nan
    x = torch.tensor([[0.0, nan, 2.0], [inf, 1.0, 2.0], [-inf, -inf, -inf], [nan, nan, nan], [-inf, 1.0, 2.0]])
    x.requires_grad_()
    y = function(x, 1)
    (dx,) = torch.autograd.grad(y, x, torch.tensor([1.0, 2.0, 3.0]).expand(5, 3))
    for result in (y, dx):
        assert result.isnan().all(1).tolist() == [True] * 4 + [False]
        assert result[4].isfinite().all()


@pytest.mark.parametrize("function", [softmax, log_softmax, triton_softmax])
def test_dtype_argument_and_refusals(function: Function) -> None:
    x = torch.tensor([1, 2, 3])
    assert function(x, 0, dtype=torch.float32).dtype is torch.float32
    assert function(x.half(), 0, torch.float32).dtype is torch.float32
    with pytest.raises(TypeError, match="int64"):
        function(x, 0)
    with pytest.raises(IndexError, match=r"\(3,\)"):
        function(x.float(), 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_log_softmax(dtype: torch.dtype, shape: tuple[int, ...], dim: int) -> None:
    x, dy = (3 * normal(*shape)).to(dtype).requires_grad_(), normal(*shape, seed=1).to(dtype)
    y = log_softmax(x, dim)
    (dx,) = torch.autograd.grad(y, x, dy)
    check_rows(LOG_SOFTMAX, y, dx, x, dy, dim)


@pytest.mark.parametrize("keepdim", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_logsumexp(dtype: torch.dtype, shape: tuple[int, ...], dim: int, keepdim: bool) -> None:
    x = (3 * normal(*shape)).to(dtype).requires_grad_()
    y = logsumexp(x, dim, keepdim)
    assert y.shape == torch.logsumexp(x, dim, keepdim).shape
    dy = normal(*y.shape, seed=1).to(dtype)
    (dx,) = torch.autograd.grad(y, x, dy)
    check_rows(LOGSUMEXP, y, dx, x, dy, dim)


def test_logsumexp_as_torch_at_the_edges() -> None:
    inf, nan = torch.inf, torch.nan
    x = torch.tensor([[-inf, -inf], [inf, 0.0], [nan, 0.0], [1e30, -1e30], [-inf, 3.0]])
    wanted = torch.tensor([-inf, inf, nan, 1e30, 3.0])
    for y in (logsumexp(x, 1), torch.logsumexp(x, 1)):
        assert torch.equal(y.isnan(), wanted.isnan())
        assert torch.equal(y[~y.isnan()], wanted[~wanted.isnan()])
    assert logsumexp(torch.arange(3), 0).dtype is torch.get_default_dtype()


def test_gradients_of_gradients() -> None:
    x = normal(3, 4).requires_grad_()
    for function in (softmax, log_softmax, logsumexp):
        assert torch.autograd.gradcheck(lambda t, f=function: f(t, 1), x)
        assert torch.autograd.gradgradcheck(lambda t, f=function: f(t, 1), x)


@pytest.mark.parametrize("function", [softmax, triton_softmax])
def test_bfloat16(function: Function) -> None:
    x, dy = normal(4, 50).bfloat16(), normal(4, 50, seed=1).bfloat16()
    if function is triton_softmax and not torch.cuda.is_available():
        with pytest.raises(NotImplementedError, match="bfloat16"):
            function(x, 1)
        pytest.skip("NOT RUN: Triton's interpreter does not compute bfloat16")
    check(function, x, dy, 1)


def test_operators_meet_pytorchs_contract() -> None:
    x = normal(3, 4).float().requires_grad_()
    for operator in ("softmax", "log_softmax", "triton_softmax"):
        torch.library.opcheck(getattr(torch.ops.lemmata, operator).default, (x, 1))
        torch.library.opcheck(getattr(torch.ops.lemmata, operator).default, (x, 0))
    for keepdim in (True, False):
        torch.library.opcheck(torch.ops.lemmata.logsumexp.default, (x, 1, keepdim))


@pytest.mark.parametrize("function", [softmax, log_softmax, logsumexp, triton_softmax])
def test_compiles_without_graph_breaks(function: Function) -> None:
    x = normal(3, 4).float()
    compiled = torch.compile(lambda t: function(t, 1), backend="aot_eager", fullgraph=True)
    gradients: list[torch.Tensor] = []
    for f in (compiled, lambda t: function(t, 1)):
        leaf = x.clone().requires_grad_()
        gradients += torch.autograd.grad(f(leaf).square().sum(), leaf)
    assert torch.equal(*gradients)


def test_import_does_not_import_triton() -> None:
    code = "import lemmata.gpu.softmax, lemmata.gpu.attention, sys, os; "
    code += "print('triton' in sys.modules, 'TRITON_INTERPRET' in os.environ); "
    code += "import lemmata.gpu; lemmata.gpu.softmax.triton_softmax(lemmata.gpu.softmax.torch.ones(2), 0)"
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False False"


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_triton_on_cuda(dtype: torch.dtype) -> None:
    for shape, dim in SHAPES:
        x, dy = normal(*shape).to("cuda", dtype), normal(*shape, seed=1).to("cuda", dtype)
        check(triton_softmax, x, dy, dim)
