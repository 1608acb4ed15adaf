"""The laws of derived operations, as properties of an implementation.

Batch entries do not know of each other, in any operation. The others are what statements claim by the name of a law:

    zero gradient sum    a gradient adds up to 0 along an axis, both of which the statement names: Σ_c dx[i,c] = 0
    linear in NAME       the outputs are linear, or affine, in the argument of this name

A sum that is 0 under a condition is held against the cases in which that of the reference is.

The tolerance of a law is the sum of the element bounds of what it compares, so a law can only fail where an element is
outside of its bound; what it adds is the name of what is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from .compare import Finding, compare, merged, total
from .contracts import COSTLY, Check, Trial
from .conventions import Convention
from .forms import Form
from .laws_batches import Part, laws_of_batches
from .laws_of_nan import nan_laws
from .problems import DTYPES, shown
from .profiles import Profile
from .targets import UsageError
from .values import representable

if TYPE_CHECKING:
    from ..derivations.calculus.operation import Operation as Derived
    from ..derivations.calculus.statement import Statement

ZERO_GRADIENT_SUM = "zero gradient sum"
LINEAR_IN = "linear in "


# A sum of a gradient along an axis, in the words of a statement: the index, the tensor and its indices.
_SUM = re.compile(r"Σ_(\w+) d(\w+)\[([\w, ]+)\] = 0")


def laws_of(op: Derived, form: Form, convention: Convention, statements: Sequence[Statement]) -> tuple[Check, ...]:
    """The laws that an implementation of the operation is held to, some of them by its statements."""
    batches = laws_of_batches(
        "batch entries are independent", partial(_entry_alone, form), partial(_entries_reversed, form)
    )
    return (
        *(batches if convention.batched and form.batched else ()),
        *_stated(op, form, convention, statements),
        *nan_laws(may_be_lost=convention.nan_may_be_lost),
    )


def _stated(op: Derived, form: Form, convention: Convention, statements: Sequence[Statement]) -> Iterator[Check]:
    """The laws that statements of the operation name.

    Raises:
        UsageError: linearity in what is no argument.
    """
    arguments = {a.name: a for a in form.tensors}
    for statement in statements:
        label, law = f"{op.name} {statement.label}", statement.law
        if law == ZERO_GRADIENT_SUM and (found := _SUM.search(statement.name)):
            index, tensor, indices = found.groups()
            name, places = convention.names.get(tensor, tensor), [i.strip() for i in indices.split(",")]
            if name in form.gradients and index in places:
                axis = places.index(index) - len(arguments[name].axes.dims)
                meaning = f"the gradient of {name} adds up to 0 along {index}, wherever that of the reference does"
                yield Check(f"Σ_{index} d{name} = 0", partial(_zero_sum, name, axis), label, meaning=meaning)
        if law.startswith(LINEAR_IN):
            spelled = law.removeprefix(LINEAR_IN).lower()
            wanted = convention.names.get(spelled, spelled).lower()
            named = [a.name for a in form.tensors if a.kind == "real" and a.name.lower() == wanted]
            if not named:
                known = ", ".join(a.name for a in form.tensors if a.kind == "real")
                raise UsageError(f"{label}: the law {law!r} names no argument of real numbers; there are {known}")
            meaning = f"two values that add up to {named[0]} give outputs that add up to the output"
            examine = partial(_affine, named[0])
            yield Check(f"linear in {named[0]}", examine, label, one_in=COSTLY, meaning=meaning)


def _entry_alone(form: Form, trial: Trial) -> Part | None:
    """The last batch entry."""
    return _entries(form, trial, slice(-1, None))


def _entries_reversed(form: Form, trial: Trial) -> Part | None:
    return _entries(form, trial, slice(None, None, -1))


def _entries(form: Form, trial: Trial, entries: slice) -> Part | None:
    problem, batch = trial.problem, trial.case.batch
    if prod(batch) < 2:
        return None
    places = (entries,) * len(batch)
    given = {a.name for a in form.tensors if not a.shared} & set(problem.arrays)
    taken = problem.with_arrays(**{name: np.ascontiguousarray(problem.arrays[name][places]) for name in given})
    cotangents = {name: np.ascontiguousarray(x[places]) for name, x in problem.cotangents.items()}
    return Part(taken.with_cotangents(cotangents), places)


def _zero_sum(name: str, axis: int, trial: Trial, profile: Profile) -> Finding | None:
    """The gradient adds up to 0 along an axis."""
    if not trial.run.complete or name not in trial.gradients or not trial.gradients[name].size:
        return None
    bound = trial.bound(profile).gradients[name]
    holds, allowed = total(trial.expected.gradients[name], bound, axis)
    if compare("", holds, np.zeros(holds.shape), allowed).failure is not None:
        return None
    sums, allowed = total(trial.gradients[name], bound, axis)
    return compare(f"sum of the gradient of {name} along an axis", sums, np.zeros(sums.shape), allowed)


def _affine(name: str, trial: Trial, profile: Profile) -> Finding | None:
    """f(a) + f(b) = f(a + b) + f(0), for two parts of the argument that are exact and overlap."""
    problem = trial.problem
    x = problem.arrays.get(name)
    if trial.run.failure or x is None or not x.size:
        return None
    half = representable(x / 2, DTYPES[trial.dtype])
    first = np.where(np.arange(x.shape[-1]) % 2, half, x)
    parts = [problem.with_arrays(**{name: part}).without_gradient() for part in (first, x - first, np.zeros(x.shape))]
    outputs = [trial.evaluate_all(part) for part in parts]
    bounds = [trial.bound(profile), *(trial.bound_of(part, profile) for part in parts)]
    one, two, zero = outputs
    if one is None or two is None or zero is None:
        return None
    findings = []
    for k, output in trial.outputs.items():
        with np.errstate(invalid="ignore"):
            rebuilt = one[k] + two[k] - zero[k]
        # ∞ − ∞ says nothing of an output that is infinite throughout, such as the log-sum-exp of a row without keys.
        rebuilt = np.where(np.isfinite(trial.expected.outputs[k]), rebuilt, output)
        allowed = np.sum([b.outputs[k] for b in bounds], axis=0)
        findings.append(compare(f"{shown(k)} for the sum of two values of {name}", rebuilt, output, allowed))
    return merged(findings)
