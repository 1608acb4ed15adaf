"""Statements about compositions, proved step by step.

A property that every step preserves is a property of the whole: if the arguments of a step are those of another run up
to a change of some kind, so are its results. One claim a step, in which the change of what it reads is arbitrary, so
that the change which the step before makes is one instance of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .affine import position
from .call import Call
from .composite import Composition
from .index import Dim, Index, Permutation, Subscript, plain
from .nodes import Add, Entry, Expr, Predicate, Sum, Tensor
from .program import Def, Program, ProgramError
from .statement import Equal, Statement
from .traverse import Replacement, axes_of, rename


def step_by_step(label: str, name: str, claims: Sequence[Equal], law: str = "") -> Statement:
    """A statement that holds if one claim for each step does."""
    return Statement(label, name, claims[0], conjuncts=tuple(claims[1:]), law=law)


def causal_steps(
    composition: Composition,
    moving: Sequence[Tensor],
    tokens: frozenset[Dim],
    masks: Mapping[Tensor, Replacement] | None = None,
    layers: Mapping[str, Composition] | None = None,
) -> tuple[Equal, ...]:
    """One claim for each result: at positions up to the present t it does not change when the later rows of what it is
    made of change.

    Args:
        moving: the inputs that change in later rows.
        tokens: the dimensions that count positions.
        masks: what the boolean inputs are (the causal mask).
        layers: the compositions that layers repeat, by name; the claims of one layer stand for all of them.

    Raises:
        ProgramError: layers repeat a composition that is not given.
    """
    present = Index("t", next(iter(sorted(tokens, key=str))))

    def changed(tensor: Tensor) -> Replacement:
        difference = Tensor(f"Δ{tensor.name}", tensor.dims)
        place = next((k for k, dim in enumerate(tensor.dims) if dim in tokens), None)

        def value(*at: Subscript) -> Expr:
            if place is None:
                return Entry(tensor, at)
            return Entry(tensor, at) + Predicate(position(plain(at[place])) - present - 1) * Entry(difference, at)

        return value

    static, moved = dict(masks or {}), composition.moved(moving)
    claims: list[Equal] = []
    for layer, inner, given_masks in _moved_layers(composition, moving, layers or {}):
        claims += causal_steps(layer, inner, tokens, given_masks, layers)
    for tensor, program in _moved_results(composition, moving):
        indices = axes_of(tensor)
        rows = [ix for ix in indices if ix.dim in tokens][:1]
        given = tuple(Predicate(position(present) - row) for row in rows)
        reads = {t: changed(t) for t in program.inputs if t in moved}
        entry = tensor[indices]
        claims.append(Equal(program.inline(entry, {**static, **reads}), program.inline(entry, static), given))
    return tuple(claims)


def permuted_steps(
    composition: Composition,
    moving: Sequence[Tensor],
    permutations: Mapping[Dim, Permutation],
    masks: Mapping[Tensor, Replacement] | None = None,
) -> tuple[Equal, ...]:
    """One claim for each result: permuting what it is made of along some dimensions permutes it along those it has.

    `moving` are the inputs that are permuted, masks among them; `masks` says what boolean inputs are that are not.

    Raises:
        ProgramError: there are layers, one after the other: no statement needs it for them.
    """
    _moved_layers(composition, moving, {})

    def image(index: Subscript) -> Subscript:
        return permutations[index.dim](plain(index)) if index.dim in permutations else index

    def permuted(tensor: Tensor) -> Replacement:
        return lambda *at: Entry(tensor, tuple(map(image, at)))

    static, moved = dict(masks or {}), composition.moved(moving)
    claims = []
    for tensor, program in _moved_results(composition, moving):
        indices = axes_of(tensor)
        reads = {t: permuted(t) for t in program.inputs if t in moved}
        entry = tensor[indices]
        images = {index: image(index) for index in indices if index.dim in permutations}
        claims.append(Equal(program.inline(entry, {**static, **reads}), rename(program.inline(entry, static), images)))
    return tuple(claims)


def _moved_layers(
    composition: Composition, moving: Sequence[Tensor], layers: Mapping[str, Composition]
) -> list[tuple[Composition, tuple[Tensor, ...], dict[Tensor, Replacement]]]:
    """What layers repeat, with the inputs of it that depend on those that move, and what its masks are.

    Raises:
        ProgramError: that is not among `layers`, or has other dimensions there.
    """
    moved = composition.moved(moving)
    masks = _program_of(composition, _still(composition, moved))
    found = []
    for step in composition.steps:
        if isinstance(step, Def) or not step.carry or moved.isdisjoint(step.made):
            continue
        if step.part.name not in layers or any(mine != here for mine, here in step.dims.items()):
            raise ProgramError(f"{composition.name}: say what the layers of {step.part.name} repeat")
        inputs = tuple(t for t, entry in step.arguments.items() if entry.tensor in moved)
        given = {t: _mask(step, masks, t) for t in step.arguments if t.kind == "boolean"}
        found.append((layers[step.part.name], inputs, given))
    return found


def _mask(step: Call, masks: Program, tensor: Tensor) -> Replacement:
    return lambda *own: masks.inline(step.at(step.arguments[tensor], own))


def _still(composition: Composition, moved: frozenset[Tensor]) -> tuple[Def, ...]:
    """The definitions that do not move: masks."""
    return tuple(s for s in composition.steps if isinstance(s, Def) and s.tensor not in moved)


def _program_of(composition: Composition, steps: Sequence[Def], *outputs: Tensor) -> Program:
    """Some definitions of a composition alone, which take as given what else they read."""
    defined = {step.tensor for step in steps}
    reads = dict.fromkeys(t for step in steps for t in step.read if t not in defined)
    return Program(composition.name, tuple(reads), tuple(steps), outputs)


def _moved_results(composition: Composition, moving: Sequence[Tensor]) -> list[tuple[Tensor, Program]]:
    """Each result that depends on the inputs that move, with the program of its step alone, read from what the steps
    before it give; definitions that do not move (masks) are written out."""
    moved = composition.moved(moving)
    still = _still(composition, moved)
    found: list[tuple[Tensor, Program]] = []
    for step in composition.steps:
        if isinstance(step, Def):
            if step.tensor not in moved:
                continue
            steps: tuple[Def, ...] = (step,)
            results: tuple[Tensor, ...] = (step.tensor,)
        elif step.carry:
            continue  # `_moved_layers`
        else:
            results = tuple(t for t in step.results.values() if t in moved)
            steps = tuple(step.definitions(lambda name: f"{name}_"))
        found += [(t, _program_of(composition, (*still, *steps), t)) for t in results]
    return found


def adjoint_by_parts(composition: Composition, forward: Composition, backward: Composition) -> Equal:
    """⟨JVP·t, c⟩ = ⟨t, VJP·c⟩ for a composition, given the same for each of its parts.

    The results of the calls are taken as they are. What the identity of a part says of them, ⟨tangents of its results,
    their cotangents⟩ = ⟨tangents of its arguments, their gradients⟩, is added to the two sides, crosswise.

    Args:
        forward: the Jacobian-vector product of the composition.
        backward: its vector-Jacobian product, with respect to the same inputs.
    """
    jvp, vjp = forward.opaque, backward.opaque
    given, outputs = len(composition.inputs), len(composition.outputs)
    cotangents, moving = backward.inputs[given : given + outputs], forward.inputs[given:]
    left: list[Expr] = [
        _paired(jvp, t[ix := axes_of(t)], vjp, c[ix]) for t, c in zip(forward.outputs, cotangents, strict=True)
    ]
    right: list[Expr] = [
        _paired(jvp, t[ix := axes_of(t)], vjp, d[ix]) for t, d in zip(moving, backward.outputs, strict=True)
    ]
    tangents = {call.of: call for call in forward.steps if isinstance(call, Call) and call.kind == "jvp"}
    for call in backward.steps:
        if not (isinstance(call, Call) and call.kind == "vjp"):
            continue
        other, part = tangents[call.of], call.part
        for tensor in part.differentiable:
            moved, gradient = other.arguments.get(part.tangent(tensor)), call.results.get(part.gradient(tensor))
            if moved is not None and gradient is not None:
                own = call.own(tensor)
                at = (*call.axes(part.gradient(tensor)), *own)
                left.append(_paired(jvp, call.at(moved, own), vjp, gradient[at]))
        for output in part.program.outputs:
            cotangent, moved_ = call.arguments.get(part.cotangent(output)), other.results.get(part.tangent(output))
            if cotangent is not None and moved_ is not None:
                right.append(_paired(jvp, moved_[cotangent.indices], vjp, cotangent))
    return Equal(Add(tuple(left)), Add(tuple(right)))


def _paired(jvp: Program, tangent: Entry, vjp: Program, cotangent: Entry) -> Expr:
    """Σ tangent · cotangent over the indices of both, each in terms of its program."""
    body: Expr = jvp.inline(tangent) * vjp.inline(cotangent)
    for index in dict.fromkeys((*cotangent.indices, *tangent.indices)):
        body = Sum(plain(index), body)
    return body
