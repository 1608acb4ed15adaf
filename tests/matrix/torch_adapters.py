"""PyTorch's own operations where they need more than a name: other arguments, another place for the result."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.matrix.adapting import refuse, without_gradient
from torch import Tensor


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`flex_attention`, not compiled; every mask is a `score_mod`."""
    from torch.nn.attention.flex_attention import flex_attention as flex

    query, key, value, attn_mask = without_gradient(query, key, value, attn_mask)
    refuse(not all(x.numel() for x in (query, key, value)), "an argument has no elements")
    mask = None if attn_mask is None else attn_mask.expand(*query.shape[:-1], key.shape[-2])

    def score_mod(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        if is_causal:
            score = torch.where(j <= i, score, -torch.inf)
        if mask is not None:
            seen = mask[b, h, i, j]
            score = torch.where(seen, score, -torch.inf) if mask.dtype == torch.bool else score + seen
        return score

    plain = mask is None and not is_causal
    out: Any = flex(query, key, value, None if plain else score_mod, scale=scale, enable_gqa=enable_gqa)
    return out  # type: ignore[no-any-return]  # the log-sum-exp comes with it only where it is asked for


# Optimizers ----------------------------------------------------------------------------------------------------------


def _stepped(optimizer: Any, p: Tensor, g: Tensor, **state: Tensor) -> dict[str, Tensor]:
    """One step of an optimizer over `p`, in place; the state after it."""
    p.grad = g
    optimizer.state[p].update(state)
    optimizer.step()
    found: dict[str, Tensor] = optimizer.state[p]
    return found


def _sgd(p: Tensor, g: Tensor, lr: float, buf: Tensor | None, *, differentiable: bool, **options: Any) -> Any:
    refuse(not options.get("momentum"), "without momentum there is no velocity")
    # The very first step sets the velocity to the gradient, without dampening: later ones are what is compared.
    buf = torch.zeros_like(p) if buf is None and not options.get("nesterov") else buf
    p = p.clone()
    optimizer = torch.optim.SGD([p], lr, differentiable=differentiable, **options)
    state = {} if buf is None else {"momentum_buffer": buf.clone()}
    return p, _stepped(optimizer, p, g, **state)["momentum_buffer"]


def sgd(p: Tensor, g: Tensor, lr: float, *, buf: Tensor | None = None, **options: float) -> Any:
    """`torch.optim.SGD(differentiable=True)`."""
    return _sgd(p, g, lr, buf, differentiable=True, **options)


def sgd_with_decay(p: Tensor, g: Tensor, lr: float, *, buf: Tensor | None = None, **options: float) -> Any:
    """The same, asked only where the velocity depends on the parameters."""
    refuse(not options.get("weight_decay"), "the velocity does not depend on the parameters")
    return _sgd(p, g, lr, buf, differentiable=True, **options)


def nesterov_sgd(
    p: Tensor, g: Tensor, lr: float, momentum: float, *, buf: Tensor | None = None, weight_decay: float = 0.0
) -> Any:
    """`torch.optim.SGD(nesterov=True, differentiable=True)`."""
    options = {"momentum": momentum, "weight_decay": weight_decay, "nesterov": True}
    return _sgd(p, g, lr, buf, differentiable=True, **options)


def nesterov_sgd_after_the_first(
    p: Tensor, g: Tensor, lr: float, momentum: float, *, buf: Tensor | None = None, weight_decay: float = 0.0
) -> Any:
    """The same, asked only where there is a velocity already, and it depends on the parameters."""
    refuse(buf is None, "the first step")
    refuse(not weight_decay, "the velocity does not depend on the parameters")
    return nesterov_sgd(p, g, lr, momentum, buf=buf, weight_decay=weight_decay)


def _adam(
    kind: Any, p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: float, lr: float, options: dict[str, Any]
) -> tuple[Tensor, Tensor, Tensor]:
    default = (0.9, 0.999)
    betas = tuple(options.pop(name, usual) for name, usual in zip(("beta1", "beta2"), default, strict=True))
    p = p.clone()
    optimizer = kind([p], lr, betas, **options)
    # The step is counted before it is made. In float64, as the default float32 would decide the result in float64.
    step = torch.tensor(t - 1, dtype=torch.float64)
    if options.get("fused"):
        step = step.float()
    state = _stepped(optimizer, p, g, step=step, exp_avg=m.clone(), exp_avg_sq=v.clone())
    return p, state["exp_avg"], state["exp_avg_sq"]


def adam(p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: float, lr: float, **options: float) -> Any:
    """`torch.optim.Adam(differentiable=True)`."""
    return _adam(torch.optim.Adam, p, g, m, v, t, lr, {**options, "differentiable": True})


def adam_with_decay(p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: float, lr: float, **options: float) -> Any:
    """The same, asked only where the moments depend on the parameters."""
    refuse(not options.get("weight_decay"), "the moments do not depend on the parameters")
    return adam(p, g, m, v, t, lr, **options)


def adamw(p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: float, lr: float, **options: float) -> Any:
    """`torch.optim.AdamW(differentiable=True)`."""
    return _adam(torch.optim.AdamW, p, g, m, v, t, lr, {**options, "differentiable": True})


def _forward_adam(kind: Any, tensors: tuple[Tensor, ...], t: float, lr: float, options: dict[str, Any]) -> Any:
    p, g, m, v = without_gradient(*tensors)
    return _adam(kind, p, g, m, v, t, lr, options)


def foreach_adam(p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: float, lr: float, **options: float) -> Any:
    """`torch.optim.Adam(foreach=True)`."""
    return _forward_adam(torch.optim.Adam, (p, g, m, v), t, lr, {**options, "foreach": True})


def fused_adam(p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: float, lr: float, **options: float) -> Any:
    """`torch.optim.Adam(fused=True)`."""
    return _forward_adam(torch.optim.Adam, (p, g, m, v), t, lr, {**options, "fused": True})


def fused_adam_contiguous(p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: float, lr: float, **options: float) -> Any:
    """The same, of contiguous tensors."""
    tensors = tuple(x.contiguous() for x in (p, g, m, v))
    return _forward_adam(torch.optim.Adam, tensors, t, lr, {**options, "fused": True})


def fused_adamw(p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: float, lr: float, **options: float) -> Any:
    """`torch.optim.AdamW(fused=True)`, of contiguous tensors."""
    tensors = tuple(x.contiguous() for x in (p, g, m, v))
    return _forward_adam(torch.optim.AdamW, tensors, t, lr, {**options, "fused": True})


def clip_grad_norm(g: Tensor, max_norm: float, *, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    """`torch.nn.utils.clip_grad_norm_`, one parameter a row."""
    (g,) = without_gradient(g)
    refuse(eps != 1e-6, "the epsilon is 1e-6")
    clipped, norms = torch.empty_like(g, memory_format=torch.contiguous_format), g.new_empty(g.shape[:-1])
    shape = (norms.numel(), g.shape[-1])  # -1 would be ambiguous where there are no columns
    flat, out, norm = g.reshape(shape), clipped.view(shape), norms.view(-1)
    for row in range(flat.shape[0]):
        p = torch.nn.Parameter(torch.zeros_like(flat[row]))
        p.grad = flat[row].clone()
        norm[row] = torch.nn.utils.clip_grad_norm_(p, max_norm)
        out[row] = p.grad
    return clipped, norms


# Compiled ------------------------------------------------------------------------------------------------------------


def _compiled(function: Any, *arguments: Any, **options: Any) -> Any:
    """The function as `torch.compile` makes it; never the eager one, which it would fall back to after a few shapes."""
    torch._dynamo.config.recompile_limit = 1 << 20
    torch._dynamo.config.accumulated_recompile_limit = 1 << 20
    compiled: Any = torch.compile(function, dynamic=True, fullgraph=True)
    return compiled(*arguments, **options)


def compiled_softmax(input: Tensor, dim: int = -1) -> Any:
    """`torch.compile(softmax)`."""
    return _compiled(torch.nn.functional.softmax, input, dim=dim)


def compiled_layer_norm(input: Tensor, normalized_shape: tuple[int, ...], **options: Any) -> Any:
    """`torch.compile(layer_norm)`."""
    return _compiled(torch.nn.functional.layer_norm, input, normalized_shape, **options)


def compiled_gelu(input: Tensor, approximate: str = "none") -> Any:
    """`torch.compile(gelu)`."""
    return _compiled(torch.nn.functional.gelu, input, approximate=approximate)


def compiled_cross_entropy(input: Tensor, target: Tensor, **options: Any) -> Any:
    """`torch.compile(cross_entropy)`."""
    return _compiled(torch.nn.functional.cross_entropy, input, target, **options)
