"""The pytest plugin: tests that hold an implementation to the contract of an operation.

    @pytest.mark.conforms("softmax")
    def test_softmax(conforms):
        conforms(my_softmax)

A marked test runs once for each dtype and device. It fails with the report if the implementation does not conform, and
is skipped, as NOT RUN, in a dtype that it does not support. pytest loads this module in every run, so nothing that
takes time to import is imported before a test is marked.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import pytest

from .doctor import has
from .errors import UsageError

if TYPE_CHECKING:
    from .conformance.targets import Target
    from .conformance.verdict import Verdict

# The name of the mark, and of the fixture.
_NAME = "conforms"
_USAGE = '@pytest.mark.conforms("OPERATION")'
_MARK = (
    "conforms(operation, *, target=None, dtypes=None, devices=None, examples=None, seed=None, only=None, "
    "profile=None): hold an implementation to the reference, the error bound and the laws of an operation; the test "
    "calls the fixture `conforms`, and runs once for each dtype and device"
)
_TORCH_MISSING = "NOT RUN: PyTorch is not installed; pip install 'lemmata[torch]'"


@dataclass(frozen=True)
class Contract:
    """What a mark asks for; what is None is as in `lemmata.conformance.runner.conform`."""

    operation: str
    target: Target | str | None = None
    dtypes: tuple[str, ...] | None = None
    devices: tuple[str, ...] | None = None
    examples: int | None = None
    seed: int | None = None
    only: tuple[str, ...] | None = None
    profile: str | None = None


@dataclass(frozen=True)
class Conforms:
    """The fixture `conforms`: call it with the implementation.

    Attributes:
        contract: what the mark of the test asks for.
        dtype, device: of this run of the test.
        verdicts: of the calls so far.
    """

    contract: Contract
    dtype: str
    device: str
    verdicts: list[Verdict] = field(default_factory=list)

    def __call__(self, target: Target | str | None = None) -> Verdict:
        """Holds a callable, or the `module:callable` that is named, to the operation; by default the mark's target.

        Returns:
            The verdict, which is `conforms`. Otherwise the test ends here: it fails with the report, or is skipped if
            the implementation does not support the dtype, unless the mark names that dtype.
        """
        chosen = self.contract.target if target is None else target
        if chosen is None:
            _fail(f"{_NAME}() needs the implementation: {_NAME}(my_kernel), or target='module:callable' in the mark")
        if not has("torch"):
            pytest.skip(_TORCH_MISSING)
        try:
            verdict = self._run(chosen)
        except UsageError as error:
            _fail(str(error))
        self.verdicts.append(verdict)
        if (reason := _not_run(verdict, self.dtype)) is not None:
            self._end_as_not_run(reason)
        if not verdict.conforms:
            from .conformance.report import as_text

            _fail(as_text(verdict))
        return verdict

    def _run(self, target: Target | str) -> Verdict:
        from .conformance.runner import DEFAULT_EXAMPLES, conform

        return conform(
            self.contract.operation,
            target,
            device=self.device,
            dtypes=[self.dtype],
            examples=DEFAULT_EXAMPLES if self.contract.examples is None else self.contract.examples,
            seed=self.contract.seed or 0,
            only=self.contract.only,
            profile=self.contract.profile,
        )

    def _end_as_not_run(self, reason: str) -> None:
        if self.contract.dtypes is not None:
            _fail(f"{self.dtype} is named by the mark and was not run: {reason}")
        pytest.skip(f"NOT RUN: {self.dtype} on {self.device}: {reason}")


def _not_run(verdict: Verdict, dtype: str) -> str | None:
    """Why nothing was run in a dtype, if nothing was."""
    checks = [check for check in verdict.checks if check.dtype == dtype]
    if dtype in verdict.profiles or any(check.status != "not run" for check in checks):
        return None
    return checks[0].reason or "no check was run"


def _fail(message: str) -> NoReturn:
    """Fails the test with a message for people, without a traceback."""
    pytest.fail(message, pytrace=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that hold for every marked test, whatever its mark says."""
    group = parser.getgroup("lemmata", "conformance of implementations (lemmata)")
    group.addoption("--lemmata-examples", type=_positive, metavar="N", help="cases per dtype and device")
    group.addoption("--lemmata-seed", type=int, metavar="S", help="seed of the cases")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of cases, of which there is at least 1")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Makes the mark known, so that `--strict-markers` accepts it."""
    config.addinivalue_line("markers", _MARK)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes one test for each dtype and device out of a marked one."""
    marker = metafunc.definition.get_closest_marker(_NAME)
    if marker is None or _NAME not in metafunc.fixturenames:
        return
    try:
        contract = _contract(marker, metafunc.config)
        dtypes = _dtypes(contract)
        _check_operation(contract.operation)
    except UsageError as error:
        _fail(f"{metafunc.definition.nodeid}: {error}")
    runs = [Conforms(contract, dtype, device) for device in _devices(contract) for dtype in dtypes]
    metafunc.parametrize(_NAME, runs, indirect=True, ids=[f"{run.dtype}-{run.device}" for run in runs])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuses a test that is marked and has no fixture with which to run anything."""
    marked = any(mark.name == _NAME for mark in item.own_markers)
    if marked and _NAME not in getattr(item, "fixturenames", ()):
        _fail(f"{item.nodeid} is marked {_NAME}, and does not take the fixture {_NAME!r}: nothing would be run")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A test that passes without having run anything fails."""
    result = yield
    conforms = pyfuncitem.funcargs.get(_NAME)
    if isinstance(conforms, Conforms) and not conforms.verdicts:
        _fail(f"{pyfuncitem.nodeid} never calls {_NAME}(…): nothing was run")
    return result


@pytest.fixture
def conforms(request: pytest.FixtureRequest) -> Conforms:
    """Holds an implementation to the operation that the mark `conforms` of the test names: `conforms(my_kernel)`."""
    run = getattr(request, "param", None)
    if not isinstance(run, Conforms):
        _fail(f"{request.node.nodeid} takes the fixture {_NAME!r} without the mark: write {_USAGE} above it")
    if run.device.startswith("cuda") and not _cuda():
        pytest.skip(f"NOT RUN: there is no CUDA device for {run.device!r}")
    # With verdicts of its own, as one value serves every run of a test that is repeated.
    return Conforms(run.contract, run.dtype, run.device)


def _contract(marker: pytest.Mark, config: pytest.Config) -> Contract:
    """What a mark asks for; options of the command line go before it.

    Raises:
        UsageError: the mark's arguments are not what they should be.
    """
    known = list(Contract.__dataclass_fields__)
    if len(marker.args) != 1 or not isinstance(marker.args[0], str):
        raise UsageError(f"the mark names one operation, as text, before its keywords: {_USAGE}")
    for name in marker.kwargs:
        if name not in known[1:]:
            raise UsageError(f"the mark {_NAME} has no argument {name!r}; it takes {', '.join(known[1:])}")
    given = dict(marker.kwargs)
    for name in ("dtypes", "devices", "only"):
        if given.get(name) is not None:
            given[name] = _names(name, given[name])
    for name, option in (("examples", "--lemmata-examples"), ("seed", "--lemmata-seed")):
        if (value := config.getoption(option)) is not None:
            given[name] = value
        if given.get(name) is not None and type(given[name]) is not int:
            raise UsageError(f"{name}={given[name]!r} is not a whole number")
    return Contract(marker.args[0], **given)


def _names(argument: str, value: object) -> tuple[str, ...]:
    names = () if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if not names or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{argument}={value!r} is not a list of names, such as {argument}=['…']")
    return names


def _check_operation(name: str) -> None:
    if has("torch"):
        from .conformance.operations import find_operation

        find_operation(name)


def _dtypes(contract: Contract) -> tuple[str, ...]:
    """The dtypes that a mark asks for, all by default.

    Raises:
        UsageError: one of them is unknown.
    """
    from .conformance.profiles import FORMATS

    for name in contract.dtypes or ():
        if name not in FORMATS:
            raise UsageError(f"dtype {name!r} is not one of {', '.join(FORMATS)}")
    return tuple(FORMATS) if contract.dtypes is None else tuple(dict.fromkeys(contract.dtypes))


def _devices(contract: Contract) -> tuple[str, ...]:
    """The devices that a mark asks for; by default the CPU, and CUDA where there is a device."""
    if contract.devices is not None:
        return tuple(dict.fromkeys(contract.devices))
    return ("cpu", "cuda") if _cuda() else ("cpu",)


def _cuda() -> bool:
    if not has("torch"):
        return False
    import torch

    return torch.cuda.is_available()
