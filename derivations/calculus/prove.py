"""The prover: a statement is proved, refuted or open.

*Proved* means that every line of the chain follows from the one before by the normal form, for every size, and that the
independent evaluation agrees at random small sizes. *Refuted* means that the independent evaluation found sizes and
exact values at which the two sides differ; the smallest that it found is kept. Anything else is *open*, which is a
failure. If the normal form says equal and the evaluation says different, the normal form is wrong: `Contradiction`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence

from .counterexample import NameClash, search
from .defined import has_value_where
from .evaluate import UnknownFunction
from .intervals import Enclosure, enclose
from .nodes import (
    NONNEGATIVE_FUNCTIONS,
    PI,
    Add,
    Const,
    Delta,
    Entry,
    Expr,
    Fn,
    Gated,
    Larger,
    Max,
    Mul,
    Place,
    Pow,
    Predicate,
    Size,
    Sum,
)
from .normal_form import equal, normal_form
from .polynomial import UNIT, is_nonnegative_power
from .predicates import Form, make_form
from .products import NoValue, TooLarge
from .statement import Claim, Equal, NonNegative, Result, Statement, Step, Within

POINTS = 8  # points of independent evaluation for a statement that the normal form proves


class Contradiction(AssertionError):
    """The normal form proved what the independent evaluation refutes: a fault of the prover."""


def prove(statement: Statement, seed: int = 0) -> Result:
    """Decide a statement.

    Raises:
        Contradiction: the normal form proves what the independent evaluation refutes.
    """
    start = time.perf_counter()
    checks = 0
    reason = ""
    certificates: list[str] = []
    for number, claim in enumerate(statement.claims):
        lines = lines_of(claim, statement.chain if number == 0 else ())
        failure = decide(claim, lines)
        proved = failure == ""
        between = [expr for expr, _ in (lines[1:-1] if isinstance(claim, Equal) else lines[1:])] if proved else []
        shown = enclosure(claim, lines)
        if proved and shown.certificate:
            certificates.append(shown.certificate)
        try:
            evidence = search(claim, seed, POINTS if proved else None, between, shown.suspects)
        except (NameClash, UnknownFunction) as problem:
            reason = reason or f"it cannot be evaluated: {problem}"
            continue
        checks += evidence.agreed
        if evidence.counterexample is not None:
            if proved:
                where = "; ".join(evidence.counterexample.lines())
                raise Contradiction(f"{statement.label} {statement.name}: proved, yet at {where}")
            seconds = time.perf_counter() - start
            return Result(statement, "refuted", seconds, checks, failure, evidence.counterexample)
        if proved and evidence.agreed == 0:
            failure = "the independent evaluation found no point at which both sides are defined"
        elif evidence.gap is not None:
            failure = f"the step {between[evidence.gap]} has no value where the two sides have one"
        reason = reason or failure
    seconds = time.perf_counter() - start
    if reason:
        return Result(statement, "open", seconds, checks, reason)
    return Result(statement, "proved", seconds, checks, certificates=tuple(certificates))


def lines_of(claim: Claim, chain: Sequence[Step] = ()) -> list[tuple[Expr, str]]:
    """The lines of a proof: expressions with the reason why each equals the one before (none for the first).

    The lines of an equality go from one side to the other; those of a sign, or of bounds, end in the expression that
    shows it.
    """
    steps = [(step.expr, step.reason) for step in chain]
    if isinstance(claim, Equal):
        return [(claim.left, ""), *steps, (claim.right, "normal form")]
    return [(claim.expr, ""), *steps]


def decide(claim: Claim, lines: Sequence[tuple[Expr, str]] | None = None) -> str:
    """What the normal form alone says of a claim: nothing if every line follows from the one before, else why not.

    `lines` are the expressions of a chain from one side to the other, each with its reason; by default the two sides.
    """
    try:
        return _undecided(claim, lines_of(claim) if lines is None else lines)
    except TooLarge as problem:
        return f"the normal form grew too large: {problem}"
    except NoValue as problem:
        return f"a side has no value anywhere: {problem}"


def _undecided(claim: Claim, lines: Sequence[tuple[Expr, str]]) -> str:
    given = facts(claim.given) if isinstance(claim, Equal) else ()
    claimed = [expr for expr, _ in lines_of(claim)]
    for (left, _), (right, reason) in itertools.pairwise(lines):
        if not equal(left, right, given, claimed if len(lines) > len(claimed) else None):
            return f"the step “{reason}” is not shown by the normal form: {left} = {right}"
    last = lines[-1][0]
    if isinstance(claim, NonNegative):
        if not is_nonnegative(last):
            return f"no sign follows from the form of {last}"
        if not has_value_where(last, claim.expr):
            return f"{last}, whose form shows the sign, may have no value where {claim.expr} has one"
    if isinstance(claim, Within):
        if not has_value_where(last, claim.expr):
            return f"{last}, which is enclosed, may have no value where {claim.expr} has one"
        return enclosure(claim, lines).failure
    return ""


def enclosure(claim: Claim, lines: Sequence[tuple[Expr, str]]) -> Enclosure:
    """What interval arithmetic says of bounds, for the last line of their proof; nothing of other claims."""
    return enclose(claim, lines[-1][0]) if isinstance(claim, Within) else Enclosure()


def facts(given: Iterable[Predicate]) -> tuple[Form, ...]:
    """The hypotheses of a claim as the normal form takes them."""
    return tuple(make_form(p.affine.terms, p.affine.constant) for p in given)


def is_nonnegative(expr: Expr) -> bool:
    """Whether an expression is never negative, by the signs of its parts: squares, exponentials, sums of such."""
    match expr:
        case Const(value):
            return value >= 0
        case Size() | Delta() | Predicate():
            return True
        case Place():
            return False
        case Entry(tensor, _):
            return tensor.kind in ("positive", "boolean")
        case Fn(name, _):
            return name in NONNEGATIVE_FUNCTIONS or expr == PI
        case Pow(base, exponent):
            even = exponent.denominator == 1 and exponent.numerator % 2 == 0
            return even or exponent.denominator % 2 == 0 or is_nonnegative(base)
        case Add(parts):
            return all(map(is_nonnegative, parts))
        case Mul(parts):
            if all(map(is_nonnegative, parts)):
                return True
            poly = normal_form(expr)
            return all(
                c > 0 and (m == UNIT or all(is_nonnegative_power(a, e) for a, e in m)) for m, c in poly.terms.items()
            )
        case Sum(_, body) | Max(_, body, _):
            return is_nonnegative(body)
        case Larger(left, right):
            return is_nonnegative(left) or is_nonnegative(right)
        case Gated(body, _):
            return is_nonnegative(body)
        case _:
            return False
