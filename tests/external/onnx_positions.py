"""ONNX's RotaryEmbedding in terms of the reference: positions and frequencies.

The cases hold random numbers where the graph expects cosines and sines. They are replaced by those of angles, rounded
to the dtype of the case: what is compared is the graph, on tables that are what they are called.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from lemmata.reference.bounds.rope import rope_bound
from lemmata.reference.rope import rope
from lemmata.tests.external.onnx_cases import Case, Expected

Array = Any
BASE = 10_000.0


def with_angles(case: Case) -> Case:
    """The case with tables of cosines and sines."""
    table = case.inputs["cos_cache"]
    angles = np.arange(np.prod(table.shape[:-1])).reshape(*table.shape[:-1], 1) * _frequencies(table.shape[-1])
    tables = {"cos_cache": np.cos(angles).astype(table.dtype), "sin_cache": np.sin(angles).astype(table.dtype)}
    return replace(case, inputs={**case.inputs, **tables}, feeds={**case.feeds, **tables})


def rotary_embedding(case: Case) -> Expected:
    """rope, on cosines and sines of angles in place of the random numbers of the cases"""
    x = case.wide("X")
    flat = x.ndim == 3
    if flat:
        x = x.reshape(*x.shape[:2], case.attributes["num_heads"], -1).swapaxes(1, 2)
    table = case.inputs["cos_cache"]
    half = table.shape[-1]
    b, n = x.shape[0], x.shape[-2]
    positions = case.inputs.get("position_ids", np.arange(b * n).reshape(b, n)).astype(np.float64)[:, None]
    given = {"interleaved": bool(case.attributes.get("interleaved", 0))}
    arguments = (x, positions, _frequencies(half))
    value, error = rope(*arguments, **given), rope_bound(*arguments, **given, precision=case.precision)
    if flat:
        value, error = (y.swapaxes(1, 2).reshape(b, n, -1) for y in (value, error))
    return {"Y": (value, error)}


def _frequencies(half: int) -> Array:
    return BASE ** (-np.arange(half) / half)
