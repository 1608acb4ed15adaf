"""Functions of programs that are not those of an operation, with its calling convention: its planted faults.

They are made in one file, to be imported once: without docstrings and chunks, which nobody would read or use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...derivations.calculus.composite import Composition
from ...derivations.calculus.expr import Tensor
from ...derivations.calculus.operation import Operation
from ...derivations.calculus.program import Program
from .code import CannotGenerate
from .composition import composition_lines, imports_of_parts
from .functions import Signature, argument_list, body_lines, forward_signature, vjp_signature, with_namespace
from .helpers import helpers
from .memory import reuse_helpers
from .module import PACKAGE
from .pairs import KEYWORD, inner_signature, joining_lines, outer_signature, split_lines

_HEAD = (
    "from __future__ import annotations\n\nimport math\nfrom typing import Any\n\nimport numpy as np\n\nArray = Any\n"
)


@dataclass(frozen=True)
class Variant:
    """A function to be made: of a program in the place of the forward one of an operation, or of its gradient's.

    `extra` are inputs that it has besides those of the operation.
    """

    name: str
    program: Program | Composition
    gradient: bool
    extra: tuple[Tensor, ...] = ()


def variants_module(op: Operation, variants: Sequence[Variant]) -> tuple[str, frozenset[str]]:
    """The source of a file with the functions, and the names of those that have one.

    A program that the generator has no array form for is left out.
    """
    signatures = {False: forward_signature(op)}
    if op.differentiable:
        signatures[True] = vjp_signature(op)
    functions: dict[str, str] = {}
    known: dict[Any, dict[Any, list[str]]] = {}
    for variant in variants:
        lines = known.setdefault((variant.gradient, variant.extra), {})
        try:
            functions[variant.name] = _function(op, variant, signatures[variant.gradient], lines)
        except CannotGenerate:
            continue
    text = "\n\n".join(functions.values())
    made = [v.program for v in variants if v.name in functions and isinstance(v.program, Composition)]
    head = "\n".join((_HEAD, *imports_of_parts(made, PACKAGE)))
    return "\n\n".join((head, text, *helpers(text), *reuse_helpers(text))), frozenset(functions)


def _function(op: Operation, variant: Variant, signature: Signature, known: dict[Any, list[str]]) -> str:
    signature = inner_signature(op, replace(signature, name=variant.name))
    signature = replace(signature, required=(*signature.required, *variant.extra))
    outer = outer_signature(op, signature)
    if isinstance(variant.program, Composition):
        made = composition_lines(variant.program, signature)
    else:
        made = body_lines(variant.program, signature, reuse=False, known=known)
    code = [*split_lines(op, signature, made, helper="_halves"), *made, *joining_lines(op, signature)]
    code = with_namespace(code, outer)
    arguments = ", ".join(argument_list(outer, [KEYWORD] if op.pairs else []))
    lines = [f"def {variant.name}({arguments}):", *(f"    {line}" for line in code)]
    return "\n".join([*lines, f"    return {', '.join(t.name for t in outer.outputs)}"]) + "\n"
