"""The programs of counting: numbers of parameters, operations and bytes of a decoder-only transformer.

Sizes are numbers here, not ranges of indices: a program is a formula, and its statements compare it with the costs of
the operations that it adds up.
"""

from __future__ import annotations

from .calculus.expr import Tensor
from .calculus.operation import Input
from .calculus.program import Def, Program


def _size(name: str) -> Tensor:
    return Tensor(name, (), "positive")


layers, d, h, g, d_k, d_ff, V = (_size(name) for name in ("layers", "d", "h", "g", "d_k", "d_ff", "V"))
ffn_matrices, n, m, r, b, itemsize = (_size(name) for name in ("ffn_matrices", "n", "m", "r", "b", "itemsize"))
positions, biases, untied = Tensor("positions"), Tensor("biases"), Tensor("untied")

SHAPE = {
    "layers": Input("number of blocks"),
    "d": Input("features of a token"),
    "h": Input("query heads"),
    "g": Input("heads of keys and values; h without grouping"),
    "d_k": Input("features of a head"),
    "ffn_matrices": Input("matrices of a feed-forward network: 2, or 3 if it is gated"),
    "d_ff": Input("features between them"),
    "V": Input("size of the vocabulary"),
    "positions": Input("rows of a learned table of positions; 0 if there is none"),
    "biases": Input("1 if linear layers and norms have a bias, 0 if none has"),
    "untied": Input("1 if the output projection has weights of its own, 0 if it is the embedding"),
    "n": Input("tokens of a sequence"),
    "m": Input("keys, of which the cache holds one for each token so far"),
    "r": Input("query heads that share one head of keys and values"),
    "b": Input("sequences of a batch"),
    "itemsize": Input("bytes of a number"),
}


def inputs_of(program: Program) -> dict[str, Input]:
    """What the sizes that a program reads mean."""
    return {tensor.name: SHAPE[tensor.name] for tensor in program.inputs}


attention, ffn, norm, embedding = (Tensor(name) for name in ("attention", "ffn", "norm", "embedding"))
block, total = Tensor("block"), Tensor("total")

PARAMETER_COUNT_PROGRAM = Program(
    "parameter_count",
    (layers, d, h, g, d_k, ffn_matrices, d_ff, V, positions, biases, untied),
    (
        Def(
            attention[()],
            2 * d[()] * h[()] * d_k[()]
            + 2 * d[()] * g[()] * d_k[()]
            + biases[()] * ((h[()] + 2 * g[()]) * d_k[()] + d[()]),
            "projections to queries, keys, values, and back",
            "S1",
        ),
        Def(
            ffn[()],
            ffn_matrices[()] * d[()] * d_ff[()] + biases[()] * ((ffn_matrices[()] - 1) * d_ff[()] + d[()]),
            "feed-forward network",
        ),
        Def(norm[()], (1 + biases[()]) * d[()], "one gain a feature, and one bias"),
        Def(block[()], attention[()] + ffn[()] + 2 * norm[()], "one block"),
        Def(embedding[()], (V[()] + positions[()]) * d[()], "tables of tokens and of positions"),
        Def(
            total[()],
            embedding[()] + layers[()] * block[()] + norm[()] + untied[()] * V[()] * d[()],
            "all, with the last norm and the output projection",
        ),
    ),
    (total, block, embedding),
)

matrices, weights, scores = Tensor("matrices"), Tensor("weights"), Tensor("scores")
forward, backward, training = Tensor("forward"), Tensor("backward"), Tensor("training")

TRAINING_FLOPS_PROGRAM = Program(
    "training_flops",
    (layers, d, h, g, d_k, ffn_matrices, d_ff, V, n),
    (
        Def(
            matrices[()],
            2 * d[()] * h[()] * d_k[()] + 2 * d[()] * g[()] * d_k[()] + ffn_matrices[()] * d[()] * d_ff[()],
            "entries of the matrices of a block, by which each token is multiplied",
        ),
        Def(weights[()], layers[()] * matrices[()] + V[()] * d[()], "and of the output projection"),
        Def(
            scores[()],
            layers[()] * h[()] * (2 * n[()] * d_k[()] + 2 * n[()] * d_k[()]),
            "products with keys and with values",
            "S3",
        ),
        Def(forward[()], 2 * weights[()] + scores[()], "a multiplication and an addition for each weight", "S1"),
        Def(backward[()], 2 * forward[()], "gradients of the input and of the weight", "S2"),
        Def(training[()], forward[()] + backward[()], "forward and backward"),
    ),
    (training, forward, backward, weights),
)

per_token, stored, recomputed = Tensor("per_token"), Tensor("stored"), Tensor("recomputed")

ACTIVATION_BYTES_PROGRAM = Program(
    "activation_bytes",
    (layers, d, h, g, d_k, ffn_matrices, d_ff, n, b, itemsize),
    (
        Def(
            per_token[()],
            4 * d[()] + (2 * h[()] + 2 * g[()]) * d_k[()] + ffn_matrices[()] * d_ff[()],
            "inputs of both norms and of all products; gate, linear part and their product",
        ),
        Def(
            stored[()],
            itemsize[()] * layers[()] * b[()] * n[()] * (per_token[()] + h[()] * n[()]),
            "the probabilities of attention are stored",
        ),
        Def(
            recomputed[()],
            itemsize[()] * layers[()] * b[()] * n[()] * (per_token[()] + h[()]),
            "they are recomputed from one log-sum-exp a row",
        ),
    ),
    (stored, recomputed),
)

cache, cache_per_token = Tensor("cache"), Tensor("cache_per_token")

KV_CACHE_BYTES_PROGRAM = Program(
    "kv_cache_bytes",
    (layers, g, d_k, m, b, itemsize),
    (
        Def(cache_per_token[()], 2 * itemsize[()] * layers[()] * g[()] * d_k[()], "a key and a value a layer", "S1"),
        Def(cache[()], b[()] * m[()] * cache_per_token[()], "of all sequences"),
    ),
    (cache, cache_per_token),
)

flops, moved, intensity = Tensor("flops"), Tensor("moved"), Tensor("intensity")

ATTENTION_INTENSITY_PROGRAM = Program(
    "attention_intensity",
    (r, n, m, d_k, itemsize),
    (
        Def(
            flops[()],
            r[()] * (2 * n[()] * m[()] * d_k[()] + 2 * n[()] * m[()] * d_k[()]),
            "products with keys and with values",
            "S1",
        ),
        Def(
            moved[()],
            itemsize[()] * (2 * r[()] * n[()] * d_k[()] + 2 * m[()] * d_k[()]),
            "bytes of queries, outputs, keys, values, once each",
            "S2",
        ),
        Def(intensity[()], flops[()] / moved[()], "operations a byte"),
    ),
    (intensity, flops, moved),
)
