"""The wire: problems and runs as frames of JSON and raw numbers.

A frame is eight bytes of length, a JSON header, and the bytes of the arrays that the header lists, each filled up to
eight bytes: arithmetic on numbers that lie across words takes twice as long. Nothing that is received is executed:
whatever a target writes, the worst that a frame can be is malformed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np

from ..execution import Run
from ..problems import AnyArray, Problem

LENGTH = 8
# Of one frame: far above any case, far below what a stray number in the stream would ask for.
_LARGEST = 1 << 34
_KINDS = ("float64", "int64", "bool")

Frame = bytes | memoryview


class Malformed(ValueError):
    """The bytes are no frame."""


def pack(header: Mapping[str, Any], arrays: Mapping[str, AnyArray] | None = None) -> bytes:
    """A frame."""
    listed = [[name, x.dtype.name, list(x.shape)] for name, x in (arrays or {}).items()]
    text = json.dumps({**header, "arrays": listed}, default=_as_json).encode()
    text += b" " * _gap(len(text))
    count = LENGTH + len(text)
    numbers: list[bytes | memoryview] = []
    for x in (arrays or {}).values():
        if x.size:
            numbers += [np.ascontiguousarray(x).data, b" " * _gap(x.nbytes)]
            count += x.nbytes + _gap(x.nbytes)
    return b"".join((count.to_bytes(LENGTH, "little"), len(text).to_bytes(LENGTH, "little"), text, *numbers))


def _gap(count: int) -> int:
    """How many bytes fill so many up to whole words."""
    return -count % LENGTH


def frame_length(prefix: Frame) -> int:
    """How many bytes follow the length of a frame.

    Raises:
        Malformed: no frame is so long or so short.
    """
    length = int.from_bytes(prefix, "little")
    if not LENGTH <= length <= _LARGEST:
        raise Malformed(f"a frame of {length} bytes")
    return length


def unpack(frame: Frame) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """The header and the arrays of a frame, without its length.

    Raises:
        Malformed: it is none.
    """
    start = LENGTH + int.from_bytes(frame[:LENGTH], "little")
    try:
        header = json.loads(bytes(frame[LENGTH:start]), object_hook=_from_json)
        arrays = dict(_arrays(header.pop("arrays"), frame, start))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error
    return header, arrays


def _arrays(listed: list[Any], frame: Frame, start: int) -> Iterator[tuple[str, AnyArray]]:
    for name, kind, shape in listed:
        if kind not in _KINDS:
            raise Malformed(f"an array of {kind}")
        count = prod(shape)
        x = np.frombuffer(frame, np.dtype(kind), count, start).reshape(shape)
        start += x.nbytes + _gap(x.nbytes)
        yield name, x
    if start != len(frame):
        raise Malformed(f"{len(frame) - start} bytes too many")


def _as_json(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{value!r} cannot be sent")


def _tagged(value: Any) -> Any:
    """An option as JSON that tells a tuple from a list."""
    return {"tuple": [_tagged(part) for part in value]} if isinstance(value, tuple) else value


def _from_json(value: dict[str, Any]) -> Any:
    return tuple(value["tuple"]) if set(value) == {"tuple"} else value


def pack_problem(problem: Problem, **header: Any) -> bytes:
    """A frame with a problem, and what else the header is to say."""
    arrays = {f"i.{name}": x for name, x in problem.arrays.items()}
    arrays |= {f"c.{name}": x for name, x in problem.cotangents.items()}
    return pack(
        {
            **header,
            "positional": problem.positional,
            "layouts": dict(problem.layouts),
            "options": {name: _tagged(value) for name, value in problem.options.items()},
            "requires_grad": problem.requires_grad,
            "cotangent_layouts": dict(problem.cotangent_layouts),
            "pulled_back": problem.pulled_back,
            "unreached": problem.unreached,
            "wide": problem.wide,
        },
        arrays,
    )


def unpack_problem(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Problem:
    """The problem of a frame."""
    pulled_back = header["pulled_back"]
    return Problem(
        arrays=_group(arrays, "i"),
        positional=tuple(header["positional"]),
        layouts=header["layouts"],
        options=header["options"],
        requires_grad=tuple(header["requires_grad"]),
        cotangents=_group(arrays, "c"),
        cotangent_layouts=header["cotangent_layouts"],
        pulled_back=None if pulled_back is None else tuple(pulled_back),
        unreached=frozenset(header["unreached"]),
        wide=frozenset(header["wide"]),
    )


_ARRAYS = ("outputs", "gradients", "given", "second_gradients", "reused", "hessian")
_TEXTS = (
    "failure",
    "gradient_failure",
    "refusal",
    "broken",
    "error",
    "second_failure",
    "reused_failure",
    "hessian_refusal",
)


def pack_run(run: Run) -> bytes:
    """A frame with a run."""
    arrays = {f"{group}.{name}": x for group in _ARRAYS for name, x in getattr(run, group).items()}
    return pack(
        {
            **{name: getattr(run, name) for name in _TEXTS if getattr(run, name) is not None},
            "written": {name: list(pair) for name, pair in run.written.items()},
            "notices": {name: list(lines) for name, lines in run.notices.items()},
            "operators": run.operators,
            "missing": run.missing,
        },
        arrays,
    )


def unpack_run(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Run:
    """The run of a frame.

    Raises:
        Malformed: the frame holds none.
    """
    try:
        operators = header["operators"]
        named: dict[str, Any] = {group: _group(arrays, group) for group in _ARRAYS}
        named |= {name: str(header[name]) for name in _TEXTS if name in header}
        return Run(
            **named,
            written={name: (int(before), int(after)) for name, (before, after) in header["written"].items()},
            notices={name: tuple(map(str, lines)) for name, lines in header["notices"].items()},
            missing=tuple(map(str, header["missing"])),
            operators=None if operators is None else (int(operators[0]), int(operators[1])),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from error


def _group(arrays: Mapping[str, AnyArray], group: str) -> dict[str, Any]:
    return {name[len(group) + 1 :]: x for name, x in arrays.items() if name.startswith(f"{group}.")}
