"""A decoder-only language model from this package's operators.

Token and position embeddings, layers of pre-norm blocks, a final norm, and the embedding table again as the output
(Radford et al. 2019, section 2.3; Press & Wolf 2017).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from .block import pre_norm_block
from .kernels import Kernels, kernels_for
from .linear import tied_output

# Of GPT-2: the standard deviation of its weights before training.
_SPREAD = 0.02


def language_model(
    ids: torch.Tensor,
    target: torch.Tensor,
    w: torch.Tensor,
    positions: torch.Tensor,
    gain_1: torch.Tensor,
    shift_1: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    w_o: torch.Tensor,
    b_q: torch.Tensor,
    b_k: torch.Tensor,
    b_v: torch.Tensor,
    b_o: torch.Tensor,
    gain_2: torch.Tensor,
    shift_2: torch.Tensor,
    w_1: torch.Tensor,
    b_1: torch.Tensor,
    w_2: torch.Tensor,
    b_2: torch.Tensor,
    gain: torch.Tensor,
    shift: torch.Tensor,
    *,
    counted: torch.Tensor | None = None,
    kernels: Kernels | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The loss of each token, their mean, and the logits.

    Args:
        ids, target: tokens and those to be predicted, (..., n), int64.
        w: table of the V tokens, (V, d); float16, bfloat16, float32 or float64.
        positions: what is added at each position, (n, d), in the same dtype.
        gain_1 to b_2: the parameters of `pre_norm_block`, each with an axis of the layers before its own.
        gain, shift: of the last norm, (d,).
        counted: boolean (..., n), False for a token that does not count in the loss.
        kernels: implementations of what it is made of; those of `kernels_for` if None.

    Returns:
        (..., n), (...) and (..., n, V), in that dtype.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: shapes do not fit.
    """
    kernels = kernels or kernels_for(w)
    stream = kernels.embedding(ids, w) + positions
    layers = (gain_1, shift_1, w_q, w_k, w_v, w_o, b_q, b_k, b_v, b_o, gain_2, shift_2, w_1, b_1, w_2, b_2)
    for layer in range(gain_1.shape[0]):
        stream = pre_norm_block(stream, *(x[layer] for x in layers), is_causal=True, kernels=kernels)
    logits = tied_output(kernels.layer_norm(stream, stream.shape[-1:], gain, shift), w)
    loss, _, mean = kernels.smoothed_cross_entropy(logits, target, 0.0, keep=counted)
    return loss, mean, logits


class Sizes(NamedTuple):
    """Of a model: tokens, longest text, layers, groups of query heads on a head of keys, heads in each, and widths."""

    tokens: int
    length: int
    layers: int
    groups: int
    members: int
    width: int
    hidden: int


class LanguageModel(torch.nn.Module):
    """`language_model` with its parameters, which begin as those of GPT-2: normal weights, 0.02, shrunk where a layer
    adds to the stream, and biases of 0.

    Args:
        sizes: the width is a multiple of the number of query heads.
        generator: draws the weights.

    Raises:
        ValueError: the width is no such multiple.
    """

    def __init__(self, sizes: Sizes, generator: torch.Generator | None = None) -> None:
        super().__init__()
        heads = sizes.groups * sizes.members
        if sizes.width % heads:
            raise ValueError(f"a width of {sizes.width} is not a multiple of {heads} query heads")
        self.sizes = sizes
        head = sizes.width // heads
        L, d, g, r, f = sizes.layers, sizes.width, sizes.groups, sizes.members, sizes.hidden
        shapes = {
            "w": (sizes.tokens, d),
            "positions": (sizes.length, d),
            "gain_1": (L, d),
            "shift_1": (L, d),
            "w_q": (L, g, r, head, d),
            "w_k": (L, g, head, d),
            "w_v": (L, g, head, d),
            "w_o": (L, g, r, d, head),
            "b_q": (L, g, r, head),
            "b_k": (L, g, head),
            "b_v": (L, g, head),
            "b_o": (L, d),
            "gain_2": (L, d),
            "shift_2": (L, d),
            "w_1": (L, f, d),
            "b_1": (L, f),
            "w_2": (L, d, f),
            "b_2": (L, d),
            "gain": (d,),
            "shift": (d,),
        }
        for name, shape in shapes.items():
            self.register_parameter(name, torch.nn.Parameter(_initial(name, shape, L, generator)))

    def forward(
        self, ids: torch.Tensor, target: torch.Tensor, counted: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `language_model`; texts may be shorter than the longest.

        Raises:
            ValueError: a text is longer.
        """
        if ids.shape[-1] > self.sizes.length:
            raise ValueError(f"a text of {ids.shape[-1]} tokens is longer than {self.sizes.length}")
        parameters: dict[str, Any] = dict(self.named_parameters())
        parameters["positions"] = parameters["positions"][: ids.shape[-1]]
        return language_model(ids, target, **parameters, counted=counted)


def _initial(name: str, shape: tuple[int, ...], layers: int, generator: torch.Generator | None) -> torch.Tensor:
    if name.startswith("gain"):
        return torch.ones(shape)
    if name.startswith(("shift", "b_")):
        return torch.zeros(shape)
    spread = _SPREAD / (2 * layers) ** 0.5 if name in ("w_o", "w_2") else _SPREAD
    return torch.normal(0.0, spread, shape, generator=generator)
