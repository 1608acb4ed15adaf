"""The modules of the engine: no import cycles, and an evaluation that cannot lean on the normal form."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import lemmata.derivations.calculus

FOLDER = Path(lemmata.derivations.calculus.__path__[0])
NORMAL_FORM = {"absorb", "canonical", "elementary", "factor", "functions", "indicators", "intervals", "largest",
               "normal_form", "polynomial", "predicates", "products", "quotients", "signs", "simplify", "sums",
               "tidy", "trigonometry"}  # fmt: skip


def imports() -> dict[str, set[str]]:
    """For each module the modules of the engine that it imports when it is loaded."""
    found = {}
    for path in FOLDER.glob("*.py"):
        nodes = ast.parse(path.read_text(encoding="utf-8")).body
        froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 1]
        found[path.stem] = {node.module for node in froms if node.module}
    return found


def test_there_are_no_cycles() -> None:
    order = list(TopologicalSorter(imports()).static_order())
    assert order.index("index") < order.index("nodes") < order.index("sums") < order.index("prove")


def test_the_search_for_counterexamples_shares_nothing_with_the_normal_form() -> None:
    modules = imports()
    reached, waiting = set(), ["counterexample"]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += modules[module]
    assert "evaluate" in reached
    assert reached.isdisjoint(NORMAL_FORM)
    assert set(modules) >= NORMAL_FORM
