"""Planted faults of optimizer steps, named after what is wrong."""

from __future__ import annotations

import torch
from lemmata.tests.conformance.targets import catalogue_kernels as correct
from torch import Tensor

# Gradient descent ----------------------------------------------------------------------------------------------------


def dampening_ignored(
    p: Tensor,
    g: Tensor,
    lr: float,
    *,
    buf: Tensor | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The whole gradient goes into the velocity."""
    return correct.sgd(p, g, lr, buf=buf, momentum=momentum, weight_decay=weight_decay)


def decay_ascends(
    p: Tensor,
    g: Tensor,
    lr: float,
    *,
    buf: Tensor | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The decay with the wrong sign."""
    return correct.sgd(p, g, lr, buf=buf, momentum=momentum, dampening=dampening, weight_decay=-weight_decay)


def velocity_before_the_step(
    p: Tensor,
    g: Tensor,
    lr: float,
    *,
    buf: Tensor | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The parameters follow the velocity of the step before."""
    _, velocity = correct.sgd(p, g, lr, buf=buf, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
    return p - lr * (torch.zeros_like(p) if buf is None else buf), velocity


def nesterov_of_the_old_velocity(
    p: Tensor,
    g: Tensor,
    lr: float,
    *,
    buf: Tensor | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Nesterov's look-ahead where plain momentum is asked for."""
    _, velocity = correct.sgd(p, g, lr, buf=buf, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
    return p - lr * (g + weight_decay * p + momentum * velocity), velocity


def parameters_updated_in_place(
    p: Tensor,
    g: Tensor,
    lr: float,
    *,
    buf: Tensor | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The memory of the parameters written over."""
    new, velocity = correct.sgd(p, g, lr, buf=buf, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
    p.data.copy_(new.detach())
    return new, velocity


# Adam ----------------------------------------------------------------------------------------------------------------


def _adam(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    correction1: float,
    correction2: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    *,
    inside: bool = False,
    amsgrad: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    m_new, v_new = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    square = (torch.maximum(v, v_new) if amsgrad else v_new) / correction2
    root = torch.sqrt(square + eps) if inside else torch.sqrt(square) + eps
    return p - lr * (m_new / correction1 / root), m_new, v_new


def moments_not_corrected(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """No bias correction."""
    return _adam(p, g + weight_decay * p, m, v, 1.0, 1.0, lr, beta1, beta2, eps)


def steps_counted_from_0(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """The correction of the step after."""
    return correct.adam(p, g, m, v, t + 1, lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)


def eps_inside_the_root(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """√(v + eps)."""
    gradient = g + weight_decay * p
    return _adam(p, gradient, m, v, 1 - beta1**t, 1 - beta2**t, lr, beta1, beta2, eps, inside=True)


def decay_forgotten(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """No weight decay."""
    return correct.adam(p, g, m, v, t, lr, beta1=beta1, beta2=beta2, eps=eps)


def largest_second_moment(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """AMSGrad's maximum."""
    gradient = g + weight_decay * p
    return _adam(p, gradient, m, v, 1 - beta1**t, 1 - beta2**t, lr, beta1, beta2, eps, amsgrad=True)


def decay_coupled(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, Tensor, Tensor]:
    """AdamW's decay added to the gradient."""
    return correct.adam(p, g, m, v, t, lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)


def decay_without_the_rate(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, Tensor, Tensor]:
    """The decay not multiplied by the learning rate."""
    new, *moments = correct.adamw(p, g, m, v, t, lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=0.0)
    return new - weight_decay * p, moments[0], moments[1]


def decay_of_the_new_parameters(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, Tensor, Tensor]:
    """The parameters shrunk after the step instead of before."""
    new, *moments = correct.adamw(p, g, m, v, t, lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=0.0)
    return new * (1 - lr * weight_decay), moments[0], moments[1]


def default_decay_of_adam(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """No decay where none is given, although AdamW has one by default."""
    return correct.adamw(p, g, m, v, t, lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)


def adamw_moments_not_corrected(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, Tensor, Tensor]:
    """No bias correction."""
    return _adam(p * (1 - lr * weight_decay), g, m, v, 1.0, 1.0, lr, beta1, beta2, eps)
