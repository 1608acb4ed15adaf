"""A derivation laid out for a reader: definitions, gradients, costs, and the lines of every proof.

This is the content of `lemmata derive`; `display`, `exposition_latex` and `exposition_html` give it a form.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from .calculus.call import Call
from .calculus.composite import Composition
from .calculus.cost import definition_cost, steps_cost
from .calculus.elementary import elementary
from .calculus.expr import ZERO, Const, Expr, Predicate
from .calculus.fold import Folded, fold
from .calculus.normal_form import equal, is_zero, normal_form
from .calculus.operation import Operation
from .calculus.products import NoValue, TooLarge
from .calculus.program import Def, Program
from .calculus.prove import decide, enclosure, facts, lines_of, prove
from .calculus.readback import Reader
from .calculus.simplify import reader_of
from .calculus.statement import Claim, Equal, NonNegative, Result, Statement, Step, Within
from .calculus.text import text

_SIGN = "products, quotients and sums of masks and exponentials are never negative"
LONGEST_NORMAL_FORM = 320  # characters; a longer normal form shows nothing to a reader


@dataclass(frozen=True)
class ProofLine:
    """One line of a chain of equalities, and why it equals the line before (empty for the first).

    A line that is not shown to follow, in a statement that is not proved, has `follows` False.
    """

    expr: Expr
    reason: str
    follows: bool = True


@dataclass(frozen=True)
class Bound:
    """What follows the last line of a proof of a sign or of bounds: a relation to one number, or ∈ and two numbers."""

    relation: str
    numbers: tuple[Expr, ...]

    @classmethod
    def of(cls, claim: Claim) -> Bound | None:
        """The bound that a claim states; none if it is an equality."""
        match claim:
            case Equal():
                return None
            case NonNegative():
                return cls("≥", (ZERO,))
            case Within(_, low, high):
                numbers = tuple(Const(number) for number in (low, high) if number is not None)
                return cls("∈" if len(numbers) == 2 else "≤" if low is None else "≥", numbers)

    def __str__(self) -> str:
        shown = ", ".join(map(text, self.numbers))
        return f"{self.relation} [{shown}]" if len(self.numbers) == 2 else f"{self.relation} {shown}"


@dataclass(frozen=True)
class ClaimProof:
    """The lines that prove one claim, under its hypotheses; `folded.where` explains primed names. The last line of a
    sign or of bounds has a `bound`."""

    lines: tuple[ProofLine, ...]
    folded: Folded
    given: tuple[Predicate, ...]
    bound: Bound | None


@dataclass(frozen=True)
class StatementProof:
    """A statement with its verdict and the proof of each of its claims."""

    result: Result
    claims: tuple[ClaimProof, ...]

    @property
    def statement(self) -> Statement:
        """The statement."""
        return self.result.statement


def detail(result: Result) -> list[str]:
    """The counterexample, or the reason why a statement is open; nothing if it is proved."""
    if result.counterexample is not None:
        return result.counterexample.lines()
    return [] if result.status == "proved" else [result.reason]


@dataclass(frozen=True)
class Choice:
    """A definition that was chosen among equal forms because it costs less."""

    step: Def
    other: Expr
    flops: sympy.Expr
    other_flops: sympy.Expr


@dataclass(frozen=True)
class Called:
    """A step of a composition that calls an operation or one of its derivatives.

    `arguments` are pairs: the name of an input of the operation, and what is given for it. `over` are the indices for
    each of whose values the operation is called; in `layers` each call takes what the one before gave.
    """

    results: tuple[str, ...]
    function: str
    arguments: tuple[tuple[str, str], ...]
    over: tuple[str, ...]
    layers: bool

    @classmethod
    def of(cls, call: Call) -> Called:
        """What is shown of a call."""
        function = call.part.name + ("" if call.kind == "value" else f"_{call.kind}")
        arguments = tuple((mine.name, entry.tensor.name) for mine, entry in call.arguments.items())
        over = tuple(index.name for index in call.over)
        return cls(tuple(tensor.name for tensor in call.made), function, arguments, over, bool(call.carry))

    @property
    def note(self) -> str:
        """What the call runs over, in words."""
        indices = ", ".join(self.over)
        if self.layers:
            return f"one {indices} after the other, each on what the one before gave"
        return f"for each {indices}" if indices else ""

    def __str__(self) -> str:
        shown = (given if mine == given else f"{mine} = {given}" for mine, given in self.arguments)
        return f"{', '.join(self.results)} = {self.function}({', '.join(shown)})"


Line = Def | Called


_BACKWARD = "vector-Jacobian product, forward values recomputed"
_FORWARD = "Jacobian-vector product, forward values recomputed"


@dataclass(frozen=True)
class Exposition:
    """Everything that is shown of one operation; calls stand in the programs of a composition."""

    operation: Operation
    definition: tuple[Line, ...]
    gradient: tuple[Line, ...]
    tangent: tuple[Line, ...]
    choices: tuple[Choice, ...]
    costs: tuple[tuple[str, sympy.Expr, sympy.Expr], ...]
    proofs: tuple[StatementProof, ...]

    @property
    def how(self) -> str:
        """Where the gradients come from."""
        if self.operation.composition is not None:
            return "composed of those of the parts, which are proved where the parts are"
        return "derived, simplified, proved equal to the derived one"


def expose(operation: Operation, statements: Sequence[Statement]) -> Exposition:
    """Derives, costs and proves one operation, for display; a count, which nothing differentiates, has no gradients."""
    own = set(operation.program.steps)
    counted: list[tuple[str, Sequence[Def]]] = [("forward", operation.counted)]
    definition: tuple[Line, ...] = operation.program.steps
    gradient: tuple[Line, ...] = ()
    tangent: tuple[Line, ...] = ()
    choices: tuple[Choice, ...] = ()
    composition, inputs = operation.composition, operation.differentiable
    if composition is not None:
        backward, forward = composition.vjp(inputs), composition.jvp(inputs)
        definition = _calls(composition, ())
        gradient, tangent = _calls(backward, composition.steps), _calls(forward, composition.steps)
        counted += [(_BACKWARD, backward.counted), (_FORWARD, forward.counted)]
    elif inputs:
        new = [step for step in operation.vjp.steps if step not in own]
        gradient = tuple(new)
        tangent = tuple(step for step in operation.jvp.steps if step not in own)
        choices = _choices(new)
        counted += [(_BACKWARD, operation.vjp.steps), (_FORWARD, operation.jvp.steps)]
    costs = tuple((name, (cost := steps_cost(steps)).flops, cost.elements) for name, steps in counted)
    reader = reader_of(operation.vjp if operation.differentiable else operation.program)
    proofs = tuple(_statement_proof(operation, statement, reader) for statement in statements)
    return Exposition(operation, definition, gradient, tangent, choices, costs, proofs)


def _calls(composition: Composition, known: Sequence[Def | Call]) -> tuple[Line, ...]:
    """The steps of a composition that are not known."""
    return tuple(Called.of(step) if isinstance(step, Call) else step for step in composition.steps if step not in known)


def _statement_proof(operation: Operation, statement: Statement, reader: Reader) -> StatementProof:
    result = prove(statement)
    claims = []
    for number, claim in enumerate(statement.claims):
        chain = statement.chain if number == 0 else ()
        if result.status == "proved" or not decide(claim, lines_of(claim, chain)):
            claims.append(claim_proof(operation.program, claim, chain, reader))
        else:
            claims.append(_open_claim(operation.program, claim, chain))
    return StatementProof(result, tuple(claims))


def _choices(steps: Sequence[Def]) -> tuple[Choice, ...]:
    found = []
    for step in steps:
        for other in step.alternatives:
            costs = (definition_cost(s).flops for s in (step, Def(step.target, other)))
            found.append(Choice(step, other, *costs))
    return tuple(found)


def claim_proof(program: Program, claim: Claim, chain: Sequence[Step], reader: Reader) -> ClaimProof:
    """The chain of a claim, from its left side to its right, in the names of the program."""
    pairs = lines_of(claim, chain)
    if not isinstance(claim, Equal):
        why = enclosure(claim, pairs).certificate if isinstance(claim, Within) else _SIGN
        pairs[-1] = (pairs[-1][0], "; ".join(filter(None, (pairs[-1][1], why))))
    elif not chain:
        pairs = _by_normal_form(claim, reader)
    exprs = [expr for expr, _ in pairs]
    folded = fold(program, *exprs)
    lines = [ProofLine(shown, reason) for shown, (_, reason) in zip(folded.exprs, pairs, strict=True)]
    if chain and isinstance(claim, Equal):
        lines = _told_apart(program, lines, exprs)
    elif len(lines) == 3 and not chain and text(lines[1].expr) in (text(lines[0].expr), text(lines[2].expr)):
        del lines[1]  # a normal form that looks like one of the sides is no step of its own
    given = claim.given if isinstance(claim, Equal) else ()
    return ClaimProof(tuple(lines), folded, given, Bound.of(claim))


def _told_apart(program: Program, lines: Sequence[ProofLine], exprs: Sequence[Expr]) -> list[ProofLine]:
    """A step that writes a definition out shows it written out; a step that then changes nothing is left out."""
    kept = [lines[0]]
    for line, expr in zip(lines[1:], exprs[1:], strict=True):
        for count in range(len(program.steps), 0, -1):
            if text(line.expr) != text(kept[-1].expr):
                break
            fewer = Program(program.name, program.inputs, program.steps[: count - 1], ())
            line = ProofLine(fold(fewer, expr).exprs[0], line.reason)
        final = expr is exprs[-1]
        if not final or text(lines[-1].expr) != text(kept[-1].expr):
            kept.append(lines[-1] if final else line)
    return kept


def _open_claim(program: Program, claim: Claim, chain: Sequence[Step]) -> ClaimProof:
    """What was to be shown, each line that does not follow marked."""
    if not isinstance(claim, Equal):
        folded = fold(program, claim.expr)
        return ClaimProof((ProofLine(folded.exprs[0], "not shown", False),), folded, (), Bound.of(claim))
    pairs = lines_of(claim, chain)
    folded = fold(program, *(expr for expr, _ in pairs))
    lines = [ProofLine(folded.exprs[0], "")]
    for ((before, _), (after, reason)), shown in zip(itertools.pairwise(pairs), folded.exprs[1:], strict=True):
        follows = _follows(claim, before, after, chained=bool(chain))
        lines.append(ProofLine(shown, reason if follows else "not shown", follows))
    return ClaimProof(tuple(lines), folded, claim.given, None)


def _follows(claim: Equal, left: Expr, right: Expr, *, chained: bool) -> bool:
    try:
        return equal(left, right, facts(claim.given), (claim.left, claim.right) if chained else None)
    except (NoValue, TooLarge):
        return False


def _by_normal_form(claim: Equal, reader: Reader) -> list[tuple[Expr, str]]:
    """The lines of an equality without a chain: the normal form of the left side, if it is short enough to be read,
    between the two sides."""
    left, right = normal_form(claim.left), normal_form(claim.right)
    if left == right:
        reason = "the same normal form"
    elif is_zero(left - right):
        reason = "the difference of the normal forms, times their denominators, is 0"
    elif is_zero(elementary(left - right)):
        reason = "the same once sigmoid, tanh, relu and erfc are written in exp, step and erf"
    else:
        reason = "the same normal form where the hypotheses hold"
    ends = [(claim.left, ""), (claim.right, reason)]
    try:
        shown = reader.poly(left)
    except TypeError:  # it permutes an axis
        return ends
    if len(text(shown)) <= LONGEST_NORMAL_FORM:
        ends.insert(1, (shown, "definitions written out, in normal form"))
    return ends
