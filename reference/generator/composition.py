"""From a composition to the source of its functions: definitions as usual, calls of the functions of the parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...derivations.calculus.call import Call
from ...derivations.calculus.composite import Composition, Step
from ...derivations.calculus.expr import Entry, Index, Tensor, tensors
from ...derivations.calculus.operation import Operation
from ...derivations.calculus.program import Def
from .code import CannotGenerate, Code, Context, aligned
from .functions import Signature, context_of, definition_lines, given_lines, jvp_signature, value_and_vjp_signature
from .layout import INDENT, WIDTH, call_lines, comment_lines, import_lines

SUFFIX = {"value": "", "vjp": "_vjp", "jvp": "_jvp"}
Shown = Callable[[Tensor, Entry], str]  # an argument of a part, as code


def value_and_vjp_composition(op: Operation) -> Composition:
    """The steps of a composition, then those of its gradients; the outputs of both."""
    backward = op.composed_vjp
    assert op.composition is not None
    assert backward is not None
    outputs = (*op.composition.outputs, *backward.outputs)
    return Composition(backward.name, backward.inputs, backward.steps, outputs)


def compositions_of(op: Operation) -> dict[str, Composition]:
    """What the functions of an operation are made of, if it is a composition; by name."""
    if op.composition is None:
        return {}
    whole, tangents = value_and_vjp_composition(op), op.composition.jvp(op.differentiable)
    return {op.name: op.composition, value_and_vjp_signature(op).name: whole, jvp_signature(op).name: tangents}


def functions_called(compositions: Sequence[Composition]) -> dict[str, tuple[str, ...]]:
    """The functions of the parts that some compositions call, by the file that they are in."""
    found: dict[str, dict[str, None]] = {}
    for composition in compositions:
        for step in needed(composition):
            if isinstance(step, Call):
                name = f"{step.part.name}{SUFFIX[step.kind]}"
                found.setdefault(file_of(name, composed=step.part.composed), {})[name] = None
    return {file: tuple(sorted(names)) for file, names in sorted(found.items())}


def imports_of_parts(compositions: Sequence[Composition], package: str) -> list[str]:
    """The imports of the functions that compositions call."""
    called = functions_called(compositions)
    between = "" if package.endswith(".") else "."
    return [line for part, names in called.items() for line in import_lines(f"{package}{between}{part}", names)]


def file_of(function: str, *, composed: bool) -> str:
    """The file of a function: that of its operation, but for Hessian-vector products, and for the tangents of
    compositions, whose parameters make long files."""
    if function.endswith("_hvp") or (composed and function.endswith("_jvp")):
        return function
    return re.sub("_(value_and_vjp|vjp|jvp)$", "", function)


def composition_lines(composition: Composition, signature: Signature) -> list[str]:
    """One statement for each step that an output needs."""
    context = context_of(composition.opaque, signature)
    lines = given_lines(signature, context)
    for step in needed(composition):
        if isinstance(step, Def):
            lines += definition_lines(step, composition.opaque, signature, context)
        else:
            lines += CallWriter(step, signature, context).lines()
    return lines


def needed(composition: Composition) -> list[Step]:
    """The steps that an output needs."""
    wanted = set(composition.outputs)
    kept: list[Step] = []
    for step in reversed(composition.steps):
        if isinstance(step, Def):
            if step.tensor in wanted:
                wanted |= set(tensors(step.value))
                kept.append(step)
        elif wanted.intersection(step.made):
            wanted |= {entry.tensor for entry in step.arguments.values()}
            kept.append(step)
    return kept[::-1]


@dataclass(frozen=True)
class CallWriter:
    """Writes the call of a part's function, or the loop over layers.

    Attributes:
        labels: the names of the axes of each tensor, for a bound, in which values carry their errors; None for the
            functions themselves.
    """

    call: Call
    signature: Signature
    context: Context
    labels: Mapping[Tensor, tuple[str, ...]] | None = None

    def lines(self) -> list[str]:
        """The statements, after the call in index notation as a comment, if that says more than they do."""
        lines = comment_lines(described(self.call)) if self.call.over else []
        if self.call.carry:
            return [*lines, *self._layers()]
        names = [self.call.results[t].name if t in self.call.results else "_" for t in self.call.program.outputs]
        return [*lines, *self._statement(names, self._argument)]

    @property
    def function(self) -> str:
        """The name of the part's function."""
        return f"{self.call.part.name}{SUFFIX[self.call.kind]}"

    def _statement(self, names: Sequence[str], shown: Shown, layer: Index | None = None) -> list[str]:
        """One call; in a bound all arguments go by keyword, and the axes of the results are named."""
        if self.labels is None:
            return call_lines(f"{', '.join(names)} = {self.function}", self.arguments(shown))
        axes = []
        for tensor in self.call.program.outputs:
            result = self.call.results.get(tensor)
            own = () if result is None else self.labels[result]
            drop = layer is not None and result is not None and layer in self.call.axes(tensor)
            axes.append("None" if result is None else f'"{" ".join(own[1:] if drop else own)}"')
        keywords = [f"{t.name}={shown(t, entry)}" for t, entry in self.call.arguments.items()]
        targets = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
        named = f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"
        if len(named) > WIDTH - 4 * INDENT:
            lines = ["axes = (", *(f"    {one}," for one in axes), ")"]
            arguments = ["fl", self.function, f"{self.function}_bound", "axes", *keywords]
            return [*lines, *call_lines(f"{targets} = call", arguments)]
        return call_lines(f"{targets} = call", ["fl", self.function, f"{self.function}_bound", named, *keywords])

    def arguments(self, shown: Shown) -> list[str]:
        """What the function is called with: required arguments by position, the others by keyword.

        Raises:
            CannotGenerate: a required cotangent is missing.
        """
        call, part = self.call, self.call.part
        required = [t for t in part.program.inputs if t not in part.defaults]
        if call.kind == "vjp":
            required.append(part.cotangent(part.program.outputs[0]))
        if call.kind == "jvp":
            required += [part.tangent(t) for t in part.differentiable if t not in part.defaults]
        positional = []
        for tensor in required:
            entry = call.arguments.get(tensor)
            if entry is not None:
                positional.append(shown(tensor, entry))
            elif call.kind == "jvp":
                still = next(t for t in part.differentiable if part.tangent(t) == tensor)
                positional.append(f"0.0 * {shown(still, call.arguments[still])}")
            else:
                raise CannotGenerate(f"{part.name}: no argument {tensor.name}")
        given = [(t, entry) for t, entry in call.arguments.items() if t not in required]
        return [*positional, *(f"{t.name}={shown(t, entry)}" for t, entry in given)]

    def _argument(self, tensor: Tensor, entry: Entry) -> str:
        """An argument as an array with the axes of the call and those of the part's own."""
        plain = tuple(ix for ix in entry.indices if isinstance(ix, Index))
        leading = tuple(ix for ix in plain if ix in self.call.over)
        if len(plain) - len(leading) != len(tensor.dims) and leading != self.call.over:
            raise CannotGenerate(f"{entry}: as an argument of {self.call.part.name} it would have to broadcast")
        over = leading if tensor in self._parameters() else self.call.over
        code = aligned(Code(entry.tensor.name, plain), (*over, *plain[len(leading) :]))
        if code.text != entry.tensor.name and (entry.tensor in self.context.optional or self.labels is not None):
            raise CannotGenerate(f"{entry}: an argument that lacks an axis of the call")
        return code.text

    def _parameters(self) -> frozenset[Tensor]:
        """The inputs without batch dimensions: parameters, and their tangents."""
        part = self.call.part
        if self.call.kind != "jvp":
            return part.shared
        return part.shared | {part.tangent(t) for t in part.differentiable if t in part.shared}

    # Layers ---------------------------------------------------------------------------------------------------------

    def _layers(self) -> list[str]:
        """A loop over the layers; backwards for the vector-Jacobian product.

        Raises:
            CannotGenerate: what is carried is not the first result.
        """
        call = self.call
        ((carried, output),) = call.carry.items()
        name, (layer,), outputs = call.results[output].name, call.over, call.program.outputs
        stacked = [t for t in outputs if t in call.results and t != output]
        if outputs[0] != output or outputs[1:] != tuple(stacked):
            raise CannotGenerate(
                f"{call.part.name}: layers give one result that is carried, and then stacks of the others"
            )

        place = "layer" if self.labels is None else "place"

        def shown(tensor: Tensor, entry: Entry) -> str:
            if tensor == carried:
                return name
            if layer not in entry.indices:
                return entry.tensor.name
            listed = self.labels is None or entry.tensor not in self.signature.inputs
            return f"{entry.tensor.name}[{place}]" if listed else f"layer({entry.tensor.name}, place)"

        size = next(e.tensor.name for e in call.arguments.values() if e.tensor in self._stacks(layer))
        layers = f"range({size}.shape[0])"
        lines = [f"{name} = {call.arguments[carried].tensor.name}"]
        lines += [] if call.trace is None else [f"{call.trace.name} = []"]
        lines += ["parts = []"] if stacked else []
        lines.append(f"for {place} in {f'reversed({layers})' if call.kind == 'vjp' else layers}:")
        lines += [] if call.trace is None else [f"    {call.trace.name}.append({name})"]
        targets = [name, *(["*gradients"] if stacked else [])]
        lines += [f"    {line}" for line in self._statement(targets, shown, layer)]
        if stacked:
            lines.append("    parts.append(gradients)")
            lines += ["parts.reverse()"] if call.kind == "vjp" else []
            for number, tensor in enumerate(stacked):
                made = f"[part[{number}] for part in parts]"
                stack = f"xp.stack({made})" if self.labels is None else f'stacked(fl, {made}, "{layer.name}")'
                lines.append(f"{call.results[tensor].name} = {stack}")
        return lines

    def _stacks(self, layer: Index) -> list[Tensor]:
        """The arguments that hold something for each layer, among those of the function."""
        entries = self.call.arguments.values()
        return [e.tensor for e in entries if layer in e.indices and e.tensor in self.signature.inputs]


def described(call: Call) -> str:
    """A call as a reader would write it: `o[g] = attention(q[g], k[g], v[g])`."""

    def at(name: str, indices: Sequence[Index]) -> str:
        return f"{name}[{', '.join(ix.name for ix in indices)}]" if indices else name

    results = ", ".join(at(name.name, call.axes(t)) for t, name in call.results.items())
    arguments = [at(e.tensor.name, [ix for ix in e.indices if ix in call.over]) for e in call.arguments.values()]
    text = f"{results} = {call.part.name}{SUFFIX[call.kind]}({', '.join(arguments)})"
    if not call.carry:
        return text
    (layer,) = call.over
    return f"{text}, layer by layer {'from the last' if call.kind == 'vjp' else 'from the first'} {layer.name} on"
