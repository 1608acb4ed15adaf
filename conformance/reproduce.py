"""Reproduction: a failing case as a script that builds the tensors, calls the target and shows what is wrong.

The script needs PyTorch, Lemmata and the target, and nothing else from the run that wrote it.
"""

from __future__ import annotations

import numpy as np

from .cases import case_code
from .checks import FORWARD, GRADIENT
from .contracts import Check, FailedTrial, Trial
from .problems import AnyArray, Problem

# Beyond so many numbers a tensor is taken from the case instead of being written out.
_LITERAL_LIMIT = 64


def reproduction(target: str, check: Check, failed: FailedTrial) -> str:
    """A script that shows the failure of a check in a trial.

    Output and gradient are compared in the open, and so is what the target raises; any other check, and a result that
    cannot be compared, is checked again by `recheck`.

    Args:
        target: as `load_target` takes it.
    """
    trial, profile = failed.trial, failed.profile
    where = f"{trial.operation.name}, check {check.name!r}, {trial.dtype} on {trial.device}, profile {profile.name!r}"
    comments = [where, *(failed.finding.failure or "").splitlines()]
    if check.statement is not None:
        comments.append(f"The law is statement {check.statement}.")
    run = trial.run
    comparable = run.gradient_failure is None and (run.failure is None or run.error is not None)
    if check.name == FORWARD and comparable:
        body = _comparison(target, failed, trial.problem.without_gradient())
    elif check.name == GRADIENT and comparable:
        body = _comparison(target, failed, trial.problem)
    else:
        body = _recheck(target, check, failed)
    return "\n".join([*(f"# {line}" for line in comments), *body, ""])


def _recheck(target: str, check: Check, failed: FailedTrial) -> list[str]:
    trial = failed.trial
    arguments = [
        *map(repr, (trial.operation.name, target)),
        "case",
        *(
            f"{name}={value!r}"
            for name, value in (
                ("check", check.name),
                ("dtype", trial.dtype),
                ("device", trial.device),
                ("profile", failed.profile.name),
            )
        ),
    ]
    return [
        f"from lemmata.conformance.cases import {type(trial.case).__name__}",
        "from lemmata.conformance.rerun import recheck",
        "",
        f"case = {case_code(trial.case)}",
        f"finding = recheck({', '.join(arguments)})",
        "print(finding)",
        "assert finding is None or finding.failure is None, finding.failure",
    ]


def _comparison(target: str, failed: FailedTrial, problem: Problem) -> list[str]:
    trial = failed.trial
    kind = type(trial.case).__name__
    names = list(problem.arrays)
    tensors = [
        _tensor(name, problem.arrays[name], problem.layouts[name], trial, f"problem.arrays[{name!r}]") for name in names
    ]
    if problem.requires_grad:
        tensors.append(_tensor("cotangent", problem.cotangent, problem.cotangent_layout, trial, "problem.cotangent"))
    tensors += [f"{name}.requires_grad_()" for name in problem.requires_grad]
    arguments = [*names[: problem.positional], *(f"{name}={name}" for name in names[problem.positional :])]
    arguments += [f"{name}={value!r}" for name, value in problem.options.items()]
    return [
        *(["import numpy as np"] if any("np." in line for line in tensors) else []),
        "import torch",
        "",
        f"from lemmata.conformance.cases import {kind}",
        "from lemmata.conformance.compare import compare",
        "from lemmata.conformance.contracts import allowance",
        *(["from lemmata.conformance.layouts import LAYOUTS"] if any("LAYOUTS" in line for line in tensors) else []),
        "from lemmata.conformance.operations import find_operation",
        "from lemmata.conformance.profiles import find_profile",
        "from lemmata.conformance.targets import load_target",
        "",
        "# What the target is given.",
        f"case = {case_code(trial.case)}",
        f"operation = find_operation({trial.operation.name!r})",
        f"problem = operation.build(case, torch.{trial.dtype})" + ("" if problem.requires_grad else _WITHOUT_GRADIENT),
        *tensors,
        "",
        "# What the reference gives in float64, and the derived bound on the error of each element.",
        f"profile = find_profile({failed.profile.name!r}, {trial.dtype!r}, {trial.device!r})",
        "expected = operation.reference(problem)",
        f"allowed = allowance(operation, problem, profile, {trial.dtype!r})",
        "",
        f"target = load_target({target!r})",
        f"output = target({', '.join(arguments)})",
        *(_gradients(problem) if problem.requires_grad else _OUTPUT),
    ]


_WITHOUT_GRADIENT = ".without_gradient()"

_OUTPUT = (
    "actual = output.double().cpu().numpy()",
    "print('output', actual, 'expected', expected.output, 'allowed error', allowed.output, sep='\\n')",
    "finding = compare('output', actual, expected.output, allowed.output)",
    "assert finding.failure is None, finding.failure",
)


def _gradients(problem: Problem) -> list[str]:
    return [
        f"gradients = torch.autograd.grad(output, [{', '.join(problem.requires_grad)}], cotangent)",
        f"for name, gradient in zip({list(problem.requires_grad)!r}, gradients):",
        "    actual, bound = gradient.double().cpu().numpy(), allowed.gradients[name]",
        "    wanted = expected.gradients[name]",
        "    print('gradient of', name, actual, 'expected', wanted, 'allowed error', bound, sep='\\n')",
        "    finding = compare(f'gradient of {name}', actual, wanted, bound)",
        "    assert finding.failure is None, finding.failure",
    ]


def _tensor(name: str, x: AnyArray, layout: str, trial: Trial, from_case: str) -> str:
    """A line that makes a tensor: of its numbers if they are few."""
    literal = 0 < x.size <= _LITERAL_LIMIT and bool(np.isfinite(x).all())
    dtype = "" if x.dtype == np.bool_ else f", dtype=torch.{trial.dtype}"
    device = "" if trial.device == "cpu" else f", device={trial.device!r}"
    made = f"torch.tensor({x.tolist() if literal else from_case}{dtype}{device})"
    return f"{name} = {made}" if layout == "contiguous" else f"{name} = LAYOUTS[{layout!r}]({made})"
