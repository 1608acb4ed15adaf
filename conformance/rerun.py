"""One check on one case again: what the reproduction of a failed law calls."""

from __future__ import annotations

from typing import Any

from .checks import checks_of
from .compare import Finding
from .contracts import Trial
from .isolation.executors import InProcess
from .operations import find_operation
from .profiles import find_profile
from .surroundings import Surroundings
from .targets import UsageError, load_target


def recheck(
    operation: str, target: str, case: Any, *, check: str, dtype: str, device: str, profile: str
) -> Finding | None:
    """What a check finds in one case; None if it does not apply to it.

    Raises:
        UsageError: one of the names is not known, or the target cannot be loaded.
    """
    contract = find_operation(operation)
    around = Surroundings()
    for candidate in checks_of(contract):
        if candidate.name == check:
            trial = Trial(contract, InProcess(load_target(target), around), case, dtype, device)
            return candidate.apply(trial, find_profile(profile, dtype, device, contract.profiles))
    raise UsageError(f"check {check!r} is not one of {operation}")
