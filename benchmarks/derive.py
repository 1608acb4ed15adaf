"""How fast gradients are derived, against tensorgrad (PyPI), in one run on one machine.

    python -m lemmata.benchmarks.derive [--json FILE] [--rounds N] [--peer PYTHON]

Problems: the gradients of softmax, of cross-entropy, of attention (dQ, dK, dV) and of layer norm, from the definitions
of their papers. The shift by the maximum, which evaluation needs and the peer does not know, is on neither side.

- Ours, *derived and proved*: reverse-mode differentiation of the program, and the proof, for every size, that each
  gradient equals its closed form (`p ∘ (dp − ⟨p, dp⟩)` and so on).
- tensorgrad's `full_simplify()`: its derivative, simplified until nothing changes, products of sums multiplied out;
  and `simplify()` until nothing changes, which does less. Neither is a proof, and neither knows a closed form.

Also timed, for information: our *factored* form, which is found without a closed form, proved equal and compiled to the
reference; and the independent evaluation of the closed forms with 50 digits, which a verdict adds to the proof.

A process of its own runs each problem: once *cold* (the first thing after the imports, which are not counted), then
*warm*, several times more. The processes of both sides take turns; the figures are processor time, one thread, medians
over the rounds. tensorgrad runs in an environment of its own, made under `build/` on the first run with this
interpreter's SymPy, NumPy and PyTorch, because it pins another version of NetworkX than the project is tested with.

The exit status is 1 if *derived and proved* takes more than a tenth of either form on some problem, cold or warm.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .attention import THREADS, about

if TYPE_CHECKING:
    from ..derivations.calculus.expr import Entry, Expr, Index
    from ..derivations.calculus.program import Program

LARGEST_RATIO = 0.1
ROUNDS, WARM = 5, 5
# The peer, with what it needs besides SymPy, NumPy and PyTorch.
PEER = "tensorgrad==0.3.0"
PEER_NEEDS = ("networkx==3.2.1", "opt_einsum==3.4.0", "pdf2image==1.17.0")
ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / "build" / "tensorgrad"
PEER_SCRIPT = Path(__file__).with_name("derive_tensorgrad.py")
PEER_FORMS = ("full_simplify", "simplify")

# A program, and for each gradient its entry and its closed form.
Problem = tuple["Program", "dict[Entry, Expr]"]


def softmax() -> Problem:
    """dx = p ∘ (dp − ⟨p, dp⟩)."""
    from ..derivations.calculus.expr import Dim, Index, Tensor, exp, total
    from ..derivations.calculus.program import Def, Program

    n = Dim("n")
    i, j = Index("i", n), Index("j", n)
    x, a, p, z = Tensor("x", (n,)), Tensor("a", (n,)), Tensor("p", (n,)), Tensor("z")
    dx, dp = Tensor("dx", (n,)), Tensor("dp", (n,))
    steps = (Def(a[i], exp(x[i])), Def(z[()], total(j, a[j])), Def(p[i], a[i] / z[()]))
    program = Program("softmax", (x,), steps, (p,))
    value = program.inline
    return program, {dx[i]: value(p[i]) * (dp[i] - total(j, value(p[j]) * dp[j]))}


def cross_entropy() -> Problem:
    """dx = dloss (p Σ_u y[u] − y) for any targets y."""
    from ..derivations.calculus.expr import Dim, Index, Tensor, exp, log, total
    from ..derivations.calculus.program import Def, Program

    n, V = Dim("n"), Dim("V")
    i, u, v = Index("i", n), Index("u", V), Index("v", V)
    x, y, loss, dloss = Tensor("x", (n, V)), Tensor("y", (n, V)), Tensor("loss", (n,)), Tensor("dloss", (n,))
    lse, dx = Tensor("lse", (n,)), Tensor("dx", (n, V))
    steps = (
        Def(lse[i], log(total(u, exp(x[i, u])))),
        Def(loss[i], -total(v, y[i, v] * (x[i, v] - lse[i]))),
    )
    program = Program("cross_entropy", (x, y), steps, (loss,))
    p = exp(x[i, v] - program.inline(lse[i]))
    return program, {dx[i, v]: dloss[i] * (p * total(u, y[i, u]) - y[i, v])}


def attention() -> Problem:
    """dV = Pᵀ dO, dQ = dS K, dK = dSᵀ Q with dS = P ∘ (dO Vᵀ − rowsum(dO ∘ O))."""
    from ..derivations.calculus.expr import Dim, Index, Tensor, exp, total
    from ..derivations.calculus.program import Def, Program

    n, m_dim, d, d_v = Dim("n"), Dim("m"), Dim("d", grows=False), Dim("d_v", grows=False)
    i, j, c, e = Index("i", n), Index("j", m_dim), Index("c", d), Index("e", d_v)
    q, k, v = Tensor("q", (n, d)), Tensor("k", (m_dim, d)), Tensor("v", (m_dim, d_v))
    s, p, a = (Tensor(name, (n, m_dim)) for name in "spa")
    z, o, do = Tensor("z", (n,)), Tensor("o", (n, d_v)), Tensor("do", (n, d_v))
    steps = (
        Def(s[i, j], total(c, q[i, c] * k[j, c])),
        Def(a[i, j], exp(s[i, j])),
        Def(z[i], total(j, a[i, j])),
        Def(p[i, j], a[i, j] / z[i]),
        Def(o[i, e], total(j, p[i, j] * v[j, e])),
    )
    program = Program("attention", (q, k, v), steps, (o,))
    value = program.inline
    ds = value(p[i, j]) * (total(e, do[i, e] * v[j, e]) - total(e, do[i, e] * value(o[i, e])))
    dq, dk, dv = (Tensor(f"d{tensor.name}", tensor.dims) for tensor in (q, k, v))
    return program, {
        dq[i, c]: total(j, ds * k[j, c]),
        dk[j, c]: total(i, ds * q[i, c]),
        dv[j, e]: total(i, value(p[i, j]) * do[i, e]),
    }


def layer_norm() -> Problem:
    """dx = rstd (g − mean(g) − xhat mean(g ∘ xhat)) with g = dy ∘ weight; dweight = dy ∘ xhat; dbias = dy."""
    from ..derivations.calculus.expr import Size, Tensor, total
    from ..derivations.norm import LAYER_NORM
    from ..derivations.norm_program import bias, c, f, rstd, weight, x, xhat

    program = LAYER_NORM.program
    value, size = program.inline, Size(x.dims[0])
    dy, dx = Tensor("dy", x.dims), Tensor("dx", x.dims)
    dweight, dbias = (Tensor(f"d{tensor.name}", tensor.dims) for tensor in (weight, bias))

    def g(k: Index) -> Expr:
        return dy[k] * weight[k]

    def hat(k: Index) -> Expr:
        return value(xhat[k])

    return program, {
        dx[c]: value(rstd[()]) * (g(c) - total(f, g(f)) / size - hat(c) * total(f, g(f) * hat(f)) / size),
        dweight[c]: dy[c] * hat(c),
        dbias[c]: dy[c],
    }


PROBLEMS: Mapping[str, Callable[[], Problem]] = {
    "softmax": softmax,
    "cross_entropy": cross_entropy,
    "attention": attention,
    "layer_norm": layer_norm,
}
PARTS = ("derived and proved", "factored", "evaluated")


def measure(name: str) -> dict[str, float]:
    """Processor seconds of one problem: derivation with proof, factored form, independent evaluation.

    Raises:
        AssertionError: a gradient is not proved, or the evaluation sees it differ.
    """
    from ..derivations.calculus.counterexample import search
    from ..derivations.calculus.differentiate import vjp
    from ..derivations.calculus.prove import POINTS, decide
    from ..derivations.calculus.simplify import simplify
    from ..derivations.calculus.statement import Equal

    start = time.process_time()
    program, closed = PROBLEMS[name]()
    inputs = [program.tensor(entry.tensor.name.removeprefix("d")) for entry in closed]
    derived = vjp(program, inputs)
    claims = [Equal(derived.inline(entry), form) for entry, form in closed.items()]
    reasons = [decide(claim) for claim in claims]
    proved = time.process_time()
    assert not any(reasons), reasons
    simplify(derived, program)
    factored = time.process_time()
    evidence = [search(claim, 0, POINTS) for claim in claims]
    evaluated = time.process_time()
    assert all(found.counterexample is None and found.agreed for found in evidence)
    return dict(zip(PARTS, (proved - start, factored - proved, evaluated - factored), strict=True))


def _ours(name: str, warm: int) -> list[dict[str, float]]:
    """In this process: the first measurement is the cold one."""
    import lemmata.derivations.norm  # noqa: F401

    return [measure(name) for _ in range(1 + warm)]


def peer_python() -> Path:
    """The interpreter of the peer's environment, which is made if it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    marker = ENVIRONMENT / PEER
    if not marker.exists():
        print(f"making {ENVIRONMENT} with {PEER}", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", PEER], check=True)
        subprocess.run([*pip, *PEER_NEEDS], check=True)
        # Behind the environment's own packages: SymPy, NumPy and PyTorch of this interpreter, the same on both sides.
        (library,) = (ENVIRONMENT / "lib").glob("python*/site-packages")
        (library / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        marker.touch()
    return python


def _alone(command: list[str]) -> Any:
    done = subprocess.run(command, env={**os.environ, **THREADS}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def compare(peer: Path, rounds: int) -> dict[str, Any]:
    """Medians of cold and warm processor milliseconds of both sides, and the ratios."""
    own = [sys.executable, "-m", "lemmata.benchmarks.derive", "--problem"]
    found: dict[str, Any] = {}
    for name in PROBLEMS:
        seconds: dict[str, dict[str, list[float]]] = {}
        for _ in range(rounds):
            measured: dict[str, list[float]] = {}
            for part in _alone([*own, name]):
                for key, value in part.items():
                    measured.setdefault(key, []).append(value)
            for form in PEER_FORMS:
                measured[f"tensorgrad {form}"] = _alone([str(peer), str(PEER_SCRIPT), name, form, str(WARM)])
            for key, (cold, *warm) in measured.items():
                kept = seconds.setdefault(key, {"cold": [], "warm": []})
                kept["cold"].append(cold)
                kept["warm"] += warm
        times = {key: {k: 1e3 * statistics.median(v) for k, v in kept.items()} for key, kept in seconds.items()}
        ratios = {
            form: {k: times[PARTS[0]][k] / times[f"tensorgrad {form}"][k] for k in ("cold", "warm")}
            for form in PEER_FORMS
        }
        found[name] = {"processor_milliseconds": times, "ratio": ratios}
    return found


def _versions(peer: Path) -> dict[str, str]:
    code = "import importlib.metadata as m, json; print(json.dumps({k: m.version(k) for k in ('tensorgrad', 'sympy')}))"
    found: dict[str, str] = _alone([str(peer), "-c", code])
    return found


def show(result: dict[str, Any]) -> None:
    """The figures as text."""
    about_, peer = result["about"], result["peer"]
    print(f"{about_['processor']}, {about_['cores']} cores; Python {about_['python']}, SymPy {peer['sympy']}")
    print(f"one thread, processor milliseconds, medians of {result['rounds']} processes: cold / warm")
    for name, figures in result["problems"].items():
        print(f"{name}")
        for key, times in figures["processor_milliseconds"].items():
            print(f"  {key:26} {times['cold']:9.1f} / {times['warm']:9.1f}")
        for form, ratio in figures["ratio"].items():
            print(f"  {PARTS[0]} / {form}: {ratio['cold']:.3f} cold, {ratio['warm']:.3f} warm (limit {LARGEST_RATIO})")


def main() -> int:
    """Runs all problems; 1 if the limit is not met."""
    parser = argparse.ArgumentParser(prog="python -m lemmata.benchmarks.derive", description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there as well")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"processes for each problem (default {ROUNDS})")
    parser.add_argument("--peer", metavar="PYTHON", type=Path, help="an interpreter that has tensorgrad")
    parser.add_argument("--problem", choices=tuple(PROBLEMS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.problem is not None:
        print(json.dumps(_ours(arguments.problem, WARM)))
        return 0
    peer = arguments.peer or peer_python()
    result = {
        "about": {**about(), "date": datetime.datetime.now(datetime.UTC).date().isoformat()},
        "peer": _versions(peer),
        "rounds": arguments.rounds,
        "problems": compare(peer, arguments.rounds),
    }
    show(result)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    ratios = [ratio for figures in result["problems"].values() for ratio in figures["ratio"].values()]
    return 0 if all(value <= LARGEST_RATIO for ratio in ratios for value in ratio.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
