"""ONNX's operators on rows in terms of the references: the axis they work along comes last there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from lemmata.reference import log_softmax as log_softmax_reference
from lemmata.reference import softmax as softmax_reference
from lemmata.reference.bounds.gelu import gelu_bound
from lemmata.reference.bounds.gelu_tanh import gelu_tanh_bound
from lemmata.reference.bounds.layer_norm import layer_norm_bound
from lemmata.reference.bounds.log_softmax import log_softmax_bound
from lemmata.reference.bounds.rms_norm import rms_norm_bound
from lemmata.reference.bounds.silu import silu_bound
from lemmata.reference.bounds.softmax import softmax_bound
from lemmata.reference.gelu import gelu
from lemmata.reference.gelu_tanh import gelu_tanh
from lemmata.reference.layer_norm import layer_norm
from lemmata.reference.rms_norm import rms_norm
from lemmata.reference.silu import silu
from lemmata.tests.external.onnx_cases import Case, DoesNotApplyError, Expected

Array = Any


def softmax(case: Case) -> Expected:
    """softmax, the axis moved to the end"""
    return _along_axis(case, softmax_reference.softmax, softmax_bound)


def log_softmax(case: Case) -> Expected:
    """log_softmax, the axis moved to the end"""
    return _along_axis(case, log_softmax_reference.log_softmax, log_softmax_bound)


def _along_axis(case: Case, function: Callable[..., Array], bound: Callable[..., Array]) -> Expected:
    axis = case.attributes.get("axis", -1)
    x = np.moveaxis(case.wide("input"), axis, -1)
    found = (function(x), bound(x, precision=case.precision))
    value, error = (np.moveaxis(y, -1, axis) for y in found)
    return {"output": (value, error)}


def layer_normalization(case: Case) -> Expected:
    """layer_norm, the axes that are normalised made one"""
    return _normalised(case, "Scale", "B", layer_norm, layer_norm_bound)


def rms_normalization(case: Case) -> Expected:
    """rms_norm, the axes that are normalised made one"""
    return _normalised(case, "scale", None, rms_norm, rms_norm_bound)


def _normalised(
    case: Case, gain: str, shift: str | None, function: Callable[..., Array], bound: Callable[..., Array]
) -> Expected:
    x = case.wide("X")
    axis = case.attributes.get("axis", -1) % x.ndim
    rows = x.reshape(*x.shape[:axis], -1)
    given = {"weight": case.wide(gain).ravel(), "eps": case.attributes.get("epsilon", 1e-5)}
    if shift is not None:
        given["bias"] = case.wide(shift).ravel()
    found = (function(rows, **given), bound(rows, precision=case.precision, **given))
    value, error = (y.reshape(x.shape) for y in found)
    return {"Y": (value, error)}


def gelu_unit(case: Case) -> Expected:
    """gelu, gelu_tanh"""
    x = case.wide("X")
    if case.attributes.get("approximate", b"none") == b"tanh":
        return {"Y": (gelu_tanh(x), gelu_tanh_bound(x, precision=case.precision))}
    return {"Y": (gelu(x), gelu_bound(x, precision=case.precision))}


def swish(case: Case) -> Expected:
    """silu"""
    if case.attributes.get("alpha", 1.0) != 1.0:
        raise DoesNotApplyError("silu is the swish of slope 1")
    x = case.wide("X")
    return {"Y": (silu(x), silu_bound(x, precision=case.precision))}
