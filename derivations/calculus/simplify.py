"""From a derived gradient program to the form that people write.

Five rewritings, each of them an equality that is proved by the normal form when the result is assembled:

1. *Inline* the intermediate gradients that no matrix product needs.
2. *Absorb*: an expression that occurs as the definition of an earlier name becomes that name (a/z becomes p).
3. *Evaluate* the sums that are numbers: the deviations from a mean sum to 0.
4. *Factor* what all terms share, and name the part that is constant along a row (delta).
5. *Choose*, for such a row-level reduction, the cheapest among the forms that absorbing other definitions gives:
   Σ_j p[i,j] dp[i,j] becomes Σ_e do[i,e] o[i,e], because it costs less when sequences are long.
"""

from __future__ import annotations

from collections.abc import Iterable

from .absorb import absorbed, with_known_sums
from .cost import flops, growth, program_cost
from .factor import factored
from .index import Dim, Index
from .matrix_products import is_product, operands, reduces
from .nodes import Add, Entry, Expr, Mul, Sum, Tensor
from .normal_form import is_zero, normal_form
from .program import Def, Program
from .readback import Reader
from .tidy import tidy
from .traverse import axes_of, dims_of, walk


class NotEqual(AssertionError):
    """A rewriting changed the value: a fault of the simplifier."""


def simplify(program: Program, given: Program) -> Program:
    """`program` (derived from `given`, whose definitions it starts with) in factored form, proved equal.

    Of the forms that inlining more or less gives, it is the cheapest.
    """
    derived = [step for step in program.steps if step.tensor not in given.defined]
    kept = _inlined(program, derived, shared_sums=True)
    without = _inlined(program, derived, shared_sums=False)
    forms = [_rewritten(program, given, kept)]
    if len(without) < len(kept):
        forms.insert(0, _rewritten(program, given, without))
    reduced = _inlined(program, derived, shared_sums=True, reductions=True)
    if len(reduced) > len(kept):
        forms.append(_rewritten(program, given, reduced))
    result = min(forms, key=_cost) if len(forms) > 1 else forms[0]
    _require_equal(program, result)
    return result


def _rewritten(program: Program, given: Program, derived: list[Def]) -> Program:
    """The program with each derived definition in factored form."""
    reader = reader_of(program)
    done: list[Def] = []
    for step in derived:
        definitions = [*given.steps, *done]
        if is_product(step.value):
            done.append(Def(step.target, step.value, step.note))
            continue
        value = absorbed(normal_form(step.value), definitions, with_sums=False)
        written = factored(step, with_known_sums(value, given, reader), definitions, reader, program)
        done += [step] if _expanded(step, written) else written
    steps = (*given.steps, *done)
    return Program(program.name, program.inputs, steps, program.outputs, program.zero_over_empty).pruned()


def _expanded(step: Def, written: list[Def]) -> bool:
    """Whether the normal form has only multiplied out an elementwise definition: b·y + (1 − b)·x has two terms."""
    if reduces(step.value):
        return False
    cost, other = flops(step.value), sum(flops(definition.value) for definition in written)
    return cost < other or (cost == other and _terms(step.value) < _terms(written[-1].value))


def _terms(expr: Expr) -> int:
    return len(expr.terms) if isinstance(expr, Add) else 1


def _cost(program: Program) -> tuple[int, float]:
    """An order of equal programs by what they cost."""
    dims = tuple(dict.fromkeys(d for s in program.steps for d in (*s.tensor.dims, *dims_of(s.value))))
    return growth(program_cost(program), dims)


def _require_equal(before: Program, after: Program) -> None:
    for tensor in before.outputs:
        entry = tensor[axes_of(tensor)]
        if not is_zero(normal_form(before.inline(entry)) - normal_form(after.inline(entry))):
            raise NotEqual(f"{before.name}: the simplified {tensor.name} is not shown to equal the derived one")


def reader_of(program: Program) -> Reader:
    """Reads normal forms back with the index names and the order of tensors of a program."""
    names: dict[Dim, str] = {}
    for step in program.steps:
        for node in (step.target, *walk(step.value)):
            if isinstance(node, Entry):
                for index in (ix for ix in node.indices if isinstance(ix, Index)):
                    names.setdefault(index.dim, index.name)
            elif isinstance(node, Sum):
                names.setdefault(node.index.dim, node.index.name)
    order = {t: k for k, t in enumerate((*program.inputs, *program.defined))}
    return Reader(names, order)


# Inline -------------------------------------------------------------------------------------------------------------


def _inlined(program: Program, derived: list[Def], *, shared_sums: bool, reductions: bool = False) -> list[Def]:
    """The derived definitions that stay: outputs, matrix products and their operands, and what several others read.

    That is a product of inputs, which no definition absorbs, (if `shared_sums`) a sum of elementwise terms, or (if
    `reductions`) a value of a row that a sum along it gives.
    """
    taken_apart = [Def(step.target, spread(step.value), step.note) for step in derived]
    multiplied = {t for step in taken_apart for t in operands(step.value)}
    renamed = {step.value.tensor for step in taken_apart if isinstance(step.value, Entry)}
    needed = multiplied | renamed | set(program.outputs)
    uses = _effective_uses(taken_apart, needed)
    kept: list[Def] = []
    names: list[Def] = []
    for step in taken_apart:
        inner = Program("inline", _everything(program, names), tuple(names), ())
        value = tidy(inner.inline(step.value))
        shared = uses[step.tensor] > 1 and not reduces(step.value)
        reduction = reductions and uses[step.tensor] > 1 and reduces(step.value)
        product = isinstance(step.value, Mul) and set(step.read) <= set(program.inputs)
        stays = shared and (product or (shared_sums and isinstance(step.value, Add)))
        if step.tensor in needed or stays or reduction or is_product(step.value):
            kept.append(Def(step.target, value, step.note))
        else:
            names.append(Def(step.target, value))
    return kept


def _effective_uses(steps: list[Def], needed: set[Tensor]) -> dict[Tensor, int]:
    """How often each tensor would be read by the definitions that stay, if the others were inlined."""
    uses = {step.tensor: 0 for step in steps}
    for step in reversed(steps):
        stays = step.tensor in needed or is_product(step.value)
        for node in walk(step.value):
            if isinstance(node, Entry) and node.tensor in uses:
                uses[node.tensor] += 1 if stays else uses[step.tensor]
    return uses


def _everything(program: Program, names: Iterable[Def]) -> tuple[Tensor, ...]:
    hidden = {step.tensor for step in names}
    return tuple(t for t in (*program.inputs, *program.defined) if t not in hidden)


def spread(expr: Expr) -> Expr:
    """Sums of sums taken apart: Σ_j (a + b) = Σ_j a + Σ_j b."""
    if isinstance(expr, Sum):
        body = spread(expr.body)
        if isinstance(body, Add):
            return tidy(Add(tuple(Sum(expr.index, term) for term in body.terms)))
        return tidy(Sum(expr.index, body))
    if isinstance(expr, Mul):
        factors = [spread(f) for f in expr.factors]
        sums = [k for k, f in enumerate(factors) if isinstance(f, Add) and reduces(f)]
        if len(sums) == 1:
            (k,) = sums
            chosen = factors[k]
            assert isinstance(chosen, Add)
            return tidy(Add(tuple(Mul((*factors[:k], t, *factors[k + 1 :])) for t in chosen.terms)))
        return tidy(Mul(tuple(factors)))
    if isinstance(expr, Add):
        return tidy(Add(tuple(spread(t) for t in expr.terms)))
    return expr
