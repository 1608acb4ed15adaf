"""The node cases of the ONNX standard: the graph that defines an operator, its attributes and inputs.

An operator that ONNX defines as a function of simpler ones comes with a case `…_expanded`, whose model is that function
written out. Those graphs are what the references are compared with, run by ONNX's own evaluator; an operator that is
itself primitive is run as it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
from lemmata.conformance.profiles import CPU_PROFILES, Precision
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator

Array = Any
SEED = 0  # ONNX draws the inputs of some cases from NumPy's global generator
_EXPANDED = "_expanded"


class DoesNotApplyError(Exception):
    """Why a case is not compared."""


@dataclass(frozen=True)
class Case:
    """One case: `inputs` by the operator's own names; `outputs` are the names of those that it returns."""

    name: str
    operator: str
    attributes: Mapping[str, Any]
    inputs: Mapping[str, Array]
    outputs: tuple[str, ...]
    model: onnx.ModelProto
    feeds: Mapping[str, Array]

    @property
    def dtype(self) -> str:
        """The name of the dtype of the first input that is a floating-point number."""
        return next(name for x in self.inputs.values() if (name := str(x.dtype)) in CPU_PROFILES)

    @property
    def precision(self) -> Precision:
        """The formats of a graph of nodes, each of which rounds its result to the dtype."""
        return CPU_PROFILES[self.dtype][-1].precision

    def wide(self, name: str) -> Array:
        """An input in float64, exactly; None if it is absent."""
        x = self.inputs.get(name)
        return None if x is None else np.asarray(x, np.float64)

    def run(self) -> dict[str, Array]:
        """The outputs as ONNX's evaluator computes them."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(self.model).run(None, dict(self.feeds))
        return {name: np.asarray(result) for name, result in zip(self.outputs, results, strict=True)}


Expected = Mapping[str, tuple[Array, Array]]
"""By the name of an output: its value, and the bound on the error of each element."""
Adapter = Callable[[Case], Expected]


@cache
def cases() -> Mapping[str, tuple[Case, ...]]:
    """All cases that are compared or said not to be, by operator."""
    state = np.random.get_state()  # noqa: NPY002 - the generator that ONNX uses
    np.random.seed(SEED)  # noqa: NPY002
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = {case.name: case for case in collect_testcases(None)}
    finally:
        np.random.set_state(state)  # noqa: NPY002
    by_operator: dict[str, list[Case]] = {}
    for name, case in sorted(found.items()):
        single = found.get(name.partition(_EXPANDED)[0])
        if single is None or single.model is None or len(single.model.graph.node) != 1:
            continue
        expanded = [other for other in found if other.startswith(name + _EXPANDED)]
        if expanded:
            continue  # the operator is run by its definition
        node = single.model.graph.node[0]
        by_operator.setdefault(node.op_type, []).append(_case(name, node, case))
    return {operator: tuple(members) for operator, members in by_operator.items()}


def _case(name: str, node: onnx.NodeProto, case: Any) -> Case:
    schema = onnx.defs.get_schema(node.op_type, domain=node.domain)
    feeds = dict(zip((i.name for i in case.model.graph.input), case.data_sets[0][0], strict=True))
    inputs = {
        formal.name: feeds[actual] for formal, actual in zip(schema.inputs, node.input, strict=False) if actual in feeds
    }
    returned = [formal.name for formal, actual in zip(schema.outputs, node.output, strict=False) if actual]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return Case(name, node.op_type, attributes, inputs, tuple(returned), case.model, feeds)
