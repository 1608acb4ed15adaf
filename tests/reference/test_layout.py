"""Long lines as the formatter would write them: nothing is longer than a line, and nothing else is computed."""

import ast
import itertools
import subprocess
import sys

import pytest
from lemmata.reference.generator.layout import WIDTH, assignment_lines, call_lines, is_read, return_lines

NAMES = [f"name_{k}" for k in range(14)]
TEXTS = {
    "a sum": " + ".join(f"{a} * {b}" for a, b in itertools.pairwise(NAMES)),
    "a difference": " - ".join(f"xp.exp({n} / 2)" for n in NAMES),
    "a product": " * ".join(f"({n} + 1)" for n in NAMES),
    "a product in a sum": f"name_0 + {' * '.join(f'({n} + 1)' for n in NAMES)}",
    "two long terms": f"{' * '.join(f'({n} + 1)' for n in NAMES)} - {' * '.join(f'({n} - 2)' for n in NAMES)} - name_1",
    "a call": f"_where(name_0, {' + '.join(NAMES)}, 0.0)",
    "a call of calls": f"_where(name_0, _where(name_1, {' + '.join(NAMES)}, 0.0), 0.0)",
    "what may be absent": f"None if name_0 is None else {' + '.join(NAMES)}",
    "a short comparison": "name_0 >= name_1",
    "a comparison": f"{' + '.join(NAMES[:6])} + 1.0 >= {' + '.join(NAMES[6:12])} + 1.0",
    "sides that take a line each": f"{' + '.join(NAMES[:12])} >= {' + '.join(NAMES[:11])} + 2.0",
    "short": "name_0 + name_1",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_lines_compute_the_same_and_are_formatted(text: str) -> None:
    lines = assignment_lines("made", text)
    body = "".join(f"    {line}\n" for line in lines)
    source = f"def f():\n{body}    return made\n"
    assert all(len(line) <= WIDTH for line in source.splitlines())
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--diff", "--line-length", str(WIDTH), "-"]
    done = subprocess.run(ruff, input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    values = {name: 1.5 + 0.25 * k for k, name in enumerate(NAMES)}

    class Namespace:
        """What the texts call."""

        def exp(self, x: float) -> float:
            return 2 * x

    scope = {**values, "xp": Namespace(), "_where": lambda mask, x, other: x if mask else other}
    assert _value(lines, scope) == _value([f"made = {text}"], scope)


def _value(lines: list[str], scope: dict[str, object]) -> object:
    module = ast.parse("\n".join(lines))
    namespace = dict(scope)
    for node in module.body:
        _run(node, namespace)
    return namespace["made"]


def _run(node: ast.stmt, names: dict[str, object]) -> None:
    """Assignments and ifs of arithmetic, the few forms that the lines consist of."""
    if isinstance(node, ast.If):
        for part in node.body if _of(node.test, names) else node.orelse:
            _run(part, names)
        return
    assert isinstance(node, ast.Assign)
    (target,) = node.targets
    assert isinstance(target, ast.Name)
    names[target.id] = _of(node.value, names)


def _of(node: ast.expr, names: dict[str, object]) -> object:
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            return names[name]
        case ast.Attribute(inner, name):
            return getattr(_of(inner, names), name)
        case ast.Call(function, arguments, []):
            called = _of(function, names)
            assert callable(called)
            return called(*(_of(a, names) for a in arguments))
        case ast.Compare(left, [ast.GtE()], [right]):
            a, b = _of(left, names), _of(right, names)
            assert isinstance(a, float)
            assert isinstance(b, float)
            return a >= b
        case ast.Compare(left, [operator], [right]):
            same = _of(left, names) is _of(right, names)
            return same if isinstance(operator, ast.Is) else not same
        case ast.IfExp(test, body, other):
            return _of(body if _of(test, names) else other, names)
        case ast.BinOp(left, operator, right):
            a, b = _of(left, names), _of(right, names)
            assert isinstance(a, float | int)
            assert isinstance(b, float | int)
            table = {ast.Add: a + b, ast.Sub: a - b, ast.Mult: a * b}
            return a / b if isinstance(operator, ast.Div) else table[type(operator)]
        case _:
            raise AssertionError(ast.dump(node))


def test_calls_take_as_few_lines_as_fit() -> None:
    assert call_lines("y = f", ["a", "b"]) == ["y = f(a, b)"]
    assert call_lines("y = f", ["a" * 60, "b" * 48]) == ["y = f(", f"    {'a' * 60}, {'b' * 48}", ")"]
    assert call_lines("y = f", ["a" * 60, "b" * 60]) == ["y = f(", f"    {'a' * 60},", f"    {'b' * 60},", ")"]


def test_results_take_a_line_each_where_they_do_not_fit() -> None:
    assert return_lines(["a", "b"]) == ["return a, b"]
    assert return_lines(["a" * 60, "b" * 60]) == ["return (", f"    {'a' * 60},", f"    {'b' * 60},", ")"]


def test_what_is_read() -> None:
    assert is_read("x", ["y = x.shape[-1]"])
    assert not is_read("x", ["y = x1 + dx", "# x"])
