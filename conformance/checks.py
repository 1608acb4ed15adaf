"""The checks of every operation: the accuracy of outputs and gradients, and, from `checks_of_calls`, what a call must
not do."""

from __future__ import annotations

from .checks_of_calls import CALL_CHECKS, DERIVATIVE_OF_GRADIENT, DETERMINISTIC_GRADIENT, SECOND_BACKWARD
from .compare import Finding, broken, compare, merged
from .contracts import Check, Operation, Trial
from .execution import ENDINGS
from .problems import shown, shown_gradient
from .profiles import Profile

COMPLETES = "completes"
FORWARD = "forward"
GRADIENT = "gradient"


def _completes(trial: Trial, profile: Profile) -> Finding | None:
    """A call comes back, be it with an exception."""
    run = trial.run
    return broken(run.failure or "", run.broken) if run.broken in ENDINGS else Finding()


def _forward(trial: Trial, profile: Profile) -> Finding | None:
    if trial.run.failure:
        return broken(trial.run.failure, trial.run.broken)
    bound = trial.bound(profile)
    return merged(
        [
            compare(shown(name), actual, trial.expected.outputs[name], bound.outputs[name])
            for name, actual in trial.outputs.items()
        ]
    )


def _gradient(trial: Trial, profile: Profile) -> Finding | None:
    if not trial.problem.requires_grad or trial.run.failure:
        return None
    if trial.run.gradient_failure:
        return broken(trial.run.gradient_failure, trial.run.broken)
    for name in trial.run.missing:
        if trial.expected.gradients[name].any():
            return broken(f"the {shown_gradient(name)} is None", "malformed")
    bound = trial.bound(profile)
    return merged(
        [
            compare(shown_gradient(name), actual, trial.expected.gradients[name], bound.gradients[name])
            for name, actual in trial.gradients.items()
        ]
    )


COMMON_CHECKS = (
    Check(FORWARD, _forward, meaning="each element of each output is within the derived bound of the reference"),
    Check(GRADIENT, _gradient, meaning="each element of each gradient is within the derived bound of the reference"),
    Check(COMPLETES, _completes, bounded=False, meaning="no call crashes, hangs or ends its process"),
    *CALL_CHECKS,
)


def checks_of(operation: Operation) -> tuple[Check, ...]:
    """Everything that an implementation of an operation is held to."""
    of_gradients = (GRADIENT, DETERMINISTIC_GRADIENT, SECOND_BACKWARD, DERIVATIVE_OF_GRADIENT)
    without = () if operation.differentiable else of_gradients
    return tuple(check for check in COMMON_CHECKS + operation.laws if check.name not in without)
