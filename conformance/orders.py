"""Further orders of evaluation: how far gradients may be off that are computed in another order than the reference's.

Two formulas that are equal for real numbers round differently. Where implementations are known to use another one than
that which the derivation differentiates to, its bound is written here in the same arithmetic, and the larger of the two
bounds counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference.bounded import Bounded
from ..reference.rounding import Rounding
from .conventions import Arguments
from .generic_profiles import ERF, SAVED
from .problems import OUTPUT, Problem, Values
from .profiles import Precision
from .values import Array

_CUBIC = 0.044715


def gelu_from_one_plus_tanh(problem: Problem, arguments: Arguments, precision: Precision) -> Values:
    """y = x/2·(1 + tanh u) and its gradient: far out on the left 1 + tanh u has no digits left."""
    if ERF not in precision or problem.context["approximate"] != "tanh":
        return Values({}, {})
    fl = Rounding(precision, arguments["x"])
    x = fl.given(arguments["x"], "c")
    root = fl.constant((2 / np.pi) ** 0.5)
    t = fl.tanh(root * (x + fl.inexact(_CUBIC * x**3)))
    y = fl.output("y", 0.5 * x * (1 + t), "c").total
    if not problem.requires_grad:
        return Values({OUTPUT: y}, {})
    slope = root * (1 + fl.inexact(3 * _CUBIC * x**2))
    dy = fl.given(problem.cotangent, "c")
    dx = fl.output("dx", dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * slope), "c").total
    return Values({OUTPUT: y}, {"input": dx})


def layer_norm_from_sums(problem: Problem, arguments: Arguments, precision: Precision) -> Values:
    """dx = rstd·g + b·x + c and dweight = Σ dy·(rstd·x − rstd·mean), with b and c from Σ g·x and Σ g.

    Where the mean is far larger than the deviation, what cancels in these is far larger than what is left.
    """
    if not problem.requires_grad:
        return Values({}, {})
    fl = Rounding(precision, arguments["x"])
    given, width = arguments["x"], arguments["x"].shape[-1]
    x, dy = fl.given(given, "f"), fl.given(problem.cotangent, "f")
    weight = fl.given(arguments.get("weight", np.ones(width)), "f")
    mean = fl.step("mean", fl.sum(x, "f") / width, "", row=True)
    centred = fl.step("centred", x - mean, "f")
    var = fl.step("var", fl.sum(centred**2, "f") / width, "")
    rstd = fl.step("rstd", 1 / fl.sqrt(var + arguments["eps"]), "", row=True)
    g = weight * dy
    of_products, of_cotangents = fl.sum(g * x, "f"), fl.sum(g, "f")
    b = (of_cotangents * mean - of_products) * rstd**3 / width
    c = -(b * mean) - of_cotangents * rstd / width
    gradients = {"input": fl.output("dx", fl.total(rstd * g, b * x, c), "f").total}
    if "weight" in arguments:
        gradients["weight"] = fl.output("dweight", dy * (rstd * x - rstd * mean), "f", shared=True).total
    return Values({}, gradients)


def swiglu_from_the_activation(problem: Problem, arguments: Arguments, precision: Precision) -> Values:
    """dg = da·silu′(g) with da = dm·u, the gradient of the activation, which is kept as each step of the chain rule is.

    Where silu′ is small, da is far larger than dg, and may overflow.
    """
    if SAVED not in precision or not problem.requires_grad:
        return Values({}, {})
    fl = Rounding(precision, arguments["x"])
    names = (("x", "i c"), ("w", "c f"), ("v", "c f"), ("w_2", "f e"))
    x, w, v, w_2 = (fl.given(arguments[name], axes) for name, axes in names)
    dy = fl.given(problem.cotangent, "i e")
    g = fl.step("g", fl.matmul(x, w, "c"), "i f")
    u = fl.step("u", fl.matmul(x, v, "c"), "i f")
    s = fl.step("s", fl.sigmoid(g), "i f")
    a = fl.step("a", g * s, "i f")
    dm = fl.step("dm", fl.matmul(dy, w_2, "e"), "i f")
    du = fl.step("du", a * dm, "i f")
    da = fl.step(SAVED, dm * u, "i f")
    dg = fl.step("dg", da * (s + a * fl.sigmoid(-g)), "i f")
    gradients = {
        "x": fl.output("dx", fl.matmul(du, v, "f") + fl.matmul(dg, w, "f"), "i c").total,
        "w": fl.output("dw", fl.matmul(x, dg, "i"), "c f", shared=True).total,
    }
    return Values({}, {name: bound for name, bound in gradients.items() if name in problem.requires_grad})


def cross_entropy_from_log_probabilities(problem: Problem, arguments: Arguments, precision: Precision) -> Values:
    """The loss from log-probabilities, which are kept, and dx = dlogp − exp(logp)·Σ dlogp from the same.

    The rounding error of log p, which is relative to it, moves the exponent. The part of the loss that label smoothing
    spreads over the classes is summed, over the rows too, before it is divided by their number: that may overflow.
    """
    x = arguments["x"]
    rows, classes = x.shape
    fl = Rounding(precision, x)
    m, logits = fl.largest("m", fl.given(x, "i v"), "v")
    z = fl.step("z", fl.sum(fl.step("a", fl.exp(logits - m), "i v"), "v"), "i")
    lse = fl.step("lse", m + fl.log(z), "i", row=True)
    logp = fl.step(SAVED, logits - lse, "i v")
    weight = np.broadcast_to(arguments.get("weight", np.ones(classes)), x.shape)
    smoothing = arguments.get("smoothing", 0.0)
    hard = arguments["y"] if "y" in arguments else 1.0 * (arguments["target"][:, None] == np.arange(classes))
    share = _share_of_the_loss(problem, arguments)
    # What the loss is made of: coefficients of log p in the rows, and what a row counts.
    parts = [(hard, 1 - smoothing), *([(np.ones(x.shape), smoothing / classes)] if smoothing else [])]
    outputs: dict[str, Array] = {}
    if smoothing or "y" in arguments:
        whole = problem.context["reduction"] != "none"
        counted = float(share.max(initial=0.0)) if whole else 1.0
        loss: Any = 0.0
        for coefficients, factor in parts:
            weighted = fl.step(SAVED, fl.given(-coefficients * (share > 0)[:, None], "i v") * logp, "i v")
            part = fl.step(SAVED, fl.sum(weighted * fl.given(weight, "i v"), "v"), "i")
            if whole:
                part = fl.step(SAVED, fl.inexact(fl.step(SAVED, fl.sum(part, "i"), "") * counted, 2), "")
            loss = loss + fl.inexact(part * factor, 2)
        outputs = {OUTPUT: fl.output("mean" if whole else "loss", loss, "" if whole else "i").total}
    if not problem.requires_grad:
        return Values(outputs, {})
    p = fl.step("p", fl.exp(logp), "i v", within=1)
    dlogp: Any = 0.0
    for coefficients, factor in parts:
        dloss = fl.given(np.broadcast_to(factor * problem.cotangent * share, (rows,)), "i")
        dloss = fl.step(SAVED, fl.inexact(dloss, 3), "i")
        dlogp = dlogp + _product_of_three(fl, fl.given(-weight, "i v"), fl.given(coefficients, "i v"), dloss)
    gradients = {"input": fl.output("dx", dlogp - p * fl.sum(dlogp, "v"), "i v").total}
    if "y" in arguments:
        dloss = fl.given(np.broadcast_to(problem.cotangent * share, (rows,)), "i")
        dloss = fl.step(SAVED, fl.inexact(dloss, 3), "i")
        scaled = fl.step(SAVED, fl.given(-weight, "i v") * dloss, "i v")
        gradients["target"] = fl.output("dy", scaled * logp, "i v").total
    return Values(outputs, {name: x for name, x in gradients.items() if name in problem.requires_grad})


def _product_of_three(fl: Rounding, *factors: Bounded) -> Bounded:
    """With the product of two of them kept, which may leave the normal numbers of the dtype: the worst two count."""
    products = [
        fl.step(SAVED, fl.step(SAVED, x * y, "i v") * z, "i v")
        for x, y, z in (factors, factors[1:] + factors[:1], factors[2:] + factors[:2])
    ]
    return products[0].but(error=np.maximum.reduce([product.total for product in products]))


def _share_of_the_loss(problem: Problem, arguments: Arguments) -> Array:
    """What the loss of each row counts in the output, before its class weight."""
    keep = np.asarray(arguments.get("keep", np.ones(len(arguments["x"]), np.bool_)))
    if problem.context["reduction"] != "mean":
        return keep.astype(np.float64)
    counted = keep.astype(np.float64)
    if "y" not in arguments and "weight" in arguments:
        counted = counted * arguments["weight"][arguments["target"]]
    return np.asarray(keep / counted.sum())
