"""ONNX's Attention in terms of the reference: heads in groups, masks as neutral elements."""

from __future__ import annotations

from typing import Any

import numpy as np
from lemmata.reference import attention as reference
from lemmata.reference import softcapped_attention as capped_reference
from lemmata.reference.bounds import attention as bounds
from lemmata.reference.bounds import softcapped_attention as capped_bounds
from lemmata.tests.external.onnx_cases import Case, Expected

Array = Any


def attention(case: Case) -> Expected:
    """attention, softcapped_attention

    The keys and values with those of the past before them are copied exactly.
    """
    heads = case.attributes.get("q_num_heads", 0)
    groups = case.attributes.get("kv_num_heads", 0)
    q, k, v = (_heads(case.wide(name), count) for name, count in (("Q", heads), ("K", groups), ("V", groups)))
    flat = case.inputs["Q"].ndim == 3
    past = 0
    if "past_key" in case.inputs:
        past = case.inputs["past_key"].shape[-2]
        k, v = (np.concatenate([case.wide(f"past_{name}"), x], -2) for name, x in (("key", k), ("value", v)))
    b, h, n, d = q.shape
    g, m = k.shape[1], k.shape[2]
    keep, bias = _masks(case, (b, h, n, m), past)
    grouped = [None if x is None else x.reshape(b, g, h // g, *x.shape[2:]) for x in (q, keep, bias)]
    cap = case.attributes.get("softcap", 0.0)
    scale = case.attributes.get("scale", 0.0) or d**-0.5
    if cap:
        arguments = (grouped[0], k, v, cap, *grouped[1:], scale)
        value = capped_reference.softcapped_attention(*arguments)[0]
        bound = capped_bounds.softcapped_attention_bound(*arguments, precision=case.precision)[0]
    else:
        plain = (grouped[0], k, v, *grouped[1:], scale)
        value = reference.attention(*plain)[0]
        bound = bounds.attention_bound(*plain, precision=case.precision)[0]
    output = [_merged(x.reshape(b, h, n, -1)) if flat else x.reshape(b, h, n, -1) for x in (value, bound)]
    expected = {"Y": (output[0], output[1])}
    for name, x in (("present_key", k), ("present_value", v)):
        if name in case.outputs:
            expected[name] = (x, np.zeros_like(x))
    return expected


def _heads(x: Array, count: int) -> Array:
    """[b, n, heads·d] with its heads as an axis; [b, heads, n, d] as it is."""
    return x if x.ndim == 4 else x.reshape(*x.shape[:2], count, -1).swapaxes(1, 2)


def _merged(x: Array) -> Array:
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], -1)


def _masks(case: Case, shape: tuple[int, int, int, int], past: int) -> tuple[Array, Array]:
    """Which keys are kept, and what is added to the scores; None for what changes nothing."""
    b, _, n, m = shape
    keep = np.ones((b, 1, n, m), np.bool_)
    lengths = case.inputs.get("nonpad_kv_seqlen")
    # The position of the first query among the keys: after those of the past, or at the end of those that are filled.
    offset = np.full(b, past) if lengths is None else lengths - n
    place = np.arange(n)[:, None] + offset[:, None, None, None]
    key = np.arange(m)
    if lengths is not None:
        keep &= key < lengths[:, None, None, None]
    if case.attributes.get("is_causal", 0):
        keep &= key <= place
    left, right = (case.attributes.get(f"{side}_window_size", -1) for side in ("left", "right"))
    if left >= 0:
        keep &= place - key <= left
    if right >= 0:
        keep &= key - place <= right
    mask = case.inputs.get("attn_mask")
    bias = None
    if mask is not None:
        missing = m - mask.shape[-1]
        padding = [(0, 0)] * (mask.ndim - 1) + [(0, missing)]
        if mask.dtype == np.bool_:
            keep = keep & np.pad(mask, padding)
        else:
            wide = np.pad(np.asarray(mask, np.float64), padding, constant_values=-np.inf)
            keep = keep & (wide > -np.inf)  # −∞ in an additive mask leaves the key out
            bias = np.broadcast_to(np.where(wide > -np.inf, wide, 0.0), shape)
    return (None if keep.all() else np.broadcast_to(keep, shape)), bias
