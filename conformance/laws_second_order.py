"""The law of second derivatives: what a Hessian-vector product takes from an implementation.

A backward pass that reads what its forward pass computed and saved gives gradients that PyTorch differentiates without
their dependence on it: right in the first derivative, silently wrong in the second. Who does not offer a second one
refuses it (`torch.autograd.function.once_differentiable`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .compare import Finding, compare, merged
from .contracts import COSTLY, Check, Trial, with_own_error
from .problems import Problem, Values, shown_gradient
from .profiles import HALVES, Precision, Profile


def hessian_law(reference: Callable[[Problem], Values], bound: Callable[[Problem, Precision], Values]) -> Check:
    """The law of an operation: how its gradients change where the inputs whose numbers are all finite move along
    themselves.

    Args:
        reference: that, by input, in the place of gradients.
        bound: the bound on the error of each element at a precision.
    """

    def examine(trial: Trial, profile: Profile) -> Finding | None:
        # An implementation in half precision rounds what its derivatives are made of, in more ways than profiles tell.
        if trial.dtype in HALVES or (run := trial.differentiated_twice()) is None:
            return None
        wanted = reference(trial.problem).gradients
        allowed = with_own_error(partial(bound, trial.problem), profile, trial.dtype).gradients
        return merged(
            [
                compare(f"derivative of the {shown_gradient(name)}", run.hessian[name], x, allowed[name])
                for name, x in wanted.items()
            ]
        )

    return Check(
        "Hessian-vector product",
        examine,
        severity="warning",
        one_in=COSTLY,
        meaning="a gradient that can be differentiated once more gives the right derivative, and not silently another",
    )
