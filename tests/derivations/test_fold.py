"""Folding: the names of a program put back into written-out expressions, without changing what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from lemmata.derivations.attention import ATTENTION, SOFTCAPPED
from lemmata.derivations.attention_program import bias, c, e, i, j, k, keep, m_dim, o, p, q, r, s, scale, v
from lemmata.derivations.calculus.expr import ZERO, Entry, Expr, Permutation, Tensor, exp, refresh, total
from lemmata.derivations.calculus.expr import Replacement as InputReplacement
from lemmata.derivations.calculus.fold import Folded, fold
from lemmata.derivations.calculus.match import Replacement
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program import Program
from lemmata.derivations.calculus.statement import Claim, Equal
from lemmata.derivations.calculus.traverse import children, rebuild
from lemmata.derivations.norm import ADD_LAYER_NORM, LAYER_NORM, RMS_NORM
from lemmata.derivations.optimizer import CLIP, NESTEROV
from lemmata.derivations.softmax import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX, x
from lemmata.derivations.softmax import i as row

OPERATIONS = (
    SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, ATTENTION, SOFTCAPPED, LAYER_NORM, RMS_NORM, ADD_LAYER_NORM, NESTEROV, CLIP,
)  # fmt: skip


def unfolded(folded: Folded, expr: Expr, program: Program) -> Expr:
    """Every name written out again, with its replacements."""
    if isinstance(expr, Entry):
        mark = expr.tensor.name[len(expr.tensor.name.rstrip("′")) :]
        base = expr.tensor.name.rstrip("′")
        if base not in {t.name for t in program.defined}:
            return expr
        replaced: Mapping[Tensor, Replacement] = {r.tensor: r for r in folded.where.get(mark, ())} if mark else {}
        inputs = {t: (lambda *at, r=r: r.at(at)) for t, r in replaced.items()}
        return program.inline(Entry(program.tensor(base), expr.indices), inputs)
    parts = children(expr)
    return refresh(rebuild(expr, tuple(unfolded(folded, part, program) for part in parts))) if parts else expr


def blocks(folded: Folded) -> bool:
    """Whether a name stands for a part of an axis, which the program cannot write out."""
    return any(ix.dim not in r.tensor.dims for rs in folded.where.values() for r in rs for ix in r.indices)


def claims() -> Iterator[tuple[str, Operation, Claim]]:
    for op in OPERATIONS:
        for statement in op.statements():
            for number, claim in enumerate(statement.claims):
                yield f"{op.name} {statement.label}.{number}", op, claim


CLAIMS = list(claims())


@pytest.mark.parametrize(
    ("op", "claim"), [pytest.param(op, claim, id=name) for name, op, claim in CLAIMS if isinstance(claim, Equal)]
)
def test_what_is_shown_means_what_was_claimed(op: Operation, claim: Equal) -> None:
    folded = fold(op.program, claim.left, claim.right)
    if blocks(folded):
        return
    for shown, original in zip(folded.exprs, (claim.left, claim.right), strict=True):
        assert equal(unfolded(folded, shown, op.program), original)


def test_few_claims_are_about_blocks() -> None:
    folded = [fold(op.program, claim.left, claim.right) for _, op, claim in CLAIMS if isinstance(claim, Equal)]
    assert sum(map(blocks, folded)) <= 10


def test_names_replace_definitions() -> None:
    assert str(fold(ATTENTION.program, ATTENTION.value(o[r, i, e])).exprs[0]) == "o[r, i, e]"
    assert str(fold(SOFTMAX.program, SOFTMAX.value(SOFTMAX.program.tensor("p")[row])).exprs[0]) == "p[i]"


def test_a_replaced_input_is_named() -> None:
    shift = Tensor("w", (k.dims[1],))
    folded = fold(ATTENTION.program, ATTENTION.value(o[r, i, e], {k: lambda key, f: k[key, f] + shift[f]}))
    assert str(folded.exprs[0]) == "o′[r, i, e]"
    assert {mark: [str(r) for r in rs] for mark, rs in folded.where.items()} == {"′": ["k[j, c] ↦ k[j, c] + w[c]"]}


def test_a_permuted_axis_is_named() -> None:
    pi = Permutation("π", m_dim)
    inputs: dict[Tensor, InputReplacement] = {
        k: lambda key, f: k[pi(key), f],
        v: lambda key, f: v[pi(key), f],
        keep: lambda g, row, key: keep[g, row, pi(key)],
        bias: lambda g, row, key: bias[g, row, pi(key)],
    }
    folded = fold(ATTENTION.program, ATTENTION.value(o[r, i, e], inputs))
    assert str(folded.exprs[0]) == "o′[r, i, e]"
    assert {str(r) for r in folded.where["′"]} == {
        "k[j, c] ↦ k[π(j), c]",
        "v[j, e] ↦ v[π(j), e]",
        "keep[r, i, j] ↦ keep[r, i, π(j)]",
        "bias[r, i, j] ↦ bias[r, i, π(j)]",
    }


def test_two_replacements_get_two_marks() -> None:
    one, two = (
        SOFTMAX.value(SOFTMAX.program.tensor("p")[row], {x: lambda at, n=n: x[at] + Tensor(n)[()]}) for n in "ab"
    )
    folded = fold(SOFTMAX.program, one, two)
    assert [str(e) for e in folded.exprs] == ["p′[i]", "p′′[i]"]
    assert list(folded.where) == ["′", "′′"]


def test_any_product_of_sums_is_not_taken_for_scores() -> None:
    do = Tensor("do", o.dims)
    product = total(e, do[r, i, e] * v[j, e]) * exp(ZERO) + Tensor("u", s.dims)[r, i, j]
    assert "s" not in str(fold(ATTENTION.program, product).exprs[0])


def test_a_wrong_scale_is_not_taken_for_the_scores() -> None:
    squared = scale[()] ** 2 * total(c, q[r, i, c] * k[j, c]) + bias[r, i, j]
    folded = fold(ATTENTION.program, squared)
    assert "s[" not in str(folded.exprs[0])
    assert equal(unfolded(folded, folded.exprs[0], ATTENTION.program), squared)


def test_weights_are_not_taken_for_those_of_another_mask() -> None:
    other = Tensor("keep_2", keep.dims, "boolean")
    weights = ATTENTION.value(p[r, i, j], {keep: lambda g, row, key: other[g, row, key]})
    folded = fold(ATTENTION.program, weights)
    assert str(folded.exprs[0]) == "p′[r, i, j]"
    assert [str(r) for r in folded.where["′"]] == ["keep[r, i, j] ↦ keep_2[r, i, j]"]


def test_the_mean_of_something_else_is_not_shown_as_a_mean_with_a_replacement() -> None:
    program = LAYER_NORM.program
    variance, output = program.tensor("var"), program.tensor("y")
    feature = program.defined[output].indices[0]
    (x,) = (tensor for tensor in program.inputs if tensor.name == "x")
    assert str(fold(program, program.inline(variance[()])).exprs[0]) == "var"
    shifted = fold(program, LAYER_NORM.value(output[feature], {x: lambda at: x[at] + Tensor("a")[()]}))
    assert str(shifted.exprs[0]) == "y′[c]"
    assert [str(r) for r in shifted.where["′"]] == ["x[f] ↦ x[f] + a"]
