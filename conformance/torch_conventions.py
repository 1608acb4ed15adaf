"""The calling conventions of `torch.nn.functional`, for the operations that it has, and of optimizer steps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch

from .conventions import Arguments, Arrays, Choices, Convention, Sizes
from .generic_profiles import Rung
from .orders import (
    cross_entropy_from_log_probabilities,
    gelu_from_one_plus_tanh,
    layer_norm_from_sums,
    swiglu_from_the_activation,
)
from .problems import Problem
from .values import EMPTIED

_INPUT = {"x": "input"}
# Powers of 2, which every dtype holds: of the size of the defaults, larger ones that show, and one that does not.
_EPSILONS = (2.0**-17, 2.0**-10, 0.125, 2.0**-40, 1.0)

# Embedding -----------------------------------------------------------------------------------------------------------

_PADDING = "padding_idx"
_NO_PADDING, _FIRST, _LAST = "none", "first", "last"


def _padding_idx(sizes: Sizes, choices: Choices) -> Arguments:
    """PyTorch counts a negative index from the end."""
    return {} if choices[_PADDING] == _NO_PADDING else {_PADDING: 0 if choices[_PADDING] == _FIRST else -1}


def _trained(problem: Problem, arguments: Arguments) -> Arguments:
    """Rows whose gradient is not held at 0."""
    if _PADDING not in problem.options:
        return arguments
    rows = len(problem.arrays["weight"])
    return arguments | {"trained": np.arange(rows) != problem.options[_PADDING] % rows}


_EMBEDDING = Convention(
    "embedding",
    "embedding",
    names={"ids": "input", "w": "weight"},
    left_out=("trained",),
    keywords={_PADDING: None},
    choices={_PADDING: (_NO_PADDING, _FIRST, _LAST)},
    passed=_padding_idx,
    reference=_trained,
)

# Norms ---------------------------------------------------------------------------------------------------------------


def _normalized_shape(sizes: Sizes, choices: Choices) -> Arguments:
    return {"normalized_shape": (sizes["d"],)}


def _epsilon_of_layer_norm(problem: Problem, arguments: Arguments) -> Arguments:
    return {"eps": 1e-5} | arguments


def _epsilon_of_rms_norm(problem: Problem, arguments: Arguments) -> Arguments:
    """By default the machine epsilon of what the mean square is computed in."""
    dtype = problem.context["dtype"]
    return {"eps": torch.finfo(torch.promote_types(dtype, torch.float32)).eps} | arguments


_NORM = ("input", "normalized_shape")
_LAYER_NORM = Convention(
    "layer_norm",
    "layer_norm",
    names=_INPUT,
    positional=_NORM,
    passed=_normalized_shape,
    reference=_epsilon_of_layer_norm,
    orders=(layer_norm_from_sums,),
    numbers={"eps": _EPSILONS},
    rungs=(
        Rung(
            "saved statistics",
            "as split, with the mean and the reciprocal deviation rounded to the dtype before the backward pass",
            stored=("mean", "rstd"),
        ),
    ),
)
_RMS_NORM = Convention(
    "rms_norm",
    "rms_norm",
    names=_INPUT,
    positional=_NORM,
    passed=_normalized_shape,
    reference=_epsilon_of_rms_norm,
    numbers={"eps": _EPSILONS},
)

# Elementwise ---------------------------------------------------------------------------------------------------------

_APPROXIMATE = "approximate"


def _approximate(sizes: Sizes, choices: Choices) -> Arguments:
    return {} if choices[_APPROXIMATE] == "none" else {_APPROXIMATE: choices[_APPROXIMATE]}


_GELU = Convention(
    "gelu",
    "gelu",
    names=_INPUT,
    keywords={_APPROXIMATE: "none"},
    choices={_APPROXIMATE: ("none", "tanh")},
    variants=("gelu_tanh",),
    variant=lambda choices: "gelu" if choices[_APPROXIMATE] == "none" else "gelu_tanh",
    passed=_approximate,
    orders=(gelu_from_one_plus_tanh,),
)

# Losses --------------------------------------------------------------------------------------------------------------

_REDUCTION, _IGNORE, _SMOOTHING = "reduction", "ignore_index", "label_smoothing"
_REDUCTIONS = MappingProxyType({"mean": "mean", "sum": "total", "none": "loss"})
# The label that is ignored: one that no class has, which is PyTorch's default and may be among the targets, another one
# beyond the classes, or a class.
_NOWHERE, _OUTSIDE, _BEYOND = "nowhere", "outside", "beyond"
_IGNORED_BY_DEFAULT = -100


def _some_outside(arrays: Arrays, choices: Choices, rng: np.random.Generator) -> Arrays:
    if choices[_IGNORE] not in (_OUTSIDE, _BEYOND):
        return arrays
    target = arrays["target"]
    ignored = _IGNORED_BY_DEFAULT if choices[_IGNORE] == _OUTSIDE else _beyond(arrays["input"].shape[-1])
    return arrays | {"target": np.where(rng.random(target.shape) < EMPTIED, ignored, target)}


def _beyond(classes: int) -> int:
    """A label that no class has, as 255 is in images of fewer classes."""
    return classes + 3


def _loss_options(sizes: Sizes, choices: Choices) -> Arguments:
    options: Arguments = {}
    if choices[_REDUCTION] != "mean":
        options[_REDUCTION] = choices[_REDUCTION]
    ignored = {_FIRST: 0, _LAST: sizes["V"] - 1, _BEYOND: _beyond(sizes["V"])}
    if choices.get(_IGNORE) in ignored:
        options[_IGNORE] = ignored[choices[_IGNORE]]
    if choices.get(_SMOOTHING):
        options[_SMOOTHING] = choices[_SMOOTHING]
    return options


def _kept(problem: Problem, arguments: Arguments) -> Arguments:
    """The rows whose target is not ignored; the others have any target."""
    target = problem.arrays["target"]
    keep = target != problem.options.get(_IGNORE, _IGNORED_BY_DEFAULT)
    found = arguments | {"keep": keep, "target": np.where(keep, target, 0)}
    smoothing = problem.options.get(_SMOOTHING)
    return found | {"smoothing": smoothing} if smoothing else found


def _returned(choices: Choices) -> tuple[str, ...]:
    return (_REDUCTIONS[choices[_REDUCTION]],)


_CROSS_ENTROPY = Convention(
    "cross_entropy",
    "cross_entropy",
    names=_INPUT,
    left_out=("keep", "zeta"),
    constant=("weight",),
    kinds={"weight": "positive"},
    keywords={_REDUCTION: "mean", _IGNORE: _IGNORED_BY_DEFAULT, _SMOOTHING: 0.0},
    choices={
        _REDUCTION: ("mean", "sum", "none"),
        _IGNORE: (_NOWHERE, _OUTSIDE, _BEYOND, _FIRST, _LAST),
        _SMOOTHING: (0.0, 0.125, 0.5),
    },
    variants=("smoothed_cross_entropy",),
    variant=lambda choices: "smoothed_cross_entropy" if choices[_SMOOTHING] else "cross_entropy",
    returned=_returned,
    prepared=_some_outside,
    passed=_loss_options,
    reference=_kept,
    orders=(cross_entropy_from_log_probabilities,),
    batched=False,
)
_SOFT_CROSS_ENTROPY = Convention(
    "soft_cross_entropy",
    "soft_cross_entropy",
    names={**_INPUT, "y": "target"},
    left_out=("keep", "zeta"),
    constant=("weight",),
    kinds={"weight": "positive"},
    keywords={_REDUCTION: "mean"},
    choices={_REDUCTION: ("mean", "sum", "none")},
    returned=_returned,
    passed=_loss_options,
    orders=(cross_entropy_from_log_probabilities,),
    batched=False,
)

# Positions -----------------------------------------------------------------------------------------------------------

_TOKENS = ("integers", "counting", "far", "normal", "large")
_PLACES = {"pos": _TOKENS}
_FREQUENCIES = {"omega": ("integers", "normal", "small", "constant", "zeros")}

# Optimizer steps -----------------------------------------------------------------------------------------------------

# Every dtype holds these, and so do the complements that a step computes from them.
_DECAYS = (0.5, 0.875, 0.9375, 0.99609375)
_STEP = {
    "lr": (1.0, 0.125, 2.0**-10),
    "t": (1.0, 2.0, 3.0, 10.0, 1000.0),
    "beta1": _DECAYS,
    "beta2": _DECAYS,
    "eps": (2.0**-17, 0.125, 2.0**-10),
    "weight_decay": (0.5, 0.125, 2.0**-7, 0.0),
    "momentum": (0.5, 0.875, 0.9375),
    "dampening": (0.5, 0.125, 0.0),
}

_OF_ATTENTION = ("multi_head_attention", "pre_norm_block", "post_norm_block", "language_model")
_CONVENTIONS = (
    Convention("linear", "linear", names=_INPUT),
    # PyTorch's attention loses NaN (see `laws_attention`), and so does what is made of it.
    *(Convention(name, name, nan_may_be_lost=True) for name in _OF_ATTENTION),
    _EMBEDDING,
    _LAYER_NORM,
    _RMS_NORM,
    Convention("relu", "relu", names=_INPUT),
    Convention("silu", "silu", names=_INPUT),
    _GELU,
    Convention("swiglu_feed_forward", "swiglu_feed_forward", orders=(swiglu_from_the_activation,)),
    _CROSS_ENTROPY,
    _SOFT_CROSS_ENTROPY,
    Convention("sgd", "sgd", numbers=_STEP),
    Convention("nesterov_sgd", "nesterov_sgd", numbers=_STEP),
    Convention("adam", "adam", numbers=_STEP, kinds={"v": "positive"}),
    Convention("adamw", "adamw", numbers=_STEP, kinds={"v": "positive"}),
    Convention("clip_grad_norm", "clip_grad_norm", numbers={"max_norm": (1.0, 0.5, 8.0, 1000.0), "eps": _EPSILONS}),
    Convention("add_layer_norm", "add_layer_norm", numbers={"eps": _EPSILONS}),
    Convention("add_rms_norm", "add_rms_norm", numbers={"eps": _EPSILONS}),
    Convention("rope", "rope", regimes=_PLACES | _FREQUENCIES),
    Convention("sinusoidal", "sinusoidal", regimes=_PLACES | _FREQUENCIES),
    Convention("alibi", "alibi", regimes={"pos_q": _TOKENS, "pos_k": _TOKENS}),
    Convention("geometric", "geometric", numbers={"base": (2.0, 16.0, 1024.0)}),
)
TORCH_CONVENTIONS: Mapping[str, Convention] = MappingProxyType({c.name: c for c in _CONVENTIONS})
