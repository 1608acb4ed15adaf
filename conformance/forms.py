"""The form of a call: which arguments an operation of the calculus takes, their kinds and shapes, and what it returns.

Required inputs come first in the order of the program and are passed by position; optional ones are passed by keyword.
An input without axes that has no gradient is a plain number. Two tensors that make a pair are one array, whose last
axis holds both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from ..derivations.calculus.call import Call
from ..derivations.calculus.expr import Dim, Expr, Max, Size, Sum, Tensor, walk
from ..derivations.calculus.operation import Input, Operation
from ..derivations.calculus.traverse import children

# The number of features that are in no pair, which stand after those that are.
UNPAIRED = "unpaired"

Kind = Literal["real", "positive", "boolean", "index"]
Extent = Literal["length", "width", "head", "count"]


@dataclass(frozen=True)
class Axes:
    """The axes of an array, by dimension; `paired`: the last holds the features of two tensors, and some in no pair."""

    dims: tuple[str, ...]
    paired: bool = False

    def shape(self, sizes: Mapping[str, int], batch: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The shape for these sizes, after the batch dimensions."""
        own = [sizes[dim] for dim in self.dims]
        if self.paired:
            own[-1] = 2 * own[-1] + sizes.get(UNPAIRED, 0)
        return (*batch, *own)


@dataclass(frozen=True)
class Argument:
    """One argument.

    Attributes:
        over: the dimension that positions point into, for kind `index`.
        shared: a parameter, without batch dimensions.
        optional: passed by keyword, or left out.
        number: a plain number, not a tensor.
        differentiable: it has a gradient.
    """

    name: str
    axes: Axes
    kind: Kind = "real"
    over: str = ""
    shared: bool = False
    optional: bool = False
    number: bool = False
    differentiable: bool = False

    def shape(self, sizes: Mapping[str, int], batch: tuple[int, ...]) -> tuple[int, ...]:
        """The shape for these sizes."""
        return self.axes.shape(sizes, () if self.shared else batch)


@dataclass(frozen=True)
class Form:
    """The arguments and results of an operation.

    Attributes:
        outputs: in order, with their axes.
        dims: every dimension, and what it is: the length of a sequence; the width of a row of features; the size of a
            head, beside two lengths in one definition; a number of heads, of groups or of layers, in several of those.
        work: the dimensions that one definition runs over, a dimension as often as it does.
        may_be_empty: dimensions that may have size 0.
        gradients: the arguments that have gradients, in the order in which the generated functions give them.
        reaches: per output, the arguments that it depends on.
        interleaves: whether there are pairs, and so the choice of how their features lie.
        batched: whether there may be batch dimensions: not where a scalar that is no parameter has a gradient, which
            would have them.
    """

    arguments: tuple[Argument, ...]
    outputs: Mapping[str, Axes]
    dims: Mapping[str, Extent]
    work: tuple[tuple[str, ...], ...]
    may_be_empty: frozenset[str]
    gradients: tuple[str, ...]
    reaches: Mapping[str, frozenset[str]]
    interleaves: bool
    batched: bool

    @property
    def unpaired(self) -> bool:
        """Whether there may be features in no pair, which pass unchanged."""
        return any(argument.axes.paired for argument in self.arguments)

    @property
    def tensors(self) -> tuple[Argument, ...]:
        """The arguments that are arrays."""
        return tuple(argument for argument in self.arguments if not argument.number)

    @property
    def numbers(self) -> tuple[Argument, ...]:
        """The arguments that are plain numbers."""
        return tuple(argument for argument in self.arguments if argument.number)

    @property
    def positional(self) -> tuple[str, ...]:
        """The names of the arguments that are passed by position."""
        return tuple(argument.name for argument in self.arguments if not argument.optional)

    def called(
        self,
        names: Mapping[str, str],
        left_out: Collection[str],
        constant: Collection[str],
        kinds: Mapping[str, Kind],
    ) -> Form:
        """The form of another calling convention.

        Args:
            names: what it calls inputs, where it calls them otherwise.
            left_out: inputs that its calls do not have.
            constant: inputs that have no gradient there.
            kinds: what inputs hold there, where it is less than they may hold.
        """
        arguments = [
            replace(
                a,
                name=names.get(a.name, a.name),
                kind=kinds.get(a.name, a.kind),
                differentiable=a.differentiable and a.name not in constant,
            )
            for a in self.arguments
            if a.name not in left_out
        ]
        return replace(
            self,
            arguments=tuple(arguments),
            gradients=tuple(names.get(name, name) for name in self.gradients if name not in {*left_out, *constant}),
            reaches={o: frozenset(names.get(x, x) for x in inputs) for o, inputs in self.reaches.items()},
        )

    def positions(self, sizes: Mapping[str, int]) -> int:
        """How many positions the largest definition runs over, an empty dimension counted as one of size 1."""
        return max((positions(dims, sizes) for dims in self.work), default=1)


def positions(dims: Collection[str], sizes: Mapping[str, int]) -> int:
    """How many positions there are along dimensions; one that is empty, or has no size yet, makes them no fewer."""
    return prod(max(1, sizes.get(dim, 1)) for dim in dims)


def form_of(op: Operation) -> Form:
    """The form of an operation."""
    program = op.program.pruned()
    every = list(_arguments(op))
    arguments = tuple(sorted(every, key=lambda argument: argument.optional))
    outputs = dict(_outputs(op))
    grows: dict[str, bool] = {}
    for tensor in (*op.arguments, *program.defined):
        grows |= {dim.name: dim.grows for dim in tensor.dims}
        if tensor.over is not None:
            grows[tensor.over.name] = tensor.over.grows
    every_work = {tuple(sorted(dim.name for dim in dims)) for dims in _work(op)}
    work = tuple(sorted(w for w in every_work if not any(Counter(w) < Counter(other) for other in every_work)))
    return Form(
        arguments=arguments,
        outputs=outputs,
        dims={name: _extent(name, grows, work) for name in grows},
        work=work,
        may_be_empty=frozenset(grows) - {dim.name for dim in _never_empty(op)},
        gradients=tuple(dict.fromkeys(_paired(op).get(t.name, t.name) for t in op.differentiable)),
        reaches=_reaches(op, outputs),
        interleaves=bool(op.pairs),
        batched=all(t.dims or op.inputs.get(t.name, Input("")).shared for t in op.differentiable),
    )


def _extent(name: str, grows: Mapping[str, bool], work: Collection[tuple[str, ...]]) -> Extent:
    """What a dimension is, by what it stands beside."""
    if grows[name]:
        return "length"
    of_pairs = sum(name in dims and sum(grows.get(dim, False) for dim in dims) > 1 for dims in work)
    if not of_pairs:
        return "width"
    return "head" if of_pairs == 1 else "count"


def _paired(op: Operation) -> dict[str, str]:
    """The array that each half of a pair is in."""
    return {half: pair for pair, halves in op.pairs.items() for half in halves}


def _arguments(op: Operation) -> Iterator[Argument]:
    """The arguments in the order of the program."""
    of_pair = _paired(op)
    seen: set[str] = set()
    for tensor in op.arguments:
        name = of_pair.get(tensor.name, tensor.name)
        if name in seen:
            continue
        seen.add(name)
        spec = op.inputs.get(name, op.inputs.get(tensor.name, Input("")))
        differentiable = tensor in op.differentiable
        scalar = not tensor.dims and tensor.kind in ("real", "positive")
        yield Argument(
            name=name,
            axes=Axes(tuple(dim.name for dim in tensor.dims), name in op.pairs),
            kind=tensor.kind,
            over="" if tensor.over is None else tensor.over.name,
            # A scalar has no batch dimensions even where it is not called a parameter.
            shared=spec.shared or not tensor.dims,
            optional=spec.default is not None,
            number=scalar and not differentiable,
            differentiable=differentiable,
        )


def _outputs(op: Operation) -> Iterator[tuple[str, Axes]]:
    of_pair = _paired(op)
    for tensor in op.program.outputs:
        name = of_pair.get(tensor.name, tensor.name)
        yield name, Axes(tuple(dim.name for dim in tensor.dims), name in op.pairs)


def _work(op: Operation) -> Iterator[tuple[Dim, ...]]:
    """The dimensions that each definition runs over, those of layers at every layer."""
    for step in op.counted:
        for inner in _nested(step.value):
            yield (*step.tensor.dims, *inner)


def _nested(expr: Expr) -> Iterator[tuple[Dim, ...]]:
    """The dimensions of the sums and maxima around each part of an expression, its own among them."""
    own = (expr.index.dim,) if isinstance(expr, Sum | Max) else ()
    yield own
    for part in children(expr):
        yield from (own + inner for inner in _nested(part))


def _never_empty(op: Operation) -> Iterator[Dim]:
    """A maximum of nothing, a mean of nothing and a position among none are not defined."""
    for tensor in op.arguments:
        if tensor.over is not None:
            yield tensor.over
    values: list[Expr] = [step.value for step in op.counted]
    values += [spec.default for spec in op.inputs.values() if spec.default is not None]
    for value in values:
        for node in walk(value):
            if isinstance(node, Max):
                yield node.index.dim
            if isinstance(node, Size):
                yield node.dim


def _steps(op: Operation) -> list[tuple[set[Tensor], set[Tensor]]]:
    """What each definition makes, and of what; layers have no program of their own, and are the call that they are."""
    if op.composition is None or not op.composition.layered:
        return [({step.tensor}, set(step.read)) for step in op.program.steps]
    return [
        (set(step.made), {entry.tensor for entry in step.arguments.values()})
        if isinstance(step, Call)
        else ({step.tensor}, set(step.read))
        for step in op.composition.steps
    ]


def _reaches(op: Operation, outputs: Mapping[str, Axes]) -> dict[str, frozenset[str]]:
    of_pair = _paired(op)
    found: dict[str, set[str]] = {name: set() for name in outputs}
    for output in op.program.outputs:
        needed: set[Tensor] = {output}
        for made, read in reversed(_steps(op)):
            if needed & made:
                needed |= read
        names = {of_pair.get(t.name, t.name) for t in op.arguments if t in needed}
        found[of_pair.get(output.name, output.name)] |= names
    return {name: frozenset(names) for name, names in found.items()}
