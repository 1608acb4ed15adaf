"""The generator on programs that are not ours: what it overwrites, what it bounds, what it says it cannot do."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.call import Call
from lemmata.derivations.calculus.composite import Composition
from lemmata.derivations.calculus.expr import ONE, Dim, Fn, Index, Tensor, at_least, exp, total
from lemmata.derivations.calculus.operation import Input, Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.program_faults import program_faults
from lemmata.derivations.loss import CROSS_ENTROPY
from lemmata.derivations.softmax import SOFTMAX
from lemmata.reference.generator.code import CannotGenerate
from lemmata.reference.generator.module import generate_bounds, generate_module
from lemmata.reference.generator.variants import Variant, variants_module
from lemmata.reference.softmax import softmax
from lemmata.tests.reference.formats import FLOAT32, IN_FLOAT64

Array = Any
n, m, d = Dim("n"), Dim("m"), Dim("d", grows=False)
i, j, c = Index("i", n), Index("j", m), Index("c", d)


def operation(program: Program, inputs: tuple[Tensor, ...], **spec: Input) -> Operation:
    return Operation(program.name, "A program of this test.", program, inputs, tuple, spec, source="none")


def generated(op: Operation, folder: Path) -> ModuleType:
    """The functions of an operation and its bounds, as one module."""
    functions = generate_module((op,), "test_generator.py", "none")
    bounds = generate_bounds((op,), "test_generator.py", "none", "lemmata.reference.rounding")
    path = folder / f"{op.name}.py"
    path.write_text(functions, encoding="utf-8")
    bound_path = folder / f"{op.name}_bound.py"
    bound_path.write_text(bounds, encoding="utf-8")
    module = loaded(path)
    vars(module).update({name: f for name, f in vars(loaded(bound_path)).items() if name.endswith("_bound")})
    return module


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_input_is_not_overwritten_where_an_absent_mask_leaves_it_as_it_is(tmp_path: Path) -> None:
    x, keep, a = Tensor("x", (n,)), Tensor("keep", (n,), "boolean"), Tensor("a", (n,))
    program = Program("masked_exp", (x, keep), (Def(a[i], keep[i] * exp(x[i])),), (a,))
    module = generated(operation(program, (x,), x=Input("numbers"), keep=Input("mask", ONE)), tmp_path)
    numbers = np.array([0.0, 1.0, -2.0])
    np.testing.assert_array_equal(module.masked_exp(numbers), np.exp(numbers))
    np.testing.assert_array_equal(numbers, [0.0, 1.0, -2.0])
    masked = module.masked_exp(numbers, np.array([True, False, True]))
    np.testing.assert_array_equal(masked, np.exp(numbers) * [1.0, 0.0, 1.0])


def test_a_value_that_is_read_again_is_not_overwritten(tmp_path: Path) -> None:
    x, s, a, b = (Tensor(name, (n,)) for name in "xsab")
    z = Tensor("z")
    program = Program(
        "read_again",
        (x,),
        (
            Def(s[i], 2 * x[i]),
            Def(z[()], total(i, s[i])),
            Def(a[i], exp(s[i] - z[()])),
            Def(b[i], s[i] * a[i]),
        ),
        (b,),
    )
    module = generated(operation(program, (x,)), tmp_path)
    numbers = np.array([0.5, 0.25, -1.0])
    s_, z_ = 2 * numbers, (2 * numbers).sum()
    error = abs(module.read_again(numbers) - s_ * np.exp(s_ - z_))
    assert (error <= 2 * module.read_again_bound(numbers, precision=IN_FLOAT64)).all()


def square_attention() -> Operation:
    """Attention whose weights are squares of the products."""
    q, k, v = Tensor("q", (n, d)), Tensor("k", (m, d)), Tensor("v", (m, d))
    s, z, p, o = Tensor("s", (n, m)), Tensor("z", (n,)), Tensor("p", (n, m)), Tensor("o", (n, d))
    steps = (
        Def(s[i, j], total(c, q[i, c] * k[j, c])),
        Def(z[i], total(j, s[i, j] ** 2)),
        Def(p[i, j], s[i, j] ** 2 / z[i]),
        Def(o[i, c], total(j, p[i, j] * v[j, c])),
    )
    return operation(Program("square_attention", (q, k, v), steps, (o,)), (q, k, v))


def test_another_attention_is_within_its_bound(tmp_path: Path) -> None:
    module = generated(square_attention(), tmp_path)
    rng = np.random.default_rng(4)
    for _ in range(50):
        sizes = rng.integers(1, 8, 3)
        shapes = [(sizes[0], sizes[2]), (sizes[1], sizes[2]), (sizes[1], sizes[2]), (sizes[0], sizes[2])]
        single = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        double = [x.astype(np.float64) for x in single]
        precision = {"compute": FLOAT32}
        gradients = zip(
            module.square_attention_vjp(*single),
            module.square_attention_vjp(*double),
            module.square_attention_vjp_bound(*double, precision=precision),
            strict=True,
        )
        for narrow, wide, bound in gradients:
            assert (abs(narrow - wide) <= bound).all()
        error = abs(module.square_attention(*single[:3]) - module.square_attention(*double[:3]))
        assert (error <= module.square_attention_bound(*double[:3], precision=precision)).all()


def test_a_mask_that_a_program_defines_is_a_comparison_of_positions(tmp_path: Path) -> None:
    x, past, y = Tensor("x", (m,)), Tensor("past", (m, m), "boolean"), Tensor("y", (m,))
    row = Index("row", m)
    steps = (Def(past[row, j], at_least(row, j)), Def(y[row], total(j, past[row, j] * exp(x[j]))))
    module = generated(operation(Program("past_sum", (x,), steps, (y,)), (x,)), tmp_path)
    single = np.linspace(-3, 2, 7, dtype=np.float32)
    expected = np.cumsum(np.exp(single.astype(np.float64)))
    np.testing.assert_allclose(module.past_sum(single.astype(np.float64)), expected, rtol=1e-14)
    bound = module.past_sum_bound(single.astype(np.float64), precision={"compute": FLOAT32})
    assert bound.shape == expected.shape
    assert (abs(module.past_sum(single) - expected) <= bound).all()
    assert (bound < 1e-4 * expected).all()


def test_a_function_without_a_rounding_rule_is_refused() -> None:
    x, y = Tensor("x", (n,)), Tensor("y", (n,))
    op = operation(Program("gamma", (x,), (Def(y[i], Fn("gamma", x[i])),), (y,)), (x,))
    with pytest.raises(CannotGenerate, match="no rounding rule for gamma"):
        generate_bounds((op,), "test_generator.py", "none", "lemmata.reference.rounding")


def test_an_argument_that_a_definition_of_a_composition_reads_may_be_absent(tmp_path: Path) -> None:
    x, w, p, y = (Tensor(name, (n,)) for name in "xwpy")
    part = SOFTMAX.part
    call = Call(part, "value", (), {part.arguments[0]: x[i]}, {part.program.outputs[0]: p})
    whole = Composition("weighted", (x, w), (call, Def(y[i], w[i] * p[i])), (y,))
    weighted = operation(whole.expanded, (x, w), x=Input("logits"), w=Input("weights", ONE))
    module = generated(replace(weighted, composition=whole), tmp_path)
    logits, weights = np.array([0.5, -1.0, 2.0]), np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(module.weighted(logits), softmax(logits))
    np.testing.assert_array_equal(module.weighted(logits, weights), weights * softmax(logits))
    _, dw = module.weighted_vjp(logits, np.ones(3), w=weights)
    np.testing.assert_array_equal(dw, softmax(logits))


@pytest.mark.parametrize("operation", [ATTENTION, CROSS_ENTROPY], ids=lambda operation: operation.name)
def test_variants_that_are_made_together_are_those_that_are_made_alone(operation: Operation) -> None:
    """Their definitions share what is written of them, as far as it is the same."""
    faults = list(program_faults(operation.vjp))[::9]
    variants = [
        Variant(f"variant_{n}", f.program, True, (f.cut.tensor,) if f.cut else ()) for n, f in enumerate(faults)
    ]
    together, made = variants_module(operation, variants)
    assert len(made) > 20
    for variant in variants:
        if variant.name in made:
            alone, _ = variants_module(operation, [variant])
            assert _source(together, variant.name) == _source(alone, variant.name)


def _source(module: str, name: str) -> str:
    return module[module.index(f"def {name}(") :].partition("\n\n")[0]
