"""Reproduction: a failing case as a script that builds the tensors, calls the target and shows what is wrong.

The script needs PyTorch, Lemmata and the target, and nothing else from the run that wrote it.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import Any

import numpy as np

from .cases import case_code
from .checks import FORWARD, GRADIENT
from .contracts import Check, FailedTrial, Trial
from .problems import OUTPUT, AnyArray, Problem
from .profiles import default_profiles

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
    # A loss that one of the inputs does not reach is left to `recheck`, and so is a result that is no such tensor.
    comparable = failed.finding.broken != "malformed"
    comparable = comparable and not (check.name == GRADIENT and (trial.problem.unreached or failed.finding.broken))
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
        _import_of(trial.case),
        "from lemmata.conformance.rerun import recheck",
        "",
        f"case = {case_code(trial.case)}",
        f"finding = recheck({', '.join(arguments)})",
        "print(finding)",
        "assert finding is None or finding.failure is None, finding.failure",
    ]


def _import_of(case: Any) -> str:
    return f"from {type(case).__module__} import {type(case).__name__}"


# Names that the script has another use for.
# fmt: off
_TAKEN = frozenset(
    {
        "case", "operation", "problem", "profile", "expected", "allowed", "target", "output", "outputs", "actual",
        "finding", "gradients", "gradient", "bound", "wanted", "name", "torch", "np", "compare", "allowance",
        "find_operation", "find_profile", "load_target", "LAYOUTS", "print", "zip", "list",
    }
)
# fmt: on


def _variable(name: str) -> str:
    """The variable that holds an argument of the target."""
    return f"{name}_" if name in _TAKEN or iskeyword(name) else name


def _cotangent(output: str) -> str:
    """The variable that holds the cotangent of an output."""
    return "cotangent" if output == OUTPUT else f"cotangent_of_{output}"


def _comparison(target: str, failed: FailedTrial, problem: Problem) -> list[str]:
    trial = failed.trial
    tensors = [
        _tensor(_variable(name), x, problem.layouts[name], trial, f"problem.arrays[{name!r}]")
        for name, x in problem.arrays.items()
    ]
    if problem.requires_grad:
        single = list(problem.cotangents) == [OUTPUT]
        tensors += [
            _tensor(
                _cotangent(name),
                problem.cotangents[name],
                problem.cotangent_layouts[name],
                trial,
                "problem.cotangent" if single else f"problem.cotangents[{name!r}]",
            )
            for name in problem.differentiated
        ]
    tensors += [f"{_variable(name)}.requires_grad_()" for name in problem.requires_grad]
    given = {name: _variable(name) for name in problem.arrays}
    given |= {name: repr(value) for name, value in problem.options.items()}
    arguments = [given[name] for name in problem.positional]
    arguments += [f"{name}={shown}" for name, shown in given.items() if name not in problem.positional]
    imports = [
        _import_of(trial.case),
        "from lemmata.conformance.compare import compare",
        "from lemmata.conformance.contracts import allowance",
        *(["from lemmata.conformance.layouts import LAYOUTS"] if any("LAYOUTS" in line for line in tensors) else []),
        "from lemmata.conformance.operations import find_operation",
        "from lemmata.conformance.profiles import find_profile",
        "from lemmata.conformance.targets import load_target",
    ]
    # The default ladder goes without saying.
    ladder = "" if trial.operation.profiles is default_profiles else ", operation.profiles"
    return [
        "import torch",
        "",
        *sorted(imports),
        "",
        "# What the target is given.",
        f"case = {case_code(trial.case)}",
        f"operation = find_operation({trial.operation.name!r})",
        f"problem = operation.build(case, torch.{trial.dtype})" + ("" if problem.requires_grad else _WITHOUT_GRADIENT),
        *tensors,
        "",
        "# What the reference gives in float64, and the derived bound on the error of each element.",
        f"profile = find_profile({failed.profile.name!r}, {trial.dtype!r}, {trial.device!r}{ladder})",
        "expected = operation.reference(problem)",
        f"allowed = allowance(operation, problem, profile, {trial.dtype!r})",
        "",
        f"target = load_target({target!r})",
        *_judged(problem, ", ".join(arguments)),
    ]


def _judged(problem: Problem, arguments: str) -> list[str]:
    """The call, and what is held against its outputs or, if there are any, its gradients."""
    names = list(problem.cotangents)
    single = names == [OUTPUT]
    call = f"{'output' if single else 'outputs'} = target({arguments})"
    if problem.requires_grad:
        several = ", ".join(f"outputs[{names.index(name)}]" for name in problem.differentiated)
        return [call, *_gradients(problem, "output" if single else f"[{several}]")]
    if single:
        return [call, *_OUTPUT]
    return [
        call,
        f"for name, output in zip({names!r}, outputs):",
        "    actual, wanted, bound = output.double().cpu().numpy(), expected.outputs[name], allowed.outputs[name]",
        "    print('output', name, actual, 'expected', wanted, 'allowed error', bound, sep='\\n')",
        "    finding = compare(f'output {name}', actual, wanted, bound)",
        "    assert finding.failure is None, finding.failure",
    ]


_WITHOUT_GRADIENT = ".without_gradient()"

_OUTPUT = (
    "actual = output.double().cpu().numpy()",
    "print('output', actual, 'expected', expected.output, 'allowed error', allowed.output, sep='\\n')",
    "finding = compare('output', actual, expected.output, allowed.output)",
    "assert finding.failure is None, finding.failure",
)


def _gradients(problem: Problem, output: str) -> list[str]:
    inputs = ", ".join(map(_variable, problem.requires_grad))
    cotangents = ", ".join(map(_cotangent, problem.differentiated))
    if output != "output":
        cotangents = f"[{cotangents}]"
    return [
        f"gradients = torch.autograd.grad({output}, [{inputs}], {cotangents})",
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
    dtype = f", dtype=torch.{trial.dtype}" if np.issubdtype(x.dtype, np.floating) else ""
    device = "" if trial.device == "cpu" else f", device={trial.device!r}"
    made = f"torch.tensor({x.tolist() if literal else from_case}{dtype}{device})"
    return f"{name} = {made}" if layout == "contiguous" else f"{name} = LAYOUTS[{layout!r}]({made})"
