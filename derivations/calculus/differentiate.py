"""Differentiation of a program: reverse mode (vector-Jacobian product) and forward mode (Jacobian-vector product).

The result is again a program, one definition for each intermediate gradient, so it can be differentiated again. The
gradient of an input `x` is named `dx`; its tangent `tx`. A maximum is treated as a constant, which is right exactly
if the total derivative of the outputs with respect to it vanishes; `vjp` derives that total derivative and requires
the normal form to show that it is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import sympy

from .index import Index, Mapped, Subscript
from .nodes import ZERO, Add, Const, Delta, Entry, Expr, Fn, Gated, Larger, Max, Mul, Pow, Sum, Tensor
from .program import Def, Program
from .tidy import tidy
from .traverse import refresh, rename, tensors, walk
from .vanishing import vanishes

ROOTS = ("sqrt", "cbrt")  # SymPy writes these as powers: they are no function classes of its own

# SymPy has no sigmoid and no relu, and its Heaviside function is 1/2 at 0, where a kink has the derivative 0 by
# convention. σ(x) σ(−x) is σ(x) (1 − σ(x)) without cancellation for large x.
OWN_DERIVATIVES: dict[str, Callable[[Expr], Expr]] = {
    "sigmoid": lambda argument: Mul((Fn("sigmoid", argument), Fn("sigmoid", -refresh(argument)))),
    "relu": lambda argument: Fn("step", argument),
    "step": lambda argument: ZERO,
    "log": lambda argument: Pow(argument, Fraction(-1)),  # as SymPy has it, without the time that SymPy takes
}

# Kinds of tensors that have no gradient, and why.
DISCRETE = {"boolean": "is boolean", "index": "holds positions"}


class NotDifferentiable(ValueError):
    """The derivative would have to pass through a maximum whose gradient does not vanish."""


def gradient_name(tensor: Tensor) -> str:
    """The name of the gradient of a tensor."""
    return f"d{tensor.name}"


def tangent_name(tensor: Tensor) -> str:
    """The name of the tangent of a tensor."""
    return f"t{tensor.name}"


def elementwise_derivative(name: str, argument: Expr) -> Expr:
    """The derivative of an elementwise function as an expression, by SymPy unless it is one of `OWN_DERIVATIVES`.

    Raises:
        NotDifferentiable: SymPy gives a form that this calculus does not hold.
    """
    if name in OWN_DERIVATIVES:
        return OWN_DERIVATIVES[name](argument)
    x = sympy.Symbol("x", real=True)
    function = getattr(sympy, name, None)
    nargs = function.nargs if isinstance(function, sympy.FunctionClass) else None
    if function is None or (name not in ROOTS and not (isinstance(nargs, sympy.FiniteSet) and 1 in nargs)):
        raise NotDifferentiable(f"SymPy has no function {name!r} of one argument")
    return _from_sympy(sympy.diff(function(x), x), x, argument)


def _from_sympy(value: sympy.Expr, x: sympy.Symbol, argument: Expr) -> Expr:
    if value == x:
        return argument
    if value == sympy.pi:
        return Fn("acos", Const(Fraction(-1)))
    if value.is_Rational:
        return Const(Fraction(int(value.p), int(value.q)))
    if value.is_Add:
        return Add(tuple(_from_sympy(part, x, argument) for part in value.args))
    if value.is_Mul:
        return Mul(tuple(_from_sympy(part, x, argument) for part in value.args))
    if value.is_Pow and value.exp.is_Rational:
        return Pow(_from_sympy(value.base, x, argument), Fraction(int(value.exp.p), int(value.exp.q)))
    if isinstance(value, sympy.Function) and len(value.args) == 1:
        return Fn(type(value).__name__, _from_sympy(value.args[0], x, argument))
    raise NotDifferentiable(f"the derivative {value} has no form in this calculus")


@dataclass
class Contribution:
    """cotangent · δ(slots, target indices), summed over `open`."""

    slots: tuple[Subscript, ...]
    cotangent: Expr
    open: tuple[Index, ...]

    def at(self, target: tuple[Index, ...]) -> Expr:
        mapping: dict[Index, Index] = {}
        left: list[tuple[Subscript, Index]] = []
        for slot, wanted in zip(self.slots, target, strict=True):
            if isinstance(slot, Mapped) and slot.lookup is None:
                raise NotDifferentiable(f"{slot}: the gradient through a permutation is not defined here")
            if isinstance(slot, Index) and slot in self.open and slot not in mapping:
                mapping[slot] = wanted
            else:
                left.append((slot, wanted))
        body = rename(self.cotangent, mapping)
        if left:  # a lookup may hit a position more than once: its gradients add
            deltas = (Delta(_at(slot, mapping), wanted) for slot, wanted in left)
            body = Mul((*deltas, body))
        for index in self.open:
            if index not in mapping:
                body = Sum(index, body)
        return refresh(body)


def _at(slot: Subscript, mapping: Mapping[Index, Index]) -> Subscript:
    if isinstance(slot, Mapped):
        return Mapped(slot.map, mapping.get(slot.index, slot.index))
    return mapping.get(slot, slot)


@dataclass
class Adjoints:
    """What each definition read so far contributes to the gradients of what it reads."""

    wanted: frozenset[Tensor]
    found: dict[Tensor, list[Contribution]] = field(default_factory=dict)

    def visit(self, expr: Expr, cotangent: Expr, open_: tuple[Index, ...]) -> None:
        match expr:
            case Entry(tensor, indices):
                if tensor in self.wanted:
                    self.found.setdefault(tensor, []).append(Contribution(indices, cotangent, open_))
            case Add(terms):
                for term in terms:
                    self.visit(term, cotangent, open_)
            case Mul(factors):
                for position, factor in enumerate(factors):
                    others = factors[:position] + factors[position + 1 :]
                    self.visit(factor, Mul((cotangent, *others)), open_)
            case Pow(base, exponent):
                slope: Expr = Mul((Const(exponent), Pow(base, exponent - 1)))
                self.visit(base, Mul((cotangent, slope)), open_)
            case Fn("exp", argument):
                self.visit(argument, Mul((cotangent, expr)), open_)
            case Fn(name, argument):
                slope = elementwise_derivative(name, argument)
                self.visit(argument, Mul((cotangent, slope)), open_)
            case Sum(index, body):
                fresh = index.fresh()
                self.visit(rename(body, {index: fresh}), cotangent, (*open_, fresh))
            case Gated(body, gate):
                self.visit(body, Mul((cotangent, gate)), open_)
            case Max() | Larger():
                reached = set(tensors(expr)) & self.wanted
                if reached:
                    raise NotDifferentiable(
                        f"{expr}: a maximum must be a definition of its own; then its gradient can be shown to vanish"
                    )


def vjp(program: Program, wrt: Sequence[Tensor] | None = None) -> Program:
    """The program of the vector-Jacobian product: cotangents of the outputs become gradients of the inputs.

    New inputs are `d` + output name; new outputs are `d` + input name, for the real inputs in `wrt` (default all).

    Raises:
        NotDifferentiable: a maximum whose gradient is not shown to vanish; no output depends on these inputs; one of
            `wrt` is boolean or no input.
    """
    inputs = real_inputs(program, wrt)
    active = _reached_from(program, inputs)
    gradients = derivative_names(program, gradient_name)
    cotangents = tuple(gradients[t] for t in program.outputs)
    adjoints = Adjoints(active)
    steps: list[Def] = []
    defined: set[Tensor] = set(cotangents)
    if not active.intersection(program.outputs):
        names = ", ".join(output.name for output in program.outputs)
        raise NotDifferentiable(f"{program.name}: {names} depends on no real input")
    for step in reversed(program.steps):
        tensor = step.tensor
        if tensor not in active:
            continue
        parts = [c.at(step.indices) for c in adjoints.found.get(tensor, [])]
        value: Expr | None = None
        if tensor in program.outputs:
            if parts:
                # The output is also used inside: its full gradient has a name of its own.
                full = Tensor(f"{gradients[tensor].name}_total", tensor.dims)
                own = gradients[tensor]
                gradients[tensor] = full
                value = Add((own[step.indices], *parts))
        elif parts:
            value = Add(tuple(parts)) if len(parts) > 1 else parts[0]
        else:
            continue
        if isinstance(step.value, Max):
            total_derivative = value if value is not None else gradients[tensor][step.indices]
            if not vanishes(program, cotangents, steps, step, total_derivative):
                raise NotDifferentiable(
                    f"{program.name}: the gradient with respect to the maximum {step.target} is not shown to be zero: "
                    f"{total_derivative}"
                )
            continue
        if value is not None:
            steps.append(Def(gradients[tensor][step.indices], tidy(value)))
            defined.add(gradients[tensor])
        # New indices: the definition that reads this gradient may use the same ones, and they become bound here.
        fresh = tuple(index.fresh() for index in step.indices)
        adjoints.visit(step.at(*fresh), gradients[tensor][fresh], fresh)
    for tensor in inputs:
        indices = axis_indices(program, tensor)
        parts = [c.at(indices) for c in adjoints.found.get(tensor, [])]
        whole = Add(tuple(parts)) if len(parts) > 1 else (parts[0] if parts else ZERO)
        steps.append(Def(gradients[tensor][indices], tidy(whole)))
    return program.extended(f"{program.name}_vjp", cotangents, steps, [gradients[t] for t in inputs])


def real_inputs(program: Program, wrt: Sequence[Tensor] | None) -> tuple[Tensor, ...]:
    """The inputs to differentiate with respect to, in the order that was asked for: one derivative for each."""
    if wrt is None:
        return tuple(t for t in program.inputs if t.kind not in DISCRETE)
    for tensor in wrt:
        if tensor not in program.inputs or tensor.kind in DISCRETE:
            what = DISCRETE.get(tensor.kind, "is not an input")
            raise NotDifferentiable(f"{program.name}: {tensor.name} {what}, so there is no gradient with respect to it")
    return tuple(wrt)


def axis_indices(program: Program, tensor: Tensor) -> tuple[Index, ...]:
    """Names for the axes of a tensor: those with which a definition reads it, preferably free ones."""
    found: list[tuple[bool, tuple[Index, ...]]] = []
    for step in program.steps:
        for node in walk(step.value):
            if isinstance(node, Entry) and node.tensor == tensor:
                plain = tuple(ix for ix in node.indices if isinstance(ix, Index))
                if len(set(plain)) == len(tensor.dims):
                    found.append((not set(plain) <= set(step.indices), plain))
    if found:
        return tuple(index.fresh() for index in min(found, key=lambda item: item[0])[1])
    named = {index.dim: index.name for step in reversed(program.steps) for index in step.indices}
    return tuple(Index(named.get(d) or (d.name.lower() if d.name.isupper() else f"{d.name}_"), d) for d in tensor.dims)


def _reached_from(program: Program, inputs: Sequence[Tensor]) -> frozenset[Tensor]:
    active = set(inputs)
    for step in program.steps:
        if any(t in active for t in step.read):
            active.add(step.tensor)
    return frozenset(active)


def derivative_names(program: Program, name: Callable[[Tensor], str]) -> dict[Tensor, Tensor]:
    """A derivative's name for each tensor, none of them taken (a second derivative meets the names of the first)."""
    taken = {t.name for t in (*program.inputs, *program.defined)}
    named: dict[Tensor, Tensor] = {}
    for tensor in (*program.inputs, *program.defined):
        chosen = name(tensor)
        while chosen in taken:
            chosen += "_2"
        taken.add(chosen)
        named[tensor] = Tensor(chosen, tensor.dims)
    return named


def maximum_gradient(program: Program, tensor: Tensor) -> Expr:
    """The total derivative of ⟨outputs, cotangents⟩ with respect to a defined tensor, in terms of the inputs.

    The tensor itself stays a name: this is what must vanish for a maximum to be treated as a constant.
    """
    position = next(k for k, step in enumerate(program.steps) if step.tensor == tensor)
    after = Program(
        program.name,
        (*program.inputs, *(s.tensor for s in program.steps[:position]), tensor),
        program.steps[position + 1 :],
        program.outputs,
    )
    derived = vjp(after, [tensor])
    step = derived.steps[-1]
    return derived.inline(step.value)


def jvp(program: Program, wrt: Sequence[Tensor] | None = None) -> Program:
    """The program of the Jacobian-vector product: tangents of the inputs become tangents of the outputs.

    Maxima count as constants; `vjp` has shown (or refused) that this is right, so it is called first.

    Raises:
        NotDifferentiable: as `vjp`.
    """
    inputs = real_inputs(program, wrt)
    if any(isinstance(step.value, Max) for step in program.steps):
        vjp(program, wrt)
    active = set(inputs)
    tangents = derivative_names(program, tangent_name)
    steps: list[Def] = []
    for step in program.steps:
        if isinstance(step.value, Max) or not set(step.read) & active:
            continue
        active.add(step.tensor)
        value = tangent(step.value, frozenset(active), tangents)
        steps.append(Def(tangents[step.tensor][step.indices], tidy(value)))
    for output in program.outputs:
        if output not in active:
            indices = tuple(Index(d.name + "_", d) for d in output.dims)
            steps.append(Def(tangents[output][indices], ZERO, "depends on no input that moves"))
    return program.extended(
        f"{program.name}_jvp", [tangents[t] for t in inputs], steps, [tangents[t] for t in program.outputs]
    )


def tangent(expr: Expr, active: frozenset[Tensor], tangents: dict[Tensor, Tensor]) -> Expr:
    """The directional derivative of an expression, given the names of the tangents of what it reads."""
    match expr:
        case Entry(tensor, indices):
            return Entry(tangents[tensor], indices) if tensor in active else ZERO
        case Add(terms):
            return Add(tuple(tangent(term, active, tangents) for term in terms))
        case Mul(factors):
            parts = []
            for position, factor in enumerate(factors):
                others = factors[:position] + factors[position + 1 :]
                parts.append(Mul((tangent(factor, active, tangents), *others)))
            return refresh(Add(tuple(parts)))
        case Pow(base, exponent):
            slope: Expr = Mul((Const(exponent), Pow(base, exponent - 1)))
            return refresh(Mul((slope, tangent(base, active, tangents))))
        case Fn(name, argument):
            slope = expr if name == "exp" else elementwise_derivative(name, argument)
            return refresh(Mul((slope, tangent(argument, active, tangents))))
        case Sum(index, body):
            return Sum(index, tangent(body, active, tangents))
        case Gated(body, gate):
            return refresh(Mul((gate, tangent(body, active, tangents))))
        case Max() | Larger():
            if set(tensors(expr)) & active:
                raise NotDifferentiable(f"{expr}: a maximum must be a definition of its own")
            return ZERO
        case _:
            return ZERO
