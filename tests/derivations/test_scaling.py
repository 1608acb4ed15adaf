"""Counts against real modules and a flop counter, and the published allocation of compute."""

from __future__ import annotations

import math
from fractions import Fraction
from importlib import import_module
from typing import Any

import mpmath
import pytest
import torch
from lemmata.derivations.calculus.cost import steps_cost
from lemmata.derivations.calculus.expr import Tensor
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.derivations.scaling import OPERATIONS, TRAINING_FLOPS
from lemmata.derivations.scaling_allocation import COMPUTE_OPTIMAL, FITS, C, C_t, D_opt, Fit, N_opt, alpha, beta, power
from lemmata.derivations.scaling_costs import gradient_steps, kept
from lemmata.derivations.scaling_program import training, weights
from lemmata.derivations.softmax import SOFTMAX, p
from lemmata.reference.activation_bytes import activation_bytes
from lemmata.reference.attention_intensity import attention_intensity
from lemmata.reference.bounds.compute_optimal import (
    compute_optimal_bound,
    compute_optimal_jvp_bound,
    compute_optimal_vjp_bound,
)
from lemmata.reference.bounds.scaling_law import scaling_law_bound, scaling_law_vjp_bound
from lemmata.reference.compute_optimal import compute_optimal, compute_optimal_jvp, compute_optimal_vjp
from lemmata.reference.kv_cache_bytes import kv_cache_bytes
from lemmata.reference.parameter_count import parameter_count
from lemmata.reference.scaling_law import scaling_law, scaling_law_vjp
from lemmata.reference.training_flops import training_flops
from lemmata.tests.reference.formats import IN_FLOAT64
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

GPT2_SMALL = {"layers": 12, "d": 768, "h": 12, "g": 12, "d_k": 64, "ffn_matrices": 2, "d_ff": 3072, "V": 50_257}
LLAMA2_7B = {"layers": 32, "d": 4096, "h": 32, "g": 32, "d_k": 128, "ffn_matrices": 3, "d_ff": 11_008, "V": 32_000}
LLAMA3_8B = {"layers": 32, "d": 4096, "h": 32, "g": 8, "d_k": 128, "ffn_matrices": 3, "d_ff": 14_336, "V": 128_256}
SMALL = {"layers": 2, "d": 24, "h": 6, "g": 2, "d_k": 4, "ffn_matrices": 3, "d_ff": 40, "V": 50}
SMALL_PLAIN = {"layers": 3, "d": 20, "h": 5, "g": 5, "d_k": 4, "ffn_matrices": 2, "d_ff": 52, "V": 30}


class Block(nn.Module):
    """A pre-norm block with grouped queries and either network; real modules, on any device."""

    def __init__(self, size: dict[str, int], *, biases: bool, device: str) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": torch.float32}
        d, heads, shared = size["d"], size["h"] * size["d_k"], size["g"] * size["d_k"]
        norm = nn.LayerNorm if biases else nn.RMSNorm
        self.size = size
        self.norms = nn.ModuleList(norm(d, **made) for _ in range(2))
        self.projections = nn.ModuleList(
            nn.Linear(into, out, bias=biases, **made)
            for into, out in ((d, heads), (d, shared), (d, shared), (heads, d))
        )
        into_hidden = [nn.Linear(d, size["d_ff"], bias=biases, **made) for _ in range(size["ffn_matrices"] - 1)]
        self.network = nn.ModuleList([*into_hidden, nn.Linear(size["d_ff"], d, bias=biases, **made)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One sequence [n, d], or a batch of them; attention written out as products."""
        g, r, d_k = self.size["g"], self.size["h"] // self.size["g"], self.size["d_k"]
        normal = self.norms[0](x)
        q, k, v = (projection(normal) for projection in list(self.projections)[:3])
        q = q.unflatten(-1, (g, r, d_k)).movedim(-4, -2)
        k, v = (t.unflatten(-1, (g, 1, d_k)).movedim(-4, -2) for t in (k, v))
        p = torch.softmax(q @ k.mT / d_k**0.5, -1)
        x = x + self.projections[3]((p @ v).movedim(-2, -4).flatten(-3))
        normal = self.norms[1](x)
        *first, last = self.network
        if len(first) == 2:
            hidden = nn.functional.silu(first[0](normal)) * first[1](normal)
        else:
            hidden = nn.functional.gelu(first[0](normal))
        output: torch.Tensor = x + last(hidden)
        return output


class Decoder(nn.Module):
    """Embedding, blocks, last norm, output projection."""

    def __init__(
        self,
        size: dict[str, int],
        *,
        positions: int = 0,
        biases: bool = False,
        tied: bool = False,
        device: str = "meta",
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(size["V"], size["d"], device=device)
        self.positions = nn.Embedding(positions, size["d"], device=device) if positions else None
        self.blocks = nn.ModuleList(Block(size, biases=biases, device=device) for _ in range(size["layers"]))
        self.norm = (nn.LayerNorm if biases else nn.RMSNorm)(size["d"], device=device)
        self.output = nn.Linear(size["d"], size["V"], bias=False, device=device)
        if tied:
            self.output.weight = self.tokens.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits of a sequence of tokens."""
        x = self.tokens(ids)
        for block in self.blocks:
            x = block(x)
        logits: torch.Tensor = self.output(self.norm(x))
        return logits


def parameters(module: nn.Module) -> int:
    """The parameters of a module, each counted once."""
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("size", "positions", "biases", "tied", "published"),
    [
        pytest.param(GPT2_SMALL, 1024, True, True, 124_439_808, id="GPT-2 small"),
        pytest.param(LLAMA2_7B, 0, False, False, 6_738_415_616, id="Llama 2 7B"),
        pytest.param(LLAMA3_8B, 0, False, False, 8_030_261_248, id="Llama 3 8B, grouped queries"),
        pytest.param(SMALL, 7, True, False, None, id="small, grouped, gated, with biases"),
        pytest.param(SMALL_PLAIN, 0, False, True, None, id="small, tied"),
    ],
)
def test_parameters_of_real_models(
    size: dict[str, int], positions: int, biases: bool, tied: bool, published: int | None
) -> None:
    total, block, embedding = parameter_count(**size, positions=positions, biases=int(biases), untied=int(not tied))
    model = Decoder(size, positions=positions, biases=biases, tied=tied)
    assert total == parameters(model)
    assert block == parameters(model.blocks[0])
    assert embedding == parameters(model.tokens) + (0 if model.positions is None else parameters(model.positions))
    assert published is None or total == published


def test_parameters_of_single_modules() -> None:
    """PyTorch's own layers, from the same formula: a block without its other parts."""
    size = {"layers": 1, "d": 24, "h": 6, "g": 6, "d_k": 4, "ffn_matrices": 2, "d_ff": 56, "V": 0}
    rest = {"positions": 0, "untied": 0}
    for biases in (False, True):
        layer = nn.TransformerEncoderLayer(24, 6, 56, bias=biases, device="meta")
        assert parameter_count(**size, **rest, biases=int(biases))[1] == parameters(layer)
        attention = nn.MultiheadAttention(24, 6, bias=biases, device="meta")
        norm = nn.LayerNorm(24, bias=biases, device="meta")
        network = nn.Sequential(
            nn.Linear(24, 56, bias=biases, device="meta"), nn.Linear(56, 24, bias=biases, device="meta")
        )
        assert parameter_count(**size, **rest, biases=int(biases))[1] == sum(
            map(parameters, (attention, norm, norm, network))
        )
    assert parameter_count(**{**size, "layers": 0, "V": 50}, positions=9, biases=0, untied=0)[2] == parameters(
        nn.Embedding(50, 24, device="meta")
    ) + parameters(nn.Embedding(9, 24, device="meta"))


@pytest.mark.parametrize("size", [SMALL, SMALL_PLAIN, {**SMALL, "layers": 1, "d": 17, "g": 3}], ids=str)
@pytest.mark.parametrize(("batch", "n"), [(1, 1), (2, 13)])
def test_operations_of_a_real_model(size: dict[str, int], batch: int, n: int) -> None:
    """PyTorch's counter, which counts products alone, forward and backward."""
    model = Decoder(size, device="cpu")
    ids = torch.zeros(batch, n, dtype=torch.int64)
    with FlopCounterMode(display=False) as forward_counter:
        logits = model(ids)
    with FlopCounterMode(display=False) as backward_counter:
        logits.sum().backward()
    both, forward, backward, _ = training_flops(**size, n=n)
    assert forward_counter.get_total_flops() == batch * n * forward
    assert backward_counter.get_total_flops() == batch * n * backward
    assert both == forward + backward


def test_the_numbers_of_six_operations_a_parameter() -> None:
    """GPT-3's 175 billion parameters: the products with weights are 6N, and attention adds little to them."""
    size = {"layers": 96, "d": 12_288, "h": 96, "g": 96, "d_k": 128, "ffn_matrices": 2, "d_ff": 49_152, "V": 50_257}
    both, _, _, matrices = training_flops(**size, n=2048)
    total, _, embedding = parameter_count(**size, positions=2048, biases=1, untied=0)
    attention = 12 * size["layers"] * size["h"] * size["d_k"] * 2048
    assert both == 6 * matrices + attention
    assert 0.99 < (matrices - 50_257 * 12_288) / (total - embedding) < 1
    assert 174e9 < total < 176e9
    assert attention / both < 0.03


@pytest.mark.parametrize(("size", "biases"), [(SMALL, False), (SMALL_PLAIN, False), (SMALL_PLAIN, True)], ids=str)
def test_activations_that_autograd_keeps(size: dict[str, int], biases: bool) -> None:
    """The arrays that PyTorch saves for the backward pass of a block, views of one array counted once, without weights.

    Eager PyTorch keeps more than the formula, which is told here to the last number: the statistics of the norms; the
    normalised rows of an RMSNorm, which it computes step by step; silu's output beside its input; keys and values that
    it has repeated for each query head of a group.
    """
    n = 13
    block = Block(size, biases=biases, device="cpu")
    own = {p.data_ptr() for p in block.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        if t.untyped_storage().data_ptr() not in own:
            saved[t.untyped_storage().data_ptr()] = t
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        output = block(torch.randn(n, size["d"], requires_grad=True))
    assert output.requires_grad
    norms = 2 * (2 if biases else 1 + size["d"])
    silu = size["d_ff"] if size["ffn_matrices"] == 3 else 0
    repeated = 2 * (size["h"] - size["g"]) * size["d_k"]
    shape = {name: value for name, value in size.items() if name != "V"} | {"layers": 1}
    stored, recomputed = activation_bytes(**shape, n=n, b=1, itemsize=4)
    assert sum(t.untyped_storage().nbytes() for t in saved.values()) == stored + 4 * n * (norms + silu + repeated)
    assert stored - recomputed == 4 * size["h"] * n * (n - 1)


def test_the_cache_of_keys_and_values() -> None:
    """Llama 3 8B: 128 KiB a token in 2 bytes, a quarter of what it would be without grouping."""
    size = {name: LLAMA3_8B[name] for name in ("layers", "g", "d_k")}
    total, a_token = kv_cache_bytes(**size, m=8192, b=3, itemsize=2)
    assert a_token == 131_072
    assert total == 3 * 8192 * a_token
    keys = torch.zeros(2, 3, size["layers"], size["g"], 8192, size["d_k"], dtype=torch.bfloat16, device="meta")
    assert total == keys.numel() * keys.element_size()
    assert kv_cache_bytes(**{**size, "g": 32}, m=8192, b=3, itemsize=2)[0] == 4 * total


def test_intensity_counts_what_a_real_call_computes_and_moves() -> None:
    r, n, m, d = 3, 5, 17, 8
    q, k, v = torch.randn(1, r, n, d), torch.randn(1, 1, m, d), torch.randn(1, 1, m, d)
    with FlopCounterMode(display=False) as counter:
        o = torch.softmax(q @ k.mT, -1) @ v
    moved = sum(t.numel() * t.element_size() for t in (q, k, v, o))
    intensity, flops, by = attention_intensity(r, n, m, d, 4)
    assert (flops, by) == (counter.get_total_flops(), moved)
    assert Fraction(intensity) == Fraction(flops / by)
    assert attention_intensity(8, 1, 10**9, 128, 2)[0] < 8  # decoding: 2r/itemsize at most


def constants(fit: Fit) -> tuple[float, float, float, float, float]:
    """E, A, B, α and β of a fit, in the order of the arguments."""
    return float(fit.E), float(fit.A), float(fit.B), float(fit.alpha), float(fit.beta)


def exact_loss(N: Any, D: Any, E: Any, A: Any, B: Any, alpha: Any, beta: Any) -> Any:
    """The scaling law as the paper writes it, with the digits of mpmath's context."""
    return E + A / mpmath.power(N, alpha) + B / mpmath.power(D, beta)


def searched(compute: Any, *law: Any) -> tuple[Any, Any, Any]:
    """The allocation that a search for the least loss on the budget finds; no closed form is used."""

    def on_budget(u: Any) -> Any:
        return exact_loss(mpmath.exp(u), compute / (6 * mpmath.exp(u)), *law)

    u = mpmath.findroot(lambda u: mpmath.diff(on_budget, u), mpmath.log(compute / 6) / 2)
    assert all(on_budget(u) < on_budget(u + step) for step in (-3, -0.1, -1e-6, 1e-6, 0.1, 3))
    return mpmath.exp(u), compute / (6 * mpmath.exp(u)), on_budget(u)


def within(found: Any, exact: Any, bound: Any) -> bool:
    """Whether a number is as near to what it should be as its bound says, which is finite."""
    return math.isfinite(bound) and abs(mpmath.mpf(float(found)) - exact) <= mpmath.mpf(float(bound))


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit.source)
@pytest.mark.parametrize("compute", [1e18, 5.76e23])
def test_the_allocation_is_the_minimum_that_a_search_finds(fit: Fit, compute: float) -> None:
    law = constants(fit)
    with mpmath.workdps(60):
        exact = searched(mpmath.mpf(compute), *map(mpmath.mpf, law))
        found = compute_optimal(compute, *law)
        bounds = compute_optimal_bound(compute, *law, precision=IN_FLOAT64)
        assert all(map(within, found, exact, bounds))
        # One part in a million more is outside of the bounds, however flat the loss is there.
        assert not any(within(x * (1 + 1e-6), y, bound) for x, y, bound in zip(found, exact, bounds, strict=True))
        value, bound = scaling_law(*found[:2], *law), scaling_law_bound(*found[:2], *law, precision=IN_FLOAT64)
        assert within(value, exact_loss(*map(mpmath.mpf, (*found[:2], *law))), bound)


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit.source)
def test_gradients_of_the_law_and_of_the_allocation(fit: Fit) -> None:
    """Against differences of 60 digits, of the loss as it is written and of the allocation that is searched for."""
    law = constants(fit)
    point = (3e9, 6e10, *law)
    with mpmath.workdps(60):
        exact_point = list(map(mpmath.mpf, point))
        slopes = [
            mpmath.diff(lambda x, k=k: exact_loss(*(*exact_point[:k], x, *exact_point[k + 1 :])), exact_point[k])
            for k in range(len(point))
        ]
        found = scaling_law_vjp(*point, 1.0)
        assert all(map(within, found, slopes, scaling_law_vjp_bound(*point, 1.0, precision=IN_FLOAT64)))
        compute, exact_law = 1e21, list(map(mpmath.mpf, law))
        h = mpmath.mpf(10) ** 8  # of 10²¹: what a central difference leaves out is of the order of its square, 10⁻²⁶
        after, before = (searched(mpmath.mpf(compute) + step, *exact_law) for step in (h, -h))
        moved = [(x - y) / (2 * h) for x, y in zip(after, before, strict=True)]
        tangents = compute_optimal_jvp(compute, *law, 1.0)
        assert all(map(within, tangents, moved, compute_optimal_jvp_bound(compute, *law, 1.0, precision=IN_FLOAT64)))
        for place, slope in enumerate(moved):
            cotangents = (float(place == 0), float(place == 1), float(place == 2))
            gradient = compute_optimal_vjp(compute, *law, *cotangents)
            bound = compute_optimal_vjp_bound(compute, *law, *cotangents, precision=IN_FLOAT64)
            assert within(gradient, slope, bound)


def test_what_the_papers_say_of_their_fits() -> None:
    """Hoffmann et al. 2022, table 2: N* ∝ C^0.46, D* ∝ C^0.54 from approach 3, whose exponents are printed rounded."""
    first, again = FITS
    share = [float(fit.beta / (fit.alpha + fit.beta)) for fit in (first, again)]
    assert [round(value, 2) for value in share] == [0.45, 0.51]
    N, D, _ = compute_optimal(5.76e23, *constants(again))
    assert 15 < D / N < 30  # Besiroglu et al. 2024: about 20 tokens a parameter, as Chinchilla was trained
    N, _, _ = compute_optimal(5.76e23, *constants(first))
    assert 30e9 < N < 45e9  # Hoffmann et al. 2022, appendix D.3: about 40B parameters at Gopher's budget


def test_false_claims_about_scale_are_refuted() -> None:
    """Faults that a reader of the papers could make, each refuted with a counterexample."""
    value = TRAINING_FLOPS.value
    optimal = COMPUTE_OPTIMAL
    kappa = Tensor("kappa", (), "positive")[()]
    swapped = power(kappa, alpha / (alpha + beta)) * optimal.value(N_opt[()])
    wrong = (
        Equal(value(training[()]), 6 * value(weights[()])),  # attention left out
        Equal(value(training[()]), 2 * value(weights[()])),  # the forward pass alone
        Equal(optimal.value(N_opt[()], {C_t: lambda: kappa * C}), swapped),  # the exponent of the tokens
        Equal(optimal.value(N_opt[()]), optimal.value(D_opt[()])),
    )
    for claim in wrong:
        assert prove(Statement("S1", "false", claim)).status == "refuted"


def test_the_backward_pass_of_softmax_keeps_the_probabilities_alone() -> None:
    """dx = p ∘ (dp − ⟨p, dp⟩): a product, a sum, a difference, a product."""
    assert kept(SOFTMAX) == (p,)
    assert str(steps_cost(gradient_steps(SOFTMAX)).flops) == "4*n"


def test_every_count_is_a_function_of_whole_numbers() -> None:
    for operation in OPERATIONS[:4]:
        assert not operation.differentiable
        arguments = [2 + k for k in range(len(operation.program.inputs))]
        module = import_module(f"lemmata.reference.{operation.name}")
        results = getattr(module, operation.name)(*arguments)
        assert all(isinstance(result, int) for result in results)
