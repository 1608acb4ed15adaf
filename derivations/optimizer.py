"""# Optimizer steps

One step of an optimizer as a function of the parameters, their gradient and what it remembers. Parameters are one
vector; steps follow the semantics of torch.optim.

Definition
----------
sgd:
    grad = g + λp,   buf_new = μ buf + (1 − τ) grad,   p_new = p − lr buf_new

nesterov_sgd:
    grad = g + λp,   buf_new = μ buf + grad,   p_new = p − lr (grad + μ buf_new)

adam:
    grad = g + λp,   m_new = β₁ m + (1 − β₁) grad,   v_new = β₂ v + (1 − β₂) grad²
    c₁ = 1 − β₁^t,   c₂ = 1 − β₂^t,   root = √(v_new/c₂) + eps,   step = m_new/c₁/root
    p_new = p − lr step

adamw:
    the same with grad = g, and p_new = p − lr λp − lr step

clip_grad_norm:
    norm = ‖g‖,   excess = max(norm + eps − max_norm, 0),   y = max_norm/(max_norm + excess) g,
    that is y = min(1, max_norm/(norm + eps)) g

Statements
----------
sgd:
    S1   the first step makes the velocity the gradient;
    S2   momentum over two steps, unrolled;
    S3   a constant gradient: the velocity is a geometric sum;
    S4   without momentum the decay shrinks the weights;
    S5   VJP;
    S6   the step is linear in (p, g, buf): JVP;
    S7   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩.

nesterov_sgd:
    S1   it is the step of classical momentum taken twice along the same gradient;
    S2   momentum over two steps, unrolled;
    S3   VJP;
    S4   the step is linear in (p, g, buf): JVP;
    S5   adjoint identity.

adam:
    S1   bias correction makes the moments of a constant gradient exact (induction over the steps);
    S2   at eps = 0, invariance to a positive scale of the loss;
    S3   the first step at eps = 0 has the length lr in every coordinate;
    S4   the penalty enters both moments;
    S5   VJP;
    S6   JVP;
    S7   adjoint identity.

adamw:
    S1   bias correction makes the moments of a constant gradient exact (induction over the steps);
    S2   at eps = 0, invariance to a positive scale of the loss;
    S3   the first step at eps = 0 has the length lr in every coordinate;
    S4   the decay is decoupled: the step is Adam's without penalty minus lr λp, the moments do not depend on λ;
    S5   VJP;
    S6   JVP;
    S7   adjoint identity.

clip_grad_norm:
    S1   clipping never raises the norm;
    S2   the clipped norm is at most max_norm;
    S3   a gradient that is short enough is unchanged, so at eps = 0 clipping twice is clipping once;
    S4   the factor is between 0 and 1 and the direction is kept;
    S5   VJP;
    S6   JVP;
    S7   adjoint identity;
    S8   ⟨dg, g⟩: what is clipped does not depend on the length of g at eps = 0.

Notation
--------
p parameters and g their gradient, one vector of K numbers; buf velocity; m, v moments; t number of the step, from 1.
λ weight_decay; μ momentum; τ dampening; β₁ beta1; β₂ beta2. `_new` marks values after the step. Gradients are `d` +
name, tangents `t` + name: those of p_new are dp_new and tp_new.

Domain and conventions
----------------------
Every statement holds for every K ≥ 1, wherever both sides have a value: Adam's derivatives need v_new > 0, that of the
norm needs g ≠ 0. The decays β₁ and β₂ are greater than 0 and less than 1. Where ‖g‖ + eps = max_norm the derivative of
clipping is that of a gradient that is not clipped.

References
----------
Sutskever, Martens, Dahl & Hinton 2013, On the importance of initialization and momentum in deep learning.
Kingma & Ba 2015, Adam: a method for stochastic optimization, algorithm 1 and section 3.
Loshchilov & Hutter 2019, Decoupled weight decay regularization, algorithm 2.
Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks, algorithm 1.
"""

from .optimizer_adam import ADAM, ADAMW
from .optimizer_clip import CLIP
from .optimizer_sgd import NESTEROV, SGD

OPERATIONS = (SGD, NESTEROV, ADAM, ADAMW, CLIP)

__all__ = ["ADAM", "ADAMW", "CLIP", "NESTEROV", "OPERATIONS", "SGD"]
