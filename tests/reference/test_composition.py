"""Compositions against torch in float64: results, gradients of every parameter and tangents, within the derived bound.

Each of the two is allowed the bound of its own rounding, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lemmata.derivations import block_model, block_program
from lemmata.tests.reference import transformers
from lemmata.tests.reference.autograd import jvp
from lemmata.tests.reference.formats import FLOAT64, IN_FLOAT64
from lemmata.tests.reference.functions import bound_of, function

Array = Any
Arrays = dict[str, Array]
OF_TORCH = {**IN_FLOAT64, "erf": FLOAT64}  # its GELU computes 1 + erf, whose error is absolute
WORTH_SAYING = 1e-6  # a bound above this share of the largest gradient would let through what the tests are to see
BLOCK_PARAMETERS = tuple(p.name for p in block_program.PARAMETERS)
MODEL_PARAMETERS = tuple(p.name for p in block_model.MODEL_PARAMETERS)
TEXT = Path(__file__).parents[2] / "examples" / "sonnets.txt"


class Reference:
    """A generated operation: its functions and their bounds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, suffix: str, **arguments: Array) -> tuple[Sequence[Array], Sequence[Array]]:
        """The results of a function that are there, and how far those of torch may be from them."""
        results = self._tuple(function(self.name, suffix)(**arguments))
        bound = bound_of(self.name, suffix)
        own, theirs = (self._tuple(bound(**arguments, precision=p)) for p in (IN_FLOAT64, OF_TORCH))
        kept = [k for k, x in enumerate(results) if x is not None]
        return [results[k] for k in kept], [own[k] + theirs[k] for k in kept]

    @staticmethod
    def _tuple(results: Any) -> tuple[Array, ...]:
        return results if isinstance(results, tuple) else (results,)


def hold(reference: tuple[Sequence[Array], Sequence[Array]], theirs: Sequence[torch.Tensor]) -> None:
    """Each is within its bound of the exact value, so within the sum of both of the other; the bounds say something."""
    ours, bounds = reference
    assert len(ours) == len(theirs) == len(bounds)
    for mine, other, bound in zip(ours, theirs, bounds, strict=True):
        assert np.shape(mine) == other.shape == np.shape(bound)
        assert np.isfinite(bound).all()
        assert (abs(mine - other.detach().numpy()) <= bound).all()


def tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


def shapes_of_a_block(groups: int, members: int) -> dict[str, tuple[int, ...]]:
    d, d_h, d_w, d_f = 6, 3, 5, 7
    return {
        "gain_1": (d,),
        "shift_1": (d,),
        "w_q": (groups, members, d_h, d),
        "w_k": (groups, d_h, d),
        "w_v": (groups, d_w, d),
        "w_o": (groups, members, d, d_w),
        "b_q": (groups, members, d_h),
        "b_k": (groups, d_h),
        "b_v": (groups, d_w),
        "b_o": (d,),
        "gain_2": (d,),
        "shift_2": (d,),
        "w_1": (d_f, d),
        "b_1": (d_f,),
        "w_2": (d, d_f),
        "b_2": (d,),
    }


def drawn(rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]], scale: float = 1.0) -> Arrays:
    return {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}


def compare(
    name: str,
    function: Callable[[dict[str, torch.Tensor]], torch.Tensor],
    arguments: Arrays,
    moving: Sequence[str],
    rng: np.random.Generator,
) -> None:
    """Forward, vector-Jacobian and Jacobian-vector product of an operation with one result."""
    reference = Reference(name)
    given = tensors({k: v for k, v in arguments.items() if v is not None})
    for key in moving:
        given[key].requires_grad_()
    y = function(given)
    hold(reference("", **arguments), [y])
    dy = rng.standard_normal(y.shape)
    gradients = torch.autograd.grad(y, [given[key] for key in moving], torch.from_numpy(dy))
    hold(reference("_vjp", **arguments, dy=dy), gradients)
    tangents = {f"t{key}": rng.standard_normal(np.shape(arguments[key])) for key in moving}
    ty = jvp(
        lambda *inputs: function({**given, **dict(zip(moving, inputs, strict=True))}),
        tuple(given[key].detach() for key in moving),
        tuple(torch.from_numpy(tangents[f"t{key}"]) for key in moving),
    )
    hold(reference("_jvp", **arguments, **tangents), [ty])


HEADS = pytest.mark.parametrize(("groups", "members"), [(1, 1), (3, 1), (2, 2), (1, 3)])
BATCH = pytest.mark.parametrize("batch", [(), (2,)], ids=["alone", "batch"])


@HEADS
@BATCH
@pytest.mark.parametrize("masked", [False, True], ids=["free", "masked"])
def test_multi_head_attention(groups: int, members: int, batch: tuple[int, ...], masked: bool) -> None:
    rng = np.random.default_rng([groups, members, len(batch), masked])
    n, m = 4, 5
    shapes = {k: v for k, v in shapes_of_a_block(groups, members).items() if k[:2] in ("w_", "b_")}
    for name in ("w_1", "b_1", "w_2", "b_2"):
        del shapes[name]
    arguments = drawn(rng, {"x_q": (*batch, n, 6), "x_k": (*batch, m, 6), "x_v": (*batch, m, 6), **shapes})
    moving = tuple(arguments)
    if masked:
        arguments["keep"] = rng.random((*batch, groups, members, n, m)) < 0.7
        arguments["keep"][..., 0] = True
    compare(
        "multi_head_attention",
        lambda p: transformers.attention(p["x_q"], p["x_k"], p["x_v"], p, p.get("keep")),
        arguments,
        moving,
        rng,
    )


@HEADS
@BATCH
@pytest.mark.parametrize("name", ["pre_norm_block", "post_norm_block"])
def test_block(name: str, groups: int, members: int, batch: tuple[int, ...]) -> None:
    rng = np.random.default_rng([groups, members, len(batch)])
    arguments = drawn(rng, {"x": (*batch, 5, 6), **shapes_of_a_block(groups, members)})
    arguments["keep"] = np.tril(np.ones((5, 5), bool))
    block = transformers.pre_norm_block if name == "pre_norm_block" else transformers.post_norm_block
    compare(name, lambda p: block(p["x"], p, p["keep"]), arguments, ("x", *BLOCK_PARAMETERS), rng)


def model(rng: np.random.Generator, layers: int, vocabulary: int, size: int) -> Arrays:
    """Parameters of a language model as it is initialised (Radford et al. 2019): gains 1, the rest N(0, 0.02²).

    With weights as large as 1/√d, as after training, errors that are bounded part by part grow from layer to layer as
    no real error does, and the bound would say little.
    """
    block = {name: (layers, *shape) for name, shape in shapes_of_a_block(2, 2).items()}
    shapes = {"w": (vocabulary, 6), "positions": (size, 6), **block, "gain": (6,), "shift": (6,)}
    parameters = drawn(rng, shapes, 0.02)
    for name in ("gain", "gain_1", "gain_2"):
        parameters[name] = parameters[name] + 1.0
    return parameters


def characters(start: int, rows: int, size: int) -> tuple[Array, Array, int]:
    """Rows of a text as numbers of its characters, the characters that follow them, and how many there are."""
    text = TEXT.read_text(encoding="utf-8")
    alphabet = sorted(set(text))
    numbers = np.array([alphabet.index(character) for character in text])
    places = start + np.arange(rows * size).reshape(rows, size)
    return numbers[places], numbers[places + 1], len(alphabet)


class OnText:
    """Two layers on a few lines of a text: the reference's loss and gradients, with their bounds."""

    def __init__(self) -> None:
        rng = np.random.default_rng(18)
        self.ids, self.target, vocabulary = characters(1000, 3, 32)
        self.parameters = model(rng, 2, vocabulary, 32)
        reference = Reference("language_model")
        arguments = {"ids": self.ids, "target": self.target, **self.parameters}
        dloss = np.full(self.ids.shape, 1.0 / self.ids.size)
        self.results, self.gradients = reference("", **arguments), reference("_vjp", **arguments, dloss=dloss)

    def hold(self, language_model: Callable[..., tuple[torch.Tensor, ...]] = transformers.language_model) -> None:
        """Compares them with a model in torch."""
        given = {name: tensor.requires_grad_() for name, tensor in tensors(self.parameters).items()}
        ids, target = torch.from_numpy(self.ids), torch.from_numpy(self.target)
        loss, mean, logits = language_model(ids, target, given, BLOCK_PARAMETERS)
        hold(self.results, [loss, mean, logits])
        hold(self.gradients, torch.autograd.grad(loss.mean(), [given[name] for name in MODEL_PARAMETERS]))


@pytest.fixture(scope="module")
def on_text() -> OnText:
    return OnText()


def test_two_layers_on_a_text_have_the_loss_and_the_gradients_that_torch_has(on_text: OnText) -> None:
    on_text.hold()


def test_the_bounds_of_the_model_are_far_below_its_gradients(on_text: OnText) -> None:
    for name, gradient, bound in zip(MODEL_PARAMETERS, *on_text.gradients, strict=True):
        if name != "b_k":  # its gradient is 0: the same vector is added to every key
            assert np.max(bound) < WORTH_SAYING * np.max(abs(gradient)), name


def _network_of_tanh(x: torch.Tensor, p: transformers.Parameters) -> torch.Tensor:
    h = torch.nn.functional.gelu(x @ p["w_1"].mT + p["b_1"], approximate="tanh")
    return h @ p["w_2"].mT + p["b_2"]


def _norm_with_another_eps(x: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], gain, shift, 1.001e-5)


def _attention_that_sees_everything(
    x_q: torch.Tensor, x_k: torch.Tensor, x_v: torch.Tensor, p: transformers.Parameters, keep: torch.Tensor | None
) -> torch.Tensor:
    return _ATTENTION(x_q, x_k, x_v, p, None)


_ATTENTION = transformers.attention


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("network", _network_of_tanh),
        ("norm", _norm_with_another_eps),
        ("attention", _attention_that_sees_everything),
    ],
)
def test_a_fault_in_a_part_is_seen(
    on_text: OnText, monkeypatch: pytest.MonkeyPatch, part: str, fault: Callable[..., torch.Tensor]
) -> None:
    monkeypatch.setattr(transformers, part, fault)
    with pytest.raises(AssertionError):
        on_text.hold()


def test_a_table_that_is_not_tied_is_seen(on_text: OnText, monkeypatch: pytest.MonkeyPatch) -> None:
    original = torch.nn.functional.embedding
    monkeypatch.setattr(torch.nn.functional, "embedding", lambda ids, w: original(ids, w.detach()))
    with pytest.raises(AssertionError):
        on_text.hold()
