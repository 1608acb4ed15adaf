"""The same gradients by tensorgrad, in an environment of its own: what `lemmata.benchmarks.derive` runs there.

    PYTHON derive_tensorgrad.py PROBLEM FORM WARM

prints as JSON the processor seconds of the first derivation and simplification in this process, and of WARM more. FORM
is `simplify` (until nothing changes) or `full_simplify` (which multiplies out as well, its default). tensorgrad is a
library for symbolic derivatives of tensor networks (T. Ahle, AGPL-3.0). Derivatives are lazy there: `grad` writes the
derivative down and `simplify` works it out. Each problem is built anew every time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import tensorgrad.functions as tg
from tensorgrad import Ones, Variable, symbols

n, m, d, d_v, V = symbols("n m d d_v V")
Problem = tuple[Any, list[Any]]  # a number, and what it is differentiated by


def softmax() -> Problem:
    """⟨softmax(x), dp⟩ by x."""
    x, dp = Variable("x", i=n), Variable("dp", i=n)
    return tg.sum(tg.softmax(x, dim="i") * dp), [x]


def cross_entropy() -> Problem:
    """Cross-entropies of rows with any targets y, weighted by dloss, by the logits."""
    x, y, dloss = Variable("x", i=n, v=V), Variable("y", i=n, v=V), Variable("dloss", i=n)
    return tg.sum(tg.cross_entropy(x, y, dim="v") * dloss), [x]


def attention() -> Problem:
    """⟨softmax(QKᵀ) V, dO⟩ by Q, K and V."""
    q, k, v = Variable("q", i=n, c=d), Variable("k", j=m, c=d), Variable("v", j=m, e=d_v)
    do = Variable("do", i=n, e=d_v)
    output = tg.dot(tg.softmax(tg.dot(q, k, "c"), dim="j"), v, "j")
    return tg.sum(output * do), [q, k, v]


def layer_norm() -> Problem:
    """⟨layer norm, dy⟩ by the features, the scale and the bias."""
    x, dy, eps = Variable("x", i=n, c=d), Variable("dy", i=n, c=d), Variable("eps")
    weight, bias = Variable("weight", c=d), Variable("bias", c=d)
    centred = x - tg.mean(x, dim="c", keepdims=True)
    var = tg.mean(centred * centred, dim="c", keepdims=True)
    y = centred * tg.pow(var + eps * Ones(i=n, c=d), Fraction(-1, 2)) * weight + bias
    return tg.sum(y * dy), [x, weight, bias]


PROBLEMS: Mapping[str, Callable[[], Problem]] = {
    "softmax": softmax,
    "cross_entropy": cross_entropy,
    "attention": attention,
    "layer_norm": layer_norm,
}


def unexpanded(derivative: Any) -> Any:
    """`simplify` until nothing changes."""
    while (simpler := derivative.simplify()) != derivative:
        derivative = simpler
    return derivative


FORMS: Mapping[str, Callable[[Any], Any]] = {
    "simplify": unexpanded,
    "full_simplify": lambda derivative: derivative.full_simplify(),
}


def measure(problem: str, form: str) -> float:
    """Processor seconds of one problem from its definition to all its gradients."""
    start = time.process_time()
    loss, inputs = PROBLEMS[problem]()
    for tensor in inputs:
        FORMS[form](loss.grad(tensor))
    return time.process_time() - start


if __name__ == "__main__":
    name, wanted, warm = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(json.dumps([measure(name, wanted) for _ in range(1 + warm)]))
