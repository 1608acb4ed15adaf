"""Derivatives of gradients: what a gradient penalty or a Hessian-vector product takes from an implementation.

A backward pass that runs kernels of its own, or that reads what its forward pass computed and saved, gives gradients
that PyTorch differentiates without their dependence on it: the second derivative is wrong, and nothing says so. Who
does not offer it refuses it (`torch.autograd.function.once_differentiable`).
"""

from __future__ import annotations

from .compare import Finding, broken, compare, merged
from .contracts import COSTLY, Check, Trial
from .problems import shown_gradient
from .profiles import HALVES, REFERENCE_PRECISION, Profile

NAME = "derivative of the gradient"


def _right_or_refused(trial: Trial, profile: Profile) -> Finding | None:
    problem = trial.problem
    if not (problem.requires_grad and trial.run.complete) or not all(x.size for x in problem.arrays.values()):
        return None
    run = trial.run_as("twice")
    if run.failure or run.refusal or run.hessian_refusal:
        return None
    if opaque := run.notices.get("opaque"):
        names = " and ".join(shown_gradient(name) for name in opaque)
        return broken(
            f"the {names} can be differentiated and depends on nothing: it is silently taken for a constant "
            "(`once_differentiable` would refuse)"
        )
    hessian = trial.operation.hessian
    # An implementation in half precision rounds what its derivatives are made of, in more ways than profiles tell.
    if hessian is None or trial.dtype in HALVES:
        return Finding()
    wanted, allowed = hessian.reference(problem), hessian.bound(problem, profile.precision)
    if trial.dtype == "float64":  # the reference is no more accurate
        own = hessian.bound(problem, REFERENCE_PRECISION)
        allowed = {name: x + own[name] for name, x in allowed.items()}
    return merged(
        [
            compare(f"derivative of the {shown_gradient(name)}", run.hessian[name], x, allowed[name])
            for name, x in wanted.items()
        ]
    )


SECOND_DERIVATIVES = Check(
    NAME,
    _right_or_refused,
    severity="warning",
    one_in=COSTLY,
    meaning="a gradient that can be differentiated once more gives the right derivative, and not silently another one",
)
