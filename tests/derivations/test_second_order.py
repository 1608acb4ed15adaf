"""Hessian-vector products as programs, against mixed second differences of the textbook formulas at many digits."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.evaluate import Point, all_indices, evaluator
from lemmata.derivations.calculus.expr import Dim, Index, total
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.derivations.catalogue import TOPICS, topic
from lemmata.derivations.loss import CROSS_ENTROPY
from lemmata.derivations.softmax import LOGSUMEXP, SOFTMAX
from lemmata.tests.reference.differences import DIGITS, STEP
from lemmata.tests.reference.second_differences import OPERATIONS, SIZES, Named, by_differences, drawn


def by_program(operation: Operation, values: Named) -> Named:
    """The same of the derived program."""
    arrays = {
        t: {place: Fraction(float(x)) for place, x in np.ndenumerate(np.asarray(values[t.name]))}
        for t in operation.hvp.inputs
    }
    dims = {dim for t in (*operation.hvp.inputs, *operation.hvp.defined) for dim in t.dims}
    sizes: dict[Dim, int] = {dim: SIZES[dim.name] for dim in dims}
    point = Point(sizes, arrays, digits=DIGITS)
    found = {}
    for tensor in operation.hvp.outputs:
        indices = tuple(Index(f"{dim.name}{k}", dim) for k, dim in enumerate(tensor.dims))
        entry = evaluator(operation.hvp.inline(tensor[indices]))
        found[tensor.name] = np.empty(tuple(sizes[dim] for dim in tensor.dims), dtype=object)
        for where in all_indices(indices, sizes):
            found[tensor.name][tuple(where.values())] = entry(point, where)
    return found


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: op.name)
def test_the_program_agrees_with_second_differences(operation: Operation) -> None:
    rng = np.random.default_rng(list(operation.name.encode()))
    values = {t.name: drawn(t, rng) for t in operation.hvp.inputs}
    with mp.workdps(DIGITS):
        found, expected = by_program(operation, values), by_differences(operation, values)
        assert found.keys() == expected.keys()
        for name, entries in expected.items():
            # A step of 10^−60 leaves an error of 10^−120; half of those digits are asked for.
            assert np.max(abs(found[name] - entries)) < mp.mpf(10) ** -STEP, name
            assert np.max(abs(entries)) > mp.mpf(10) ** -3, f"{name} vanishes: nothing was compared"


def test_every_second_order_operation_is_compared() -> None:
    known = [op.name for name in TOPICS for op in topic(name).operations if op.second_order]
    assert sorted(known) == sorted(op.name for op in OPERATIONS)


def test_the_arguments_are_inputs_then_cotangents_then_tangents() -> None:
    assert [t.name for t in CROSS_ENTROPY.hvp.inputs] == [
        *("x", "target", "weight", "keep", "zeta"),
        *("dloss", "dtotal", "dmean"),
        "tx",
    ]
    assert [t.name for t in ATTENTION.hvp.outputs] == ["tdq", "tdk", "tdv", "tdbias"]


def test_a_false_symmetry_is_refuted() -> None:
    left, right = LOGSUMEXP.hessian_symmetry()
    assert prove(Statement("S1", "twice one side", Equal(left, 2 * right))).status == "refuted"
    left, right = SOFTMAX.hessian_symmetry()
    (x,) = SOFTMAX.differentiable
    j = Index("j", x.dims[0])
    more = total(j, x[j] * SOFTMAX.tangent(x)[j])
    assert prove(Statement("S1", "a term on one side alone", Equal(left + more, right))).status == "refuted"
