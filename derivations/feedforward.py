"""# Feed-forward networks and their activations

A feed-forward network transforms each token by itself: a matrix product, an activation, a second matrix product. A
gated one multiplies the activation of one product with another product.

Definition
----------
    relu(x)      = max(x, 0)
    gelu(x)      = x Φ(x),   Φ(x) = erfc(−x/√2)/2
    gelu_tanh(x) = x σ(2u),  u = √(2/π) (x + 0.044715 x³)
    silu(x)      = x σ(x),   σ(x) = 1/(1 + e^(−x))
    swiglu(gate, up) = silu(gate) ∘ up
    geglu(gate, up)  = gelu(gate) ∘ up
    feed_forward:        y[i] = W₂ gelu(W₁ x[i] + b₁) + b₂
    swiglu_feed_forward: y[i] = (silu(x[i] W) ∘ x[i] V) W₂

Statements
----------
relu:
    S1   relu(x) is the larger of x and 0;
    S2   idempotent;
    S3   positively homogeneous: relu(ax) = a relu(x) for a > 0;
    S4   relu(x) − relu(−x) = x;
    S5   VJP: dx = dy ∘ [x > 0];
    S6   JVP: ty = tx ∘ [x > 0];
    S7   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S8   the derivative at the kink is 0;
    S9   ⟨dx, x⟩ = ⟨dy, y⟩, the law of S3;
    S10  features are independent.

gelu:
    S1   Φ by the error function: Φ(x) = (1 + erf(x/√2))/2;
    S2   gelu(x) − gelu(−x) = x;
    S3   VJP: dx = dy ∘ (Φ(x) + x φ(x));
    S4   JVP: ty = tx ∘ (Φ(x) + x φ(x));
    S5   adjoint identity;
    S6   gelu(x) ≥ −0.17 for every real x;
    S7   features are independent.

gelu_tanh:
    S1   by the hyperbolic tangent: x (1 + tanh(u))/2;
    S2   gelu_tanh(x) − gelu_tanh(−x) = x;
    S3   VJP: dx = dy ∘ σ(2u) (1 + 2x u′ σ(−2u));
    S4   JVP;
    S5   adjoint identity;
    S6   |gelu(x) − gelu_tanh(x)| ≤ 0.000474 for every real x;
    S7   features are independent.

silu:
    S1   silu(x) = x/(1 + e^(−x));
    S2   silu(x) − silu(−x) = x;
    S3   VJP: dx = dy ∘ σ(x) (1 + x (1 − σ(x)));
    S4   JVP;
    S5   adjoint identity;
    S6   by the hyperbolic tangent: x (1 + tanh(x/2))/2;
    S7   silu(x) ≥ −0.2785 for every real x;
    S8   features are independent.

swiglu:
    S1   silu(gate) ∘ up;
    S2   linear in up;
    S3   VJP: dup = dy ∘ silu(gate), dgate = dy ∘ up ∘ silu′(gate);
    S4   JVP;
    S5   adjoint identity;
    S6   ⟨dup, up⟩ = ⟨dy, y⟩, the law of S2;
    S7   features are independent.

geglu:
    S1   gelu(gate) ∘ up;
    S2   linear in up;
    S3   VJP: dup = dy ∘ gelu(gate), dgate = dy ∘ up ∘ gelu′(gate);
    S4   JVP;
    S5   adjoint identity;
    S6   ⟨dup, up⟩ = ⟨dy, y⟩, the law of S2;
    S7   features are independent.

feed_forward:
    S1   gelu between two layers;
    S2   tokens are independent;
    S3   permuting the tokens permutes the rows of Y and leaves dW₁ unchanged;
    S4   permuting the hidden features leaves Y unchanged;
    S5   dX = dH W₁, with dH = (dY W₂) ∘ gelu′(H);
    S6   dW₁ = dHᵀ X and db₁ = Σ_i dH[i];
    S7   dW₂ = dYᵀ gelu(H) and db₂ = Σ_i dY[i];
    S8   JVP;
    S9   adjoint identity;
    S10  ⟨dW₂, W₂⟩ + ⟨db₂, b₂⟩ = ⟨dY, Y⟩;
    S11  ⟨dW₁, W₁⟩ + ⟨db₁, b₁⟩ = ⟨dH, H⟩.

swiglu_feed_forward:
    S1   silu of the gate times the hidden features, then one layer;
    S2   tokens are independent;
    S3   permuting the tokens permutes the rows of Y and leaves dW unchanged;
    S4   permuting the hidden features leaves Y unchanged;
    S5   dX = dG Wᵀ + dU Vᵀ;
    S6   dW = Xᵀ dG and dV = Xᵀ dU;
    S7   dW₂ = Mᵀ dY;
    S8   JVP;
    S9   adjoint identity;
    S10  ⟨dW₂, W₂⟩ = ⟨dY, Y⟩;
    S11  ⟨dV, V⟩ = ⟨dW₂, W₂⟩, the law of the invariance under (V/a, aW₂).

Notation
--------
i tokens (n); c, e features (d); f hidden features (d_f). x input; y output; s logistic function; cdf the normal
distribution function Φ, φ its derivative; u the argument of the tanh (for swiglu_feed_forward the hidden features); h
hidden features; g gate; a activation; m gated features. Capitals are the same tensors as matrices; ∘ is the product of
entries. Gradients are `d` + name, tangents `t` + name.

Domain and conventions
----------------------
Every statement holds for all sizes ≥ 1 and all real values; the bounds, for every real number, are proved by interval
arithmetic. relu has the derivative 0 at 0, as in torch. The weights W₁ and W₂ of feed_forward are stored one row for
each feature of the output, as in torch; those of swiglu_feed_forward are multiplied from the right, as in the paper.
Weights and biases are shared by all batches: their gradients are summed over them. φ(x) = e^(−x²/2)/√(2π).

References
----------
Vaswani et al. 2017, Attention is all you need, (2).
Hendrycks & Gimpel 2016, Gaussian error linear units, sections 2 and 4.
Elfwing, Uchibe & Doya 2018, Sigmoid-weighted linear units.
Shazeer 2020, GLU variants improve transformer, (5) and (6).
"""

from __future__ import annotations

from .calculus.operation import Input, Operation
from .feedforward_activations import gelu_statements, gelu_tanh_statements, relu_statements, silu_statements
from .feedforward_gates import geglu_statements, swiglu_statements
from .feedforward_networks import feed_forward_statements, swiglu_feed_forward_statements
from .feedforward_program import (
    FEED_FORWARD_PROGRAM,
    GEGLU_PROGRAM,
    GELU_PROGRAM,
    GELU_TANH_PROGRAM,
    RELU_PROGRAM,
    SILU_PROGRAM,
    SWIGLU_FEED_FORWARD_PROGRAM,
    SWIGLU_PROGRAM,
    X,
    b_1,
    b_2,
    gate,
    up,
    v,
    w,
    w_1,
    w_2,
    w_out,
    x,
)

_X = {"x": Input("features `[..., d]`")}
_Y = {"y": "activated features `[..., d]`"}
_GATED = {
    "gate": Input("features `[..., d]` that are activated"),
    "up": Input("features `[..., d]` that they multiply"),
}
_TOKENS = Input("tokens `[..., n, d]`")
_HENDRYCKS = "Hendrycks & Gimpel 2016, Gaussian error linear units"

RELU: Operation = Operation(
    "relu",
    "The positive part of each feature.",
    RELU_PROGRAM,
    (x,),
    lambda: relu_statements(RELU),
    _X,
    _Y,
    {"derivative at 0": "0"},
    "Vaswani et al. 2017, (2)",
)
GELU: Operation = Operation(
    "gelu",
    "Each feature times the probability that a normal variable is below it.",
    GELU_PROGRAM,
    (x,),
    lambda: gelu_statements(GELU),
    _X,
    _Y,
    {"form": "exact, by the error function (torch: approximate='none')"},
    f"{_HENDRYCKS}, section 2",
)
GELU_TANH: Operation = Operation(
    "gelu_tanh",
    "The gaussian error linear unit with a tanh in place of the error function.",
    GELU_TANH_PROGRAM,
    (x,),
    lambda: gelu_tanh_statements(GELU_TANH, GELU),
    _X,
    _Y,
    {"form": "approximate, by the hyperbolic tangent (torch: approximate='tanh')"},
    f"{_HENDRYCKS}, section 2",
)
SILU: Operation = Operation(
    "silu",
    "Each feature times its logistic function, also called swish.",
    SILU_PROGRAM,
    (x,),
    lambda: silu_statements(SILU),
    _X,
    _Y,
    {"slope": "1: x σ(βx) with β = 1"},
    "Elfwing, Uchibe & Doya 2018, Sigmoid-weighted linear units",
)
SWIGLU: Operation = Operation(
    "swiglu",
    "Features gated by the silu of others.",
    SWIGLU_PROGRAM,
    (gate, up),
    lambda: swiglu_statements(SWIGLU, SILU),
    _GATED,
    _Y,
    {"gate": "the first argument is activated"},
    "Shazeer 2020, (5)",
)
GEGLU: Operation = Operation(
    "geglu",
    "Features gated by the gelu of others.",
    GEGLU_PROGRAM,
    (gate, up),
    lambda: geglu_statements(GEGLU, GELU),
    _GATED,
    _Y,
    {"gate": "the first argument is activated", "form": "exact, by the error function"},
    "Shazeer 2020, (5)",
)
FEED_FORWARD: Operation = Operation(
    "feed_forward",
    "Two layers with a gelu between them, for each token.",
    FEED_FORWARD_PROGRAM,
    (X, w_1, b_1, w_2, b_2),
    lambda: feed_forward_statements(FEED_FORWARD, GELU),
    {
        "x": _TOKENS,
        "w_1": Input("weights of the first layer `[d_f, d]`", shared=True),
        "b_1": Input("bias of the first layer `[d_f]`", shared=True),
        "w_2": Input("weights of the second layer `[d, d_f]`", shared=True),
        "b_2": Input("bias of the second layer `[d]`", shared=True),
    },
    {"y": "transformed tokens `[..., n, d]`"},
    {"activation": "gelu, exact", "weights": "one row for each feature of the output"},
    f"Vaswani et al. 2017, (2); {_HENDRYCKS}",
    composable=True,
)
SWIGLU_FEED_FORWARD: Operation = Operation(
    "swiglu_feed_forward",
    "A gated layer and a second one, without biases, for each token.",
    SWIGLU_FEED_FORWARD_PROGRAM,
    (X, w, v, w_out),
    lambda: swiglu_feed_forward_statements(SWIGLU_FEED_FORWARD, SILU),
    {
        "x": _TOKENS,
        "w": Input("weights of the gate `[d, d_f]`", shared=True),
        "v": Input("weights of the features that are gated `[d, d_f]`", shared=True),
        "w_2": Input("weights of the output `[d_f, d]`", shared=True),
    },
    {"y": "transformed tokens `[..., n, d]`"},
    {"activation": "silu of x W", "weights": "multiplied from the right"},
    "Shazeer 2020, (6)",
    composable=True,
)

OPERATIONS = (RELU, GELU, GELU_TANH, SILU, SWIGLU, GEGLU, FEED_FORWARD, SWIGLU_FEED_FORWARD)
