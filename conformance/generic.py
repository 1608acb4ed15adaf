"""The contract of any operation of the calculus, made from its derivation.

The reference and the bound are the generated functions; cases, profiles and checks follow from the form of the
operation. An implementation takes the required inputs by position in the order of the program and the optional ones by
keyword, and returns the output, or a tuple of the outputs in their order; a `Convention` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from ..derivations.calculus.operation import Operation as Derived
from ..derivations.calculus.statement import Statement
from .contracts import Operation
from .conventions import Arguments, Choices, Convention
from .forms import Argument, Form, form_of
from .generated import Generated
from .generic_cases import GenericCase, generic_cases, large_cases, regime_of, smallest_case
from .generic_profiles import SIGMOID, ladder_of
from .laws_generic import laws_of
from .problems import OUTPUT, AnyArray, Problem, Values, alike, laid_out
from .profiles import Precision
from .values import BOOLEANS, COTANGENTS, PLACES, POSITIONS, REGIMES, Array

_INTERLEAVED = "interleaved"
_DTYPE = "dtype"
# Far enough from 0 that no dtype rounds to it.
_LEAST_POSITIVE = 2.0**-10


def contract(
    op: Derived, functions: Mapping[str, Generated], convention: Convention, statements: Sequence[Statement] = ()
) -> Operation:
    """The contract of an operation in a calling convention.

    Args:
        functions: of the operation and of the variants of the convention, by name.
        statements: those of the operation, some of which name laws.
    """
    calls = Calls(form_of(op), functions, convention)
    form = calls.form

    def cases() -> st.SearchStrategy[GenericCase]:
        return generic_cases(
            form,
            convention.numbers,
            calls.choices,
            convention.regimes,
            calls.returned,
            batched=convention.batched and form.batched,
        )

    return Operation(
        name=convention.name,
        cases=cases,
        smallest=smallest_case(form, convention.numbers, calls.choices),
        signature=(calls.positional, MappingProxyType(calls.keywords)),
        build=calls.build,
        reference=calls.values,
        bound=calls.bound,
        laws=laws_of(op, form, convention, statements),
        profiles=ladder_of(op, convention.rungs),
        differentiable=bool(form.gradients),
        large=large_cases(form, convention.numbers, calls.choices, batched=convention.batched and form.batched),
    )


class Calls:
    """Calls in a convention: as problems, and as arguments of the generated functions."""

    def __init__(self, form: Form, functions: Mapping[str, Generated], convention: Convention) -> None:
        self.form = form.called(convention.names, convention.left_out, convention.constant, convention.kinds)
        self.functions = functions
        self.convention = convention
        self.choices = dict(convention.choices) | ({_INTERLEAVED: (False, True)} if form.interleaves else {})
        self.positional = self.form.positional if convention.positional is None else convention.positional
        self.keywords: dict[str, Any] = {a.name: None for a in self.form.arguments if a.name not in self.positional}
        self.keywords |= {_INTERLEAVED: False} if form.interleaves else {}
        self.keywords |= dict(convention.keywords)
        # The inputs of the generated functions by the names that the calls have for them.
        self._derived = {name: derived for derived, name in convention.names.items()}

    def returned(self, choices: Choices) -> tuple[str, ...]:
        """The outputs that a call returns."""
        return tuple(self.form.outputs) if self.convention.returned is None else self.convention.returned(choices)

    # Cases as numbers -----------------------------------------------------------------------------------------------

    def build(self, case: GenericCase, dtype: torch.dtype) -> Problem:
        """The case as numbers of `dtype`."""
        form, rng = self.form, np.random.default_rng(case.seed)
        arrays: dict[str, AnyArray] = {}
        layouts: dict[str, str] = {}
        for argument in form.tensors:
            if argument.optional and argument.name not in case.present:
                continue
            layouts[argument.name] = case.layouts.get(argument.name, "contiguous")
            arrays[argument.name] = _drawn(argument, case, rng, layouts[argument.name], dtype)
        prepared = self.convention.prepared(arrays, case.choices, rng)
        arrays = {name: x if x is arrays[name] else alike(x, layouts[name]) for name, x in prepared.items()}
        outputs = self.returned(case.choices)
        cotangents: dict[str, Array] = {}
        cotangent_layouts: dict[str, str] = {}
        for name in outputs:
            shape, layout = form.outputs[name].shape(case.sizes, case.batch), "contiguous"
            numbers = np.zeros(shape)
            if case.pulled_back is None or name in case.pulled_back:
                layout = case.cotangent_layouts.get(name, "contiguous")
                numbers = _regime(COTANGENTS[case.cotangents.get(name, "integers")], rng, shape)
            shown = name if len(outputs) > 1 else OUTPUT
            cotangents[shown], cotangent_layouts[shown] = laid_out(numbers, layout, dtype), layout
        asked = set(case.requires_grad)
        pulled_back = [name for name in case.pulled_back or outputs if form.reaches[name] & asked]
        reached = {name for output in pulled_back for name in form.reaches[output]}
        options = {**case.numbers, **self.convention.passed(case.sizes, case.choices)}
        if case.choices.get(_INTERLEAVED):
            options[_INTERLEAVED] = True
        return Problem(
            arrays=MappingProxyType(arrays),
            positional=self.positional,
            layouts=MappingProxyType(layouts),
            options=MappingProxyType(options),
            requires_grad=case.requires_grad,
            cotangents=MappingProxyType(cotangents),
            cotangent_layouts=MappingProxyType(cotangent_layouts),
            pulled_back=tuple(pulled_back) if len(outputs) > 1 else None,
            unreached=frozenset(case.requires_grad) - reached,
            context=MappingProxyType({**case.choices, _DTYPE: dtype}),
        )

    # The reference --------------------------------------------------------------------------------------------------

    def values(self, problem: Problem) -> Values:
        """Outputs and the gradients that the problem asks for."""
        return self._evaluated(problem, lambda of: of.forward, lambda of: of.vjp)

    def values_by(self, problem: Problem, forward: Callable[..., Any], backward: Callable[..., Any]) -> Values:
        """The same by other functions with the arguments and results of the generated ones that the problem wants."""
        return self._evaluated(problem, lambda _: forward, lambda _: backward)

    def given(self, problem: Problem) -> frozenset[str]:
        """The inputs of the derived operation that a problem passes or, by its options, stands for."""
        return frozenset(name for name, x in self._arguments(problem).items() if x is not None)

    def operation_of(self, problem: Problem) -> str:
        """The derived operation, or variant of it, that a problem is a call of."""
        variant = self.convention.variant
        return self.convention.operation if variant is None else variant(problem.context)

    def bound(self, problem: Problem, precision: Precision) -> Values:
        """The bound on the error of each of those: the largest of all orders of evaluation."""
        # Only a gradient has a complement of a sigmoid, whose own value is there already.
        forward = {name: form for name, form in precision.items() if name != SIGMOID}
        found = self._evaluated(
            problem, lambda of: partial(of.bound, precision=forward), lambda of: _at(of.vjp_bound, precision)
        )
        with np.errstate(all="ignore"):  # as in `_evaluated`
            for order in self.convention.orders:
                found = _larger(found, order(problem, self._arguments(problem), precision))
        return found

    def _arguments(self, problem: Problem) -> Arguments:
        """What the generated functions take."""
        numbers = {a.name for a in self.form.numbers} | {_INTERLEAVED}
        given = {**problem.arrays, **{k: x for k, x in problem.options.items() if k in numbers}}
        return self.convention.reference(problem, {self._derived.get(name, name): x for name, x in given.items()})

    @np.errstate(all="ignore")  # what overflows, or is divided by nothing, is what the reference gives there
    def _evaluated(
        self,
        problem: Problem,
        forward: Callable[[Generated], Callable[..., Any]],
        backward: Callable[[Generated], Callable[..., Any] | None],
    ) -> Values:
        functions = self.functions[self.operation_of(problem)]
        arguments = self._arguments(problem)
        returned = dict(zip(self.returned(problem.context), problem.cotangents, strict=True))
        results = _named(functions.outputs, forward(functions)(**arguments))
        outputs = {shown: _full(results[name], problem.cotangents[shown]) for name, shown in returned.items()}
        if not problem.requires_grad:
            return Values(outputs, {})
        function = backward(functions)
        assert function is not None
        # An output on which the loss does not depend has the cotangent 0, whether the call returns it or not.
        given = {name: problem.cotangents[shown] for name, shown in returned.items()}
        cotangents = {f"d{name}": given.get(name, np.zeros(np.shape(results[name]))) for name in functions.outputs}
        gradients = _named(functions.gradients, function(**arguments, **cotangents))
        return Values(
            outputs,
            {
                name: _full(gradients[self._derived.get(name, name)], problem.arrays[name])
                for name in problem.requires_grad
            },
        )


def _at(function: Callable[..., Any] | None, precision: Precision) -> Callable[..., Any] | None:
    return None if function is None else partial(function, precision=precision)


def _named(names: tuple[str, ...], results: Any) -> dict[str, Any]:
    return dict(zip(names, results if isinstance(results, tuple) else (results,), strict=True))


def _full(result: Any, like: AnyArray) -> Array:
    """A result as an array of its shape: what does not depend on an input need not have its batch dimensions."""
    return np.array(np.broadcast_to(np.asarray(result, np.float64), like.shape))


def _larger(bound: Values, other: Values) -> Values:
    """What covers both orders of evaluation; an order says nothing of what it leaves out."""
    return Values(
        {name: np.maximum(x, other.outputs.get(name, x)) for name, x in bound.outputs.items()},
        {name: np.maximum(x, other.gradients.get(name, x)) for name, x in bound.gradients.items()},
    )


def _drawn(
    argument: Argument, case: GenericCase, rng: np.random.Generator, layout: str, dtype: torch.dtype
) -> AnyArray:
    shape = argument.shape(case.sizes, case.batch)
    regime = regime_of(case, argument)
    if argument.kind == "index":
        return alike(POSITIONS[regime](rng, shape, case.sizes[argument.over]), layout)
    if argument.kind == "boolean":
        return alike(BOOLEANS[regime](rng, shape), layout)
    numbers = _regime({**REGIMES, **PLACES}[regime], rng, shape)
    if argument.kind == "positive":
        numbers = np.maximum(np.abs(numbers), _LEAST_POSITIVE)
    return laid_out(numbers, layout, dtype)


def _regime(regime: Any, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers of a shape; a regime wants an axis."""
    return np.asarray(regime(rng, shape or (1,))).reshape(shape)
