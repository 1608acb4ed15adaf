"""Softmax and attention in torch, differentiated by torch: forward, VJP by autograd, JVP by forward mode."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from lemmata.tests.reference.problems import AttentionProblem, RowProblem

Array = Any


def logsumexp(x: torch.Tensor) -> torch.Tensor:
    # torch.logsumexp and torch.log_softmax differentiate from their saved outputs, exp(x − lse) and exp(y): forms whose
    # rounding grows with the logits themselves, which the definition's does not.
    m = x.detach().amax(-1, keepdim=True)
    return m[..., 0] + (x - m).exp().sum(-1).log()


def _log_softmax(x: torch.Tensor) -> torch.Tensor:
    shifted = x - x.detach().amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


_ROWS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "softmax": lambda x: torch.softmax(x, -1),
    "log_softmax": _log_softmax,
    "logsumexp": logsumexp,
}


def jvp(function: Callable[..., Any], inputs: tuple[torch.Tensor, ...], tangents: tuple[torch.Tensor, ...]) -> Any:
    """The tangent of the results, by forward mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own forward mode uses torch.jit.script
        return torch.func.jvp(function, inputs, tangents)[1]


def row_results(operation: str, problem: RowProblem) -> dict[str, Array]:
    """Forward, VJP and JVP of an operation on rows."""
    function = _ROWS[operation]
    x = torch.from_numpy(problem.x).requires_grad_()
    dy = torch.from_numpy(problem.row_cotangent if operation == "logsumexp" else problem.cotangent)
    y = function(x)
    (dx,) = torch.autograd.grad(y, x, dy)
    ty = jvp(function, (x.detach(),), (torch.from_numpy(problem.cotangent),))
    return {"forward": y.detach().numpy(), "vjp": dx.numpy(), "jvp": ty.numpy()}


def _attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    bias: torch.Tensor | None,
    keep: torch.Tensor | None,
    scale: float | None,
    cap: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(…, r, n, d), (…, m, d), (…, m, d_v); rows without keys give 0 and −∞, with gradient 0."""
    s = torch.einsum("...rnd,...md->...rnm", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if cap is not None:
        s = cap * torch.tanh(s / cap)
    if bias is not None:
        s = s + bias
    if keep is not None:
        s = s.masked_fill(~keep, -torch.inf)
    empty = (s == -torch.inf).all(-1)
    s = s.masked_fill(empty[..., None], 0.0)  # softmax of such a row is NaN, and so is its gradient
    p = torch.softmax(s, -1).masked_fill(empty[..., None], 0.0)
    lse = logsumexp(s).masked_fill(empty, -torch.inf)
    return torch.einsum("...rnm,...me->...rne", p, v), lse


def attention_results(operation: str, problem: AttentionProblem) -> dict[str, Array]:
    """Output, log-sum-exp, gradients and tangents of an attention."""
    cap = problem.cap if operation == "softcapped_attention" else None
    scale = problem.inputs.get("scale")
    keep = torch.from_numpy(problem.inputs["keep"]) if "keep" in problem.inputs else None
    names = [name for name in ("q", "k", "v", "bias") if name in problem.inputs]
    inputs = [torch.from_numpy(problem.inputs[name]).requires_grad_() for name in names]
    do = torch.from_numpy(problem.cotangents["do"])
    dlse = torch.from_numpy(problem.cotangents.get("dlse", np.zeros(do.shape[:-1])))

    def function(*args: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v, *rest = args
        return _attention(q, k, v, rest[0] if rest else None, keep, scale, cap)

    o, lse = function(*inputs)
    gradients = torch.autograd.grad((o, lse), inputs, (do, dlse))
    tangents = tuple(torch.from_numpy(problem.tangents[f"t{name}"]) for name in names)
    to, tlse = jvp(function, tuple(x.detach() for x in inputs), tangents)
    return {
        "o": o.detach().numpy(),
        "lse": lse.detach().numpy(),
        **{f"d{name}": g.numpy() for name, g in zip(names, gradients, strict=True)},
        "to": to.numpy(),
        "tlse": tlse.numpy(),
    }
