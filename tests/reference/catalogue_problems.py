"""Random arguments for any operation of the catalogue, and exact results of its definitions at 50 digits.

Exact values come from `derivations.calculus.evaluate`, which unrolls every sum of the derived programs (before they are
simplified) and shares nothing with the generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
from lemmata.derivations.calculus.differentiate import jvp
from lemmata.derivations.calculus.evaluate import Point, Undefined, all_indices, evaluator
from lemmata.derivations.calculus.expr import Const, Dim, Tensor
from lemmata.derivations.calculus.operation import Input, Operation
from lemmata.derivations.calculus.program import Program
from lemmata.reference.positions import halves, joined
from lemmata.tests.reference.functions import bound_of, function
from lemmata.tests.reference.oracle import DIGITS
from lemmata.tests.reference.problems import REGIMES

Array = Any
# Values for which every operation has derivatives, up to a few single points that are left out where they occur.
KINDS = ("normal", "tens", "tiny", "mixed magnitudes", "large mean", "integers", "zeros", "positive")
LARGEST = 4  # size of a dimension


@dataclass(frozen=True)
class CatalogueProblem:
    """Arguments by the names of tensors; absent ones are left out. `shared` have no batch dimensions."""

    operation: Operation
    sizes: Mapping[Dim, int]
    batch: tuple[int, ...]
    inputs: dict[Tensor, Any]
    cotangents: dict[Tensor, Any]
    tangents: dict[Tensor, Any]
    interleaved: bool = False

    @property
    def shared(self) -> frozenset[Tensor]:
        """The parameters."""
        return frozenset(t for t in self.inputs if self.spec(t).shared)

    def spec(self, tensor: Tensor) -> Input:
        """How an input is passed."""
        return self.operation.inputs.get(tensor.name, Input(""))


def catalogue_problem(operation: Operation, seed: int, *, batch: tuple[int, ...] = ()) -> CatalogueProblem:
    """Sizes, values and which optional arguments are given all follow from the seed."""
    rng = np.random.default_rng([seed, *operation.name.encode()])
    program, kind = operation.program, KINDS[seed % len(KINDS)]
    batch = batch if any(t.dims for t in program.inputs) else ()  # numbers have none
    dims = {dim for t in (*program.inputs, *program.defined) for dim in t.dims}
    dims |= {t.over for t in program.inputs if t.over is not None}
    sizes = {dim: int(rng.integers(1, LARGEST + 1)) for dim in sorted(dims, key=str)}
    inputs: dict[Tensor, Any] = {}
    for tensor in program.inputs:
        spec = operation.inputs.get(tensor.name, Input(""))
        if spec.default is not None and rng.random() < 0.4:
            continue
        inputs[tensor] = _drawn(tensor, rng, sizes, () if spec.shared else batch, kind)
    given = [t for t in operation.differentiable if t in inputs]
    tangents = {
        operation.tangent(t): rng.standard_normal(np.shape(inputs[t])) if t.dims else float(rng.standard_normal())
        for t in given
    }
    cotangents = {}
    for place, output in enumerate(program.outputs):
        if place == 0 or rng.random() < 0.6:
            shape = (*batch, *(sizes[dim] for dim in output.dims))
            cotangents[operation.cotangent(output)] = rng.standard_normal(shape)
    return CatalogueProblem(operation, sizes, batch, inputs, cotangents, tangents, bool(seed % 2))


def _drawn(
    tensor: Tensor, rng: np.random.Generator, sizes: Mapping[Dim, int], batch: tuple[int, ...], kind: str
) -> Any:
    if not tensor.dims:  # a rate, a factor, a count
        return float(np.round(rng.uniform(0.1, 0.9), 3))
    shape = (*batch, *(sizes[dim] for dim in tensor.dims))
    if tensor.kind == "index":
        assert tensor.over is not None
        return rng.integers(0, sizes[tensor.over], shape)
    if tensor.kind == "boolean":
        mask = rng.random(shape) < 0.7
        mask[..., rng.integers(shape[-1])] = True  # a row of nothing is a convention, not a value
        return mask
    x = abs(rng.standard_normal(shape)) if kind == "positive" else REGIMES[kind](rng, shape)
    return abs(x) + 2.0**-20 if tensor.kind == "positive" else x


def _more(problem: CatalogueProblem, kind: str) -> dict[Tensor, Any]:
    """What a function takes besides the inputs."""
    cotangents = problem.cotangents if kind in ("_vjp", "_hvp") else {}
    return cotangents | (problem.tangents if kind in ("_jvp", "_hvp") else {})


# Results -------------------------------------------------------------------------------------------------------------


def arguments(problem: CatalogueProblem, kind: str) -> dict[str, Any]:
    """The arguments of one of the functions, by name."""
    given = {t.name: x for t, x in (*problem.inputs.items(), *_more(problem, kind).items())}
    for name, (first, second) in problem.operation.pairs.items():
        for prefix in ("", "d", "t"):
            members = [given.pop(f"{prefix}{member}", None) for member in (first, second)]
            present = [x for x in members if x is not None]
            if present:  # an absent cotangent of one member is 0
                one, other = (0.0 * present[0] if x is None else x for x in members)
                given[f"{prefix}{name}"] = joined(one, other, None, problem.interleaved)
    return given | ({"interleaved": problem.interleaved} if problem.operation.pairs else {})


def results(problem: CatalogueProblem, kind: str, convert: Any = None, **keywords: Any) -> dict[Tensor, Any]:
    """What a function gives, by output; what is absent is left out."""
    given = {name: x if convert is None else convert(x) for name, x in arguments(problem, kind).items()}
    with np.errstate(all="ignore"):  # single points without a value are left out, and what overflows is bounded so
        return named(problem, kind, function(problem.operation.name, kind)(**given, **keywords))


def bounds(problem: CatalogueProblem, kind: str, precision: Any, **keywords: Any) -> dict[Tensor, Any]:
    """The bounds of `results`."""
    given = arguments(problem, kind)
    return named(problem, kind, bound_of(problem.operation.name, kind)(**given, precision=precision, **keywords))


def outputs(problem: CatalogueProblem, kind: str) -> tuple[Tensor, ...]:
    """The results of one of the functions."""
    operation = problem.operation
    if kind in ("_vjp", "_hvp"):
        return tuple((operation.gradient if kind == "_vjp" else operation.second)(t) for t in operation.differentiable)
    return tuple(operation.tangent(t) if kind else t for t in operation.program.outputs)


def named(problem: CatalogueProblem, kind: str, values: Any) -> dict[Tensor, Any]:
    """The results of a function by the tensors that they are; what is absent is left out."""
    names = outputs(problem, kind)
    values = values if isinstance(values, tuple) else (values,)
    for first, _ in problem.operation.pairs.values():
        for place, tensor in enumerate(names):
            if tensor.name in {f"{prefix}{first}" for prefix in ("", "d", "t")}:
                whole = values[place]
                parts = halves(whole, whole.shape[-1] // 2, problem.interleaved)
                values = (*values[:place], *parts, *values[place + 1 :])
    return {t: np.asarray(x) for t, x in zip(names, values, strict=True) if x is not None}


def exact(problem: CatalogueProblem, kind: str) -> dict[Tensor, Array]:
    """The same of the definitions at 50 digits, NaN where they have no value."""
    operation = problem.operation
    programs = {
        "": lambda: operation.program,
        "_vjp": lambda: operation.derived_vjp,
        "_jvp": lambda: operation.derived_jvp,
    }
    # Derivatives of derivatives, neither of them simplified.
    programs["_hvp"] = lambda: jvp(operation.derived_vjp, operation.differentiable)
    program = programs[kind]()
    more = _more(problem, kind)
    whole: dict[Tensor, Array] = {}
    summed = {
        out for t, out in zip(operation.differentiable, outputs(problem, kind), strict=False) if problem.spec(t).shared
    }
    shared = summed if kind in ("_vjp", "_hvp") else set()
    for place in np.ndindex(problem.batch):
        own = {
            t: x if t in problem.shared or np.ndim(x) == 0 or _is_tangent_of_shared(problem, t) else x[place]
            for t, x in {**problem.inputs, **more}.items()
        }
        for tensor, value in _evaluated(problem, program, own, outputs(problem, kind)).items():
            if tensor in shared:
                whole[tensor] = whole[tensor] + value if tensor in whole else value
            else:
                empty = np.empty((*problem.batch, *value.shape), dtype=object)
                whole.setdefault(tensor, empty)[place] = value if value.shape else value[()]
    return whole


def _is_tangent_of_shared(problem: CatalogueProblem, tensor: Tensor) -> bool:
    operation = problem.operation
    return any(problem.spec(t).shared and operation.tangent(t) == tensor for t in operation.differentiable)


def _evaluated(
    problem: CatalogueProblem, program: Program, given: Mapping[Tensor, Any], wanted: tuple[Tensor, ...]
) -> dict[Tensor, Array]:
    """The values of the definitions of a program, one after the other."""
    places = {t: {cell: Fraction(int(x[cell])) for cell in np.ndindex(x.shape)} for t, x in given.items() if t.over}
    point = Point(problem.sizes, places, digits=DIGITS)
    with mp.workdps(DIGITS):
        for tensor in program.inputs:
            point.floats[tensor] = _cells(problem, tensor, given.get(tensor))
        for step in program.steps:
            compute = evaluator(step.value)
            cells = {}
            for at in all_indices(step.indices, problem.sizes):
                try:
                    value = compute(point, dict(at))
                except (Undefined, KeyError):
                    value = mp.nan
                cells[tuple(at[index] for index in step.indices)] = value
            point.floats[step.tensor] = cells
        found = {}
        for tensor in wanted:
            shape = tuple(problem.sizes[dim] for dim in tensor.dims)
            array = np.empty(shape, dtype=object)
            for cell in np.ndindex(shape):
                array[cell] = point.floats[tensor][cell]
            found[tensor] = array
    return found


def _cells(problem: CatalogueProblem, tensor: Tensor, value: Any) -> dict[tuple[int, ...], Any]:
    """The entries of an input, or of its default, or of a cotangent or tangent that is absent."""
    shape = tuple(problem.sizes[dim] for dim in tensor.dims)
    if value is None:
        default = problem.spec(tensor).default if tensor in problem.operation.program.inputs else Const(Fraction(0))
        assert default is not None
        number = evaluator(default)(Point(problem.sizes, {}, digits=DIGITS), {})
        if isinstance(default, Const):  # a default of the signature, which is a float64
            number = mp.mpf(float(number))
        return dict.fromkeys(np.ndindex(shape), number)
    array = np.asarray(value)
    return {cell: mp.mpf(array[cell].item()) for cell in np.ndindex(shape)}
