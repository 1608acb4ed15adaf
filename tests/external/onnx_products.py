"""ONNX's products and lookups in terms of the references of linear layers and embeddings."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from lemmata.reference.bounds.linear import linear_bound
from lemmata.reference.embedding import embedding
from lemmata.reference.linear import linear
from lemmata.tests.external.onnx_cases import Case, DoesNotApplyError, Expected

Array = Any


def gather(case: Case) -> Expected:
    """embedding, the axis moved to the front and the others made one"""
    data, ids = case.wide("data"), case.inputs["indices"]
    if (ids < 0).any():
        raise DoesNotApplyError("a token number is not negative")
    axis = case.attributes.get("axis", 0)
    table = np.moveaxis(data, axis, 0)
    rows = embedding(ids, table.reshape(len(table), -1)).reshape(*ids.shape, *table.shape[1:])
    value = np.moveaxis(rows, range(ids.ndim), range(axis, axis + ids.ndim))
    return {"output": (value, np.zeros_like(value))}


def gemm(case: Case) -> Expected:
    """linear, the second factor transposed"""
    factors = {name: case.attributes.get(name, 1.0) for name in ("alpha", "beta")}
    if any(math.frexp(factor)[0] != 0.5 for factor in factors.values()):
        raise DoesNotApplyError("linear has no factors, which would be rounded once more: only powers of 2 are exact")
    a, b, c = case.wide("A"), case.wide("B"), case.wide("C")
    x = factors["alpha"] * (a.T if case.attributes.get("transA") else a)
    weight = b if case.attributes.get("transB") else b.T
    if c is not None:
        if c.ndim == 2 and c.shape[0] != 1:
            raise DoesNotApplyError("the bias is a matrix, one row for each token")
        c = factors["beta"] * np.broadcast_to(c.reshape(-1), weight.shape[:1])
    return {"Y": (linear(x, weight, c), linear_bound(x, weight, c, precision=case.precision))}


def matmul(case: Case) -> Expected:
    """linear, without bias, for each matrix of a batch"""
    a, b = case.wide("A"), case.wide("B")
    left, right = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left, right = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (left, right))
    value = np.empty((*batch, left.shape[-2], right.shape[-1]))
    error = np.empty_like(value)
    for at in itertools.product(*map(range, batch)):
        value[at] = linear(left[at], right[at].T)
        error[at] = linear_bound(left[at], right[at].T, precision=case.precision)
    dropped = tuple(axis for axis, x in ((-2, a), (-1, b)) if x.ndim == 1)
    return {"Y": (value.squeeze(dropped), error.squeeze(dropped))}
