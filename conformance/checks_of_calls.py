"""What a call must not do, whatever it computes: write to its inputs, read beside them, leave elements unwritten,
remember earlier calls, share memory, replace what others measure with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from .compare import Finding, broken, compare, merged, same_bits
from .contracts import COSTLY, Check, Trial, allowance
from .execution import Mode, Run, cotangent_name
from .problems import DTYPES, Problem, shown, shown_gradient
from .profiles import Profile
from .values import Array, representable

DETERMINISTIC_GRADIENT = "deterministic gradient"
SECOND_BACKWARD = "second backward pass"
DERIVATIVE_OF_GRADIENT = "derivative of the gradient"
# One case in so many is also called under a count of operators, which takes some milliseconds.
_COUNTED = 8


def _inputs_unchanged(trial: Trial, profile: Profile) -> Finding | None:
    run = trial.run
    before = dict(trial.problem.arrays)
    before |= {cotangent_name(name): x for name, x in trial.problem.cotangents.items()}
    findings: list[Finding] = []
    for name, x in run.given.items():
        finding = same_bits(f"{name} after the call", x, before[name].astype(np.float64))
        if finding.failure is None and name in run.written:
            old, new = run.written[name]
            finding = broken(f"{name}: written to during the call (version {old} to {new})")
        findings.append(finding)
    return merged(findings)


def _deterministic(trial: Trial, profile: Profile) -> Finding | None:
    if not trial.run.outputs:
        return None
    if trial.again.failure:
        return broken(f"a second call {trial.again.failure}")
    return merged(
        [
            same_bits(f"{shown(name)} of a second call", output, trial.outputs[name])
            for name, output in trial.again.outputs.items()
        ]
    )


def _deterministic_gradient(trial: Trial, profile: Profile) -> Finding | None:
    if not (trial.problem.requires_grad and trial.run.complete and trial.again.complete):
        return None
    return merged(
        [
            same_bits(f"{shown_gradient(name)} in a second call", gradient, trial.gradients[name])
            for name, gradient in trial.again.gradients.items()
        ]
    )


def _second_backward(trial: Trial, profile: Profile) -> Finding | None:
    """What is saved for the backward pass is still there after it: the graph gives the same gradients once more."""
    again = trial.again
    if not (trial.problem.requires_grad and trial.run.complete):
        return None
    if again.gradient_failure:
        return broken(f"in a second call, {again.gradient_failure}")
    if not again.complete:
        return None
    if again.second_failure:
        return broken(f"in a second backward pass through the same graph, {again.second_failure}")
    bound = trial.bound(profile)
    return merged(
        [
            compare(f"{shown_gradient(k)} in a second backward pass", x, again.gradients[k], 2 * bound.gradients[k])
            for k, x in again.second_gradients.items()
        ]
    )


def _no_silent_constant(trial: Trial, profile: Profile) -> Finding | None:
    """A backward pass of raw kernels gives gradients that are constants to whoever differentiates them."""
    run = trial.differentiated_twice()
    if run is None:
        return None
    if opaque := run.notices.get("opaque"):
        names = " and ".join(shown_gradient(name) for name in opaque)
        return broken(
            f"the {names} can be differentiated and depends on nothing: it is silently taken for a constant "
            "(`once_differentiable` would refuse)"
        )
    return Finding()


def _fully_written(trial: Trial, profile: Profile) -> Finding | None:
    return _spoiled(trial, profile, "unwritten", "left unwritten")


def _reads_inside(trial: Trial, profile: Profile) -> Finding | None:
    return _spoiled(trial, profile, "guarded", "computed from what lies beside an input")


def _spoiled(trial: Trial, profile: Profile, mode: Mode, what: str) -> Finding | None:
    """Poison that reaches a result. Most calls are poisoned in both ways at once: if nothing shows, neither would."""
    if not trial.run.complete:
        return None
    elements = sum(x.size for x in trial.run.results.values())
    if not any(_reached(trial, trial.run_as("poisoned"), profile)):
        return Finding(elements=elements)
    run = trial.run_as(mode)
    if run.failure or run.gradient_failure:
        went = run.failure or run.gradient_failure
        return broken(f"with NaN beside its inputs or in what it allocates, the call {went}")
    for name, count, size in _reached(trial, run, profile):
        return Finding(np.inf, f"{name}: {count} of {size} elements are {what}", elements)
    return Finding(elements=elements)


def _reached(trial: Trial, run: Run, profile: Profile) -> Iterator[tuple[str, int, int]]:
    """The results that poison reached, and how many of their elements: NaN, or no longer within their bound."""
    if run.failure or run.gradient_failure:
        yield "the call", 1, 1
        return
    expected, bound = trial.expected.named, trial.bound(profile).named
    for name, x in run.results.items():
        plain = trial.run.results[name]
        spoiled = np.isnan(x) & ~np.isnan(plain)
        wanted, allowed = expected[name], bound[name]
        with np.errstate(invalid="ignore"):
            right = np.isfinite(allowed) & np.isfinite(wanted) & (np.abs(plain - wanted) <= allowed)
            spoiled |= right & ~(np.abs(x - wanted) <= allowed)
        if spoiled.any():
            yield name, int(np.count_nonzero(spoiled)), x.size


def _forgets(trial: Trial, profile: Profile) -> Finding | None:
    """Other numbers in the same memory give another result; the same numbers are computed anew."""
    again = trial.again
    if not (trial.run.complete and again.complete):
        return None
    if again.reused_failure:
        return broken(f"for half of the numbers, in the same memory, the call {again.reused_failure}")
    return _reuses_memory(trial, again, profile) or _repeats_nothing(trial) or Finding()


def _repeats_nothing(trial: Trial) -> Finding | None:
    if not trial.is_one_in(_COUNTED):
        return None
    counted = trial.run_as("counted")
    if counted.failure:
        return broken(f"for half of the numbers the call {counted.failure}")
    first, second = counted.operators or (0, 0)
    if not first or second:
        return None
    return broken(
        f"a second call with the same numbers runs no operator of PyTorch, the first ran {first}: "
        "the result is kept from the earlier call"
    )


def _reuses_memory(trial: Trial, again: Run, profile: Profile) -> Finding | None:
    reused = {name: x for name, x in again.reused.items() if x.size}
    if not reused or any(same_bits("", x, again.outputs[name]).failure for name, x in reused.items()):
        return None
    if any(np.isnan(x).any() for x in reused.values()):
        return None  # two results of NaN are not one of them
    own = trial.bound(profile).outputs
    if any(compare("", x, trial.expected.outputs[name], own[name]).failure for name, x in again.outputs.items()):
        return None  # wrong for its own numbers already: another check says so
    # The same result for other numbers: that may be right, as for softmax of a constant row.
    halved = _halved(trial.problem, trial)
    forward = halved.without_gradient()
    expected = trial.operation.reference(forward).outputs
    allowed = allowance(trial.operation, forward, profile, trial.dtype).outputs
    finding = merged(
        [
            compare(f"{shown(name)} for half of the numbers, in the same memory", x, expected[name], allowed[name])
            for name, x in reused.items()
        ]
    )
    if finding.failure is None or _gives_first(reused, trial, halved):
        return None
    return broken(f"{finding.failure}; it is, bit for bit, the result of the earlier call in that memory")


def _gives_first(outputs: Mapping[str, Array], trial: Trial, problem: Problem) -> bool:
    """Whether the target gives these outputs in a process without another call, too: wrong, but not kept from one."""
    run = trial.first_call(problem)
    if run is None or not run.outputs:
        return False
    return not any(same_bits("", x, run.outputs[name]).failure for name, x in outputs.items())


def _halved(problem: Problem, trial: Trial) -> Problem:
    dtype = DTYPES[trial.dtype]
    real = {name: x for name, x in problem.arrays.items() if np.issubdtype(x.dtype, np.floating)}
    return problem.with_arrays(**{name: representable(x / 2, dtype) for name, x in real.items()})


def _own_memory(trial: Trial, profile: Profile) -> Finding | None:
    if not trial.run.outputs:
        return None
    shared = trial.run.notices.get("aliases")
    return broken("; ".join(shared)) if shared else Finding()


def _surroundings(trial: Trial, profile: Profile) -> Finding | None:
    changed = trial.again.notices.get("surroundings")
    return broken("; ".join(changed)) if changed else Finding()


CALL_CHECKS = (
    Check(
        "inputs unchanged",
        _inputs_unchanged,
        bounded=False,
        meaning="inputs and cotangents hold the same numbers after the call, and nothing has written to them",
    ),
    Check(
        "deterministic", _deterministic, bounded=False, modes=("again",), meaning="a second call gives the same bits"
    ),
    # Atomic additions make the gradients of many correct kernels vary from run to run.
    Check(
        DETERMINISTIC_GRADIENT,
        _deterministic_gradient,
        bounded=False,
        severity="warning",
        modes=("again",),
        meaning="a second call gives the same bits of the gradients",
    ),
    Check(
        SECOND_BACKWARD,
        _second_backward,
        modes=("again",),
        meaning="a second backward pass through the same graph gives the same gradients: what was saved is unchanged",
    ),
    Check(
        DERIVATIVE_OF_GRADIENT,
        _no_silent_constant,
        bounded=False,
        severity="warning",
        one_in=COSTLY,
        meaning="a gradient that can be differentiated once more is not silently taken for a constant",
    ),
    Check(
        "output fully written",
        _fully_written,
        bounded=False,
        modes=("poisoned",),
        meaning="no element of a result is what an allocation held before",
    ),
    Check(
        "reads only its inputs",
        _reads_inside,
        bounded=False,
        modes=("poisoned",),
        meaning="NaN on both sides of every input reaches no result",
    ),
    Check(
        "keeps no results",
        _forgets,
        bounded=False,
        modes=("again",),
        meaning="a result is computed from the numbers of its own call",
    ),
    # PyTorch lets an output share memory, as `expand` does; writing to such an output changes what it shares with.
    Check(
        "outputs in memory of their own",
        _own_memory,
        bounded=False,
        meaning="no output shares memory with an input or with itself",
    ),
    Check(
        "surroundings unchanged",
        _surroundings,
        bounded=False,
        modes=("again",),
        meaning="timers, comparisons and modes that others rely on are as they were before the target was loaded",
    ),
)
