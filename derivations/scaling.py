"""# Cost and scale

How many parameters a decoder-only transformer has, what training and generating a token cost, and how a budget of
computation is best divided between parameters and tokens.

Definition
----------
parameter_count, of a decoder-only model:
    attention = 2 d h d_k + 2 d g d_k + biases ((h + 2g) d_k + d)
    ffn       = ffn_matrices d d_ff + biases ((ffn_matrices − 1) d_ff + d)
    total     = (V + positions) d + layers (attention + ffn + 2 norm) + norm + untied V d,   norm = (1 + biases) d

training_flops, for each token:
    forward = 2 weights + 4 layers h d_k n,   backward = 2 forward
    weights = layers (2 d h d_k + 2 d g d_k + ffn_matrices d d_ff) + V d

activation_bytes, of the blocks:
    stored     = itemsize layers b n (4d + (2h + 2g) d_k + ffn_matrices d_ff + h n)
    recomputed = itemsize layers b n (4d + (2h + 2g) d_k + ffn_matrices d_ff + h)

kv_cache_bytes:
    cache = 2 itemsize layers b g d_k m

attention_intensity, operations for each byte moved:
    intensity = 4 r n m d_k / (itemsize (2 r n d_k + 2 m d_k))

scaling_law:
    loss = E + A/N^α + B/D^β

compute_optimal, the least loss for 6ND = C:
    N_opt = (αA/(βB))^(1/(α+β)) (C/6)^(β/(α+β)),   D_opt = C/(6 N_opt)

Statements
----------
parameter_count:
    S1   the projections of attention are four linear layers;
    S2   12d² weights a block in the shape of Vaswani et al., and 13d numbers more with biases;
    S3   a gated network with 2/3 of the hidden features has as many weights;
    S4   what grouped queries save;
    S5   what a tied output projection saves.

training_flops:
    S1   a linear layer takes 2 operations for each weight and token;
    S2   backward = 2 × forward for a linear layer;
    S3   the products of attention;
    S4   backward = 2 × forward for attention;
    S5   forward is the sum of the products;
    S6   6 for each weight, and 12 layers h d_k n for attention, exactly;
    S7   which parameters are the weights;
    S8   attention is quadratic in n;
    S9   attention adds n/(6d) in the shape of Vaswani et al.

activation_bytes:
    S1   what the backward pass of attention reads;
    S2   what that of the linear layers reads, and the whole;
    S3   n b d (32 + 2 h n/d) bytes a block in the shape of Vaswani et al.;
    S4   what recomputing the probabilities saves.

kv_cache_bytes:
    S1   the K and the V of attention;
    S2   grouped queries divide it by r;
    S3   linear in the tokens.

attention_intensity:
    S1   the operations of attention;
    S2   the bytes of its inputs and outputs;
    S3   the harmonic mean of r n and m, divided by the itemsize;
    S4   prefill: proportional to n;
    S5   decoding: bounded by 2r/itemsize.

scaling_law:
    S1   never below E;
    S2   VJP;
    S3   JVP;
    S4   adjoint identity;
    S5   κ times the parameters divide A/N^α by κ^α;
    S6   the slope in logarithms.

compute_optimal:
    S1   the whole budget is spent;
    S2   the derivative on the budget, factored;
    S3   its root is N*;
    S4   N* is stationary;
    S5   Lagrange: αA/N*^α = βB/D*^β;
    S6   it is the minimum: convex in log N;
    S7   N* ∝ C^(β/(α+β));
    S8   D* ∝ C^(α/(α+β));
    S9   the form of the paper, with G;
    S10  the least loss, and its exponent −αβ/(α+β);
    S11  equal exponents: tokens in proportion to parameters;
    S12  VJP;
    S13  JVP: the elasticities;
    S14  adjoint identity.

Notation
--------
d features; h query heads, g heads of keys and values, r = h/g; d_k features of a head; d_ff hidden features; V
vocabulary; n tokens; m keys; b sequences. N parameters, D tokens of training, C operations of training; N*, D* are
N_opt and D_opt, as numbers of positive real value. κ is any positive number.

Domain and conventions
----------------------
All sizes are positive. An addition and a multiplication are two operations. Operations are those of matrix products
with every query attending to every one of n keys; a causal mask leaves (n + 1)/(2n) of those of attention to do.
Activations are those of pre-norm blocks without dropout, the statistics of norms recomputed; embedding and logits are
not among them. Biases are on all linear layers and norms, or on none; an RMSNorm is a norm without bias. Counts have no
gradient: their inputs are whole numbers. The constants of the scaling law are measured, not derived: those shown are
the papers'.

References
----------
Vaswani et al. 2017, Attention is all you need.
Kaplan et al. 2020, Scaling laws for neural language models, section 2.1.
Chowdhery et al. 2022, PaLM, appendix B (operations for each token).
Korthikanti et al. 2022, Reducing activation recomputation in large transformer models, (1)–(2).
Shazeer 2019, Fast transformer decoding; Shazeer 2020, GLU variants improve transformer.
Hoffmann et al. 2022, Training compute-optimal large language models, (2), (4), (10).
Besiroglu et al. 2024, Chinchilla scaling: a replication attempt.
"""

from __future__ import annotations

from .calculus.operation import Operation
from .scaling_allocation import COMPUTE_OPTIMAL, SCALING_LAW
from .scaling_costs import (
    activation_statements,
    cache_statements,
    flops_statements,
    intensity_statements,
    parameter_statements,
)
from .scaling_program import (
    ACTIVATION_BYTES_PROGRAM,
    ATTENTION_INTENSITY_PROGRAM,
    KV_CACHE_BYTES_PROGRAM,
    PARAMETER_COUNT_PROGRAM,
    TRAINING_FLOPS_PROGRAM,
    inputs_of,
)

PARAMETER_COUNT: Operation = Operation(
    "parameter_count",
    "The parameters of a decoder-only transformer.",
    PARAMETER_COUNT_PROGRAM,
    (),
    lambda: parameter_statements(PARAMETER_COUNT),
    inputs_of(PARAMETER_COUNT_PROGRAM),
    {"total": "all parameters", "block": "those of one block", "embedding": "those of the tables of embeddings"},
    source="Kaplan et al. 2020, (2.1)",
)
TRAINING_FLOPS: Operation = Operation(
    "training_flops",
    "The operations of matrix products for each token, forward, backward and together.",
    TRAINING_FLOPS_PROGRAM,
    (),
    lambda: flops_statements(TRAINING_FLOPS, PARAMETER_COUNT),
    inputs_of(TRAINING_FLOPS_PROGRAM),
    {
        "training": "forward and backward together",
        "forward": "operations of the forward pass",
        "backward": "operations of the backward pass",
        "weights": "entries of all matrices that a token is multiplied by",
    },
    {"pairs": "every query attends to all n keys"},
    "Kaplan et al. 2020, section 2.1; Chowdhery et al. 2022, appendix B",
)
ACTIVATION_BYTES: Operation = Operation(
    "activation_bytes",
    "The bytes of activations that training keeps between forward and backward pass, in all blocks.",
    ACTIVATION_BYTES_PROGRAM,
    (),
    lambda: activation_statements(ACTIVATION_BYTES),
    inputs_of(ACTIVATION_BYTES_PROGRAM),
    {
        "stored": "bytes if the probabilities of attention are stored",
        "recomputed": "bytes if they are recomputed from the log-sum-exp",
    },
    {"scope": "pre-norm blocks without dropout; embedding and logits are not counted"},
    "Korthikanti et al. 2022, (1)–(2)",
)
KV_CACHE_BYTES: Operation = Operation(
    "kv_cache_bytes",
    "The bytes of the keys and values that generation keeps.",
    KV_CACHE_BYTES_PROGRAM,
    (),
    lambda: cache_statements(KV_CACHE_BYTES),
    inputs_of(KV_CACHE_BYTES_PROGRAM),
    {"cache": "bytes of all keys and values", "cache_per_token": "bytes that each token of a sequence adds"},
    source="Shazeer 2019, Fast transformer decoding",
)
ATTENTION_INTENSITY: Operation = Operation(
    "attention_intensity",
    "Operations of attention for each byte that it moves: what decides whether arithmetic or memory limits it.",
    ATTENTION_INTENSITY_PROGRAM,
    (),
    lambda: intensity_statements(ATTENTION_INTENSITY),
    inputs_of(ATTENTION_INTENSITY_PROGRAM),
    {
        "intensity": "operations a byte",
        "flops": "operations for one head of keys and values",
        "moved": "bytes for one head of keys and values",
    },
    {"traffic": "queries, keys, values and outputs are moved once each, scores never (FlashAttention)"},
    "Shazeer 2019, Fast transformer decoding",
)

OPERATIONS = (
    PARAMETER_COUNT,
    TRAINING_FLOPS,
    ACTIVATION_BYTES,
    KV_CACHE_BYTES,
    ATTENTION_INTENSITY,
    SCALING_LAW,
    COMPUTE_OPTIMAL,
)
