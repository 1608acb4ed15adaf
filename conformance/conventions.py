"""Calling conventions: how the calls of a library map to an operation of the calculus.

The convention of a derived operation follows from its form. Where a library has the operation, its own convention is
declared here as data: other names, options that stand for inputs, options that choose the operation or the output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .forms import Kind
from .generic_profiles import Rung
from .problems import AnyArray, Problem, Values
from .profiles import Precision

Choices = Mapping[str, Any]
Sizes = Mapping[str, int]
Arguments = dict[str, Any]
Arrays = dict[str, AnyArray]


def _no_arguments(sizes: Sizes, choices: Choices) -> Arguments:
    return {}


def _as_drawn(arrays: Arrays, choices: Choices, rng: np.random.Generator) -> Arrays:
    return arrays


def _as_given(problem: Problem, arguments: Arguments) -> Arguments:
    return arguments


@dataclass(frozen=True)
class Convention:
    """How an operation is called.

    Attributes:
        name: what a run calls the operation.
        operation: the derived operation that gives the calls their form.
        names: what the calls call inputs, where they call them otherwise.
        left_out: inputs that the calls do not have, as options stand for them.
        constant: inputs that have no gradient.
        positional: the arguments that are passed by position; None: the required ones.
        keywords: further keywords, with their defaults.
        choices: options, and what to draw each from, the default first.
        variants: the derived operations that options may choose besides.
        variant: the derived operation that some options choose; None: `operation`.
        returned: the outputs that a call with some options returns; None: all of them.
        prepared: what becomes of the arrays that were drawn, by the options.
        passed: what a call passes besides arrays and numbers, from sizes and options.
        reference: the arguments of the generated functions, from those of the same names in the call.
        orders: bounds of further orders of evaluation that implementations are known to use: how far the gradients, or
            outputs, in that order may be off. The larger of the bounds counts.
        batched: whether inputs may have batch dimensions.
        kinds: what inputs hold where the calls want less than the derivation allows.
        regimes: the regimes to draw the values of an input from.
        numbers: the values to draw a plain number from.
        rungs: profiles of known implementations.
        nan_may_be_lost: whether an implementation that drops NaN is warned of, and conforms.
    """

    name: str
    operation: str
    names: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    positional: tuple[str, ...] | None = None
    keywords: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    variants: tuple[str, ...] = ()
    variant: Callable[[Choices], str] | None = None
    returned: Callable[[Choices], tuple[str, ...]] | None = None
    prepared: Callable[[Arrays, Choices, np.random.Generator], Arrays] = _as_drawn
    passed: Callable[[Sizes, Choices], Arguments] = _no_arguments
    reference: Callable[[Problem, Arguments], Arguments] = _as_given
    orders: tuple[Callable[[Problem, Arguments, Precision], Values], ...] = ()
    batched: bool = True
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    regimes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numbers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    rungs: tuple[Rung, ...] = ()
    nan_may_be_lost: bool = False
