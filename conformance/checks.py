"""The checks of every operation: accuracy of output and gradient, and what a call must not do."""

from __future__ import annotations

import numpy as np
import torch

from .compare import Finding, compare, merged, same_bits
from .contracts import Check, Operation, Trial
from .execution import cotangent_name, execute, uninitialised_memory_is_nan
from .problems import array, shown
from .profiles import Profile

FORWARD = "forward"
GRADIENT = "gradient"
DETERMINISTIC_GRADIENT = "deterministic gradient"


def _forward(trial: Trial, profile: Profile) -> Finding | None:
    if trial.run.failure:
        return _broken(trial.run.failure)
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
        return _broken(trial.run.gradient_failure)
    bound = trial.bound(profile)
    return merged(
        [
            compare(f"gradient of {name}", actual, trial.expected.gradients[name], bound.gradients[name])
            for name, actual in trial.gradients.items()
        ]
    )


def _inputs_unchanged(trial: Trial, profile: Profile) -> Finding | None:
    run = trial.run
    before = dict(trial.problem.arrays)
    before |= {cotangent_name(name): x for name, x in trial.problem.cotangents.items()}
    findings: list[Finding] = []
    for name, x in run.given.items():
        finding = same_bits(f"{name} after the call", array(x), before[name].astype(np.float64))
        if finding.failure is None and x._version != run.versions[name]:
            finding = _broken(f"{name}: written to during the call (version {run.versions[name]} to {x._version})")
        findings.append(finding)
    return merged(findings)


def _deterministic(trial: Trial, profile: Profile) -> Finding | None:
    if not (trial.run.outputs and trial.again.outputs):
        return None
    return merged(
        [
            same_bits(f"{shown(name)} of a second call", array(output), trial.outputs[name])
            for name, output in trial.again.outputs.items()
        ]
    )


def _deterministic_gradient(trial: Trial, profile: Profile) -> Finding | None:
    if not (trial.problem.requires_grad and trial.run.complete and trial.again.complete):
        return None
    return merged(
        [
            same_bits(f"gradient of {name} in a second call", array(gradient), trial.gradients[name])
            for name, gradient in trial.again.gradients.items()
        ]
    )


def _fully_written(trial: Trial, profile: Profile) -> Finding | None:
    if not trial.run.complete:
        return None
    with uninitialised_memory_is_nan():
        poisoned = execute(trial.target, trial.problem, trial.dtype, trial.device)
    findings: list[Finding] = []
    for name, x in poisoned.results.items():
        left = torch.isnan(x) & ~torch.isnan(trial.run.results[name])
        count = int(left.sum())
        failure = f"{name}: {count} of {x.numel()} elements are left unwritten" if count else None
        findings.append(Finding(np.inf if count else 0.0, failure, x.numel()))
    return merged(findings)


def _broken(message: str) -> Finding:
    return Finding(np.inf, message)


COMMON_CHECKS = (
    Check(FORWARD, _forward),
    Check(GRADIENT, _gradient),
    Check("inputs unchanged", _inputs_unchanged, bounded=False),
    Check("deterministic", _deterministic, bounded=False),
    # Atomic additions make the gradients of many correct kernels vary from run to run.
    Check(DETERMINISTIC_GRADIENT, _deterministic_gradient, bounded=False, severity="warning"),
    Check("output fully written", _fully_written, bounded=False),
)


def checks_of(operation: Operation) -> tuple[Check, ...]:
    """Everything that an implementation of an operation is held to."""
    without = () if operation.differentiable else (GRADIENT, DETERMINISTIC_GRADIENT)
    return tuple(check for check in COMMON_CHECKS + operation.laws if check.name not in without)
