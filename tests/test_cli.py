"""The command line: what each verb prints and returns, and how it answers a user's mistake."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import lemmata
import pytest
from lemmata.cli import main
from lemmata.derivations.catalogue import TOPICS, topic
from lemmata.listing import Row

OWN = Path(__file__).parent / "user_derivations"
EXAMPLE = Path(__file__).parent.parent / "examples" / "square_sum.py"
SDPA = "torch.nn.functional:scaled_dot_product_attention"
Printed = pytest.CaptureFixture[str]


def run(printed: Printed, *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = printed.readouterr()
    return code, out, err


def python(source: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=cwd)


# check --------------------------------------------------------------------------------------------------------------


def test_check_proves_the_built_in_statements(capsys: Printed, tmp_path: Path) -> None:
    place = tmp_path / "verdict.json"
    code, out, err = run(capsys, "check", "softmax", "attention", "--json", str(place))
    assert (code, err) == (0, "")
    found = json.loads(place.read_text())
    statements = found["statements"]
    assert len(statements) >= 60
    assert [operation["operation"] for operation in found["operations"]] == list(
        dict.fromkeys(statement["operation"] for statement in statements)
    )
    assert sum(operation["statements"] for operation in found["operations"]) == len(statements)
    assert sum(s["seconds"] for s in statements) <= sum(o["seconds"] for o in found["operations"]) <= found["seconds"]
    assert f"{len(statements)} of {len(statements)} statements proved for every size" in out
    for statement in statements:
        assert statement["status"] == "proved"
        assert statement["points"] > 0
        assert statement["counterexample"] is None
        assert {"operation", "label", "name", "seconds", "reason"} <= set(statement)


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("dropped_row_term", ("left  = 0.0", "right = 1.0")),
        ("causal_off_by_one", ("left  = 0.5", "right = 0.0")),
        ("missing_scale", ("left  = 0.0", "right = 1.0")),
        ("not_shift_invariant", ("n = 2", "x[0] = 0; x[1] = 1")),
    ],
)
def test_check_refutes_a_false_statement_of_ones_own(
    capsys: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sides: tuple[str, str]
) -> None:
    shutil.copy(OWN / f"{name}.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "check", f"{name}.py", "--json", "verdict.json")
    assert code == 1
    assert "refuted" in out
    assert "0 of 1 statements proved" in out
    assert all(side in out for side in sides)
    (statement,) = json.loads(Path("verdict.json").read_text())["statements"]
    assert statement["status"] == "refuted"
    found = statement["counterexample"]
    assert found["left"] != found["right"]
    assert set(found) == {"sizes", "values", "at", "left", "right"}
    assert all(size <= 2 for size in found["sizes"].values())


def test_check_proves_true_statements_of_ones_own(capsys: Printed) -> None:
    code, out, _ = run(capsys, "check", str(EXAMPLE))
    assert code == 0
    assert "2 of 2 statements proved" in out


def test_json_to_standard_output_moves_the_words_to_standard_error(capsys: Printed) -> None:
    code, out, err = run(capsys, "check", "logsumexp", "--json", "-")
    assert code == 0
    (logsumexp,) = (op for op in topic("softmax").operations if op.name == "logsumexp")
    assert len(json.loads(out)["statements"]) == len(logsumexp.statements())
    assert "statements proved" in err


# list, derive -------------------------------------------------------------------------------------------------------


WITHOUT_TORCH = """
import sys
for name in ("torch", "triton"):
    sys.modules[name] = None  # importing it raises ImportError
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("torch", "triton") else find(name, *rest)
from lemmata.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyTorch; the second time from what the first has kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # The working tree may be written to meanwhile.
    code = "import lemmata.listing\nlemmata.listing.sources_hash = lambda: '0' * 64\n" + WITHOUT_TORCH
    command = [sys.executable, "-c", code, "list", "--json", str(tmp_path / "list.json")]
    for kept in (False, True):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        out = done.stdout
        found = json.loads((tmp_path / "list.json").read_text())
        assert found["kept"] is kept
        assert ("by these very sources" in out) is kept
        for operation in found["operations"]:
            assert operation["proved"] == operation["statements"] > 0
            assert operation["operation"] in out
            assert f"{operation['proved']} proved" in out
            assert operation["topic"] in TOPICS
        assert "2·d·m·n·r + 2·d_v·m·n·r flops" in out
    assert {op.name for name in TOPICS for op in topic(name).operations} == {
        operation["operation"] for operation in found["operations"]
    }


def test_list_fails_if_a_statement_is_not_proved(
    capsys: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    row = Row("softmax", "softmax", "A row.", 12, 11, 0, 1, "6·n", "6·n")
    monkeypatch.setattr("lemmata.listing._decide", lambda report: (row,))
    code, out, _ = run(capsys, "list")
    assert code == 1
    assert "11 of 12 statements proved" in out


def test_derive_shows_definition_gradient_choice_and_proof_steps(capsys: Printed) -> None:
    code, out, _ = run(capsys, "derive", "attention")
    assert code == 0
    for line in (
        "p[r, i, j] = a[r, i, j]/z[r, i]",
        "ds[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])",
        "chosen for its cost: delta[r, i]",
        "S10  D = rowsum(dO ∘ O) = rowsum(P ∘ dP)  proved",
        "= Σ_e do[r, i, e]·(Σ_j p[r, i, j]·v[j, e])    O = PV",
        "= Σ_j p[r, i, j]·(Σ_e do[r, i, e]·v[j, e])    the sums are exchanged",
        "′ stands for k[j, c] ↦ k[j, c] + c[c]",
    ):
        assert line in out
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_derive_of_a_false_statement_says_so(capsys: Printed) -> None:
    code, out, _ = run(capsys, "derive", str(OWN / "dropped_row_term.py"))
    assert code == 1
    assert "dQ = scale · (P ∘ dP) K  refuted" in out
    assert "≟ scale·(Σ_j p[r, i, j]·(Σ_e do[r, i, e]·v[j, e])·k[j, c])    not shown" in out
    assert "the same normal form" not in out
    assert "left  = 0.0" in out


def test_derive_latex_is_a_document(capsys: Printed) -> None:
    code, out, _ = run(capsys, "derive", "softmax", "--latex")
    assert code == 0
    assert out.startswith("\\documentclass")
    assert out.endswith("\\end{document}\n")


def test_derive_html_is_a_page(capsys: Printed, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    assert run(capsys, "derive", "softmax", str(EXAMPLE), "--html", str(place)) == (0, "", "")
    source = place.read_text()
    assert ET.fromstring(source.removeprefix("<!DOCTYPE html>")).tag.endswith("html")
    for shown in ("Softmax, log-softmax and log-sum-exp", 'id="square_sum-S2"', 'class="p-nf">softmax</span>'):
        assert shown in source
    code, out, _ = run(capsys, "derive", "softmax", str(EXAMPLE), "--html", "-")
    assert (code, out) == (0, source)


def test_derive_html_of_a_false_statement_fails_and_shows_it(capsys: Printed, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    assert run(capsys, "derive", str(OWN / "dropped_row_term.py"), "--html", str(place))[0] == 1
    assert "left  = 0.0" in place.read_text()


def test_derive_html_mistakes(capsys: Printed, tmp_path: Path) -> None:
    code, _, err = run(capsys, "derive", "softmax", "--html", str(tmp_path / "no" / "page.html"))
    assert code == 2
    assert "cannot write" in err
    with pytest.raises(SystemExit):
        main(["derive", "softmax", "--html", "page.html", "--latex"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["derive", "generate"])
def test_an_operation_without_a_gradient_is_the_users_error(capsys: Printed, tmp_path: Path, verb: str) -> None:
    path = tmp_path / "floor.py"
    source = EXAMPLE.read_text().replace("total(i, x[i] ** 2)", "total(i, Fn('no_such_function', x[i]))")
    source = source.replace("import Dim, ", "import Dim, Fn, ")
    path.write_text(source.replace("    op = OPERATIONS[0]\n", "    op = OPERATIONS[0]\n    return ()\n"))
    code, out, err = run(capsys, verb, str(path))
    assert (code, out) == (2, "")
    assert "floor.py: 'square_sum' cannot be derived: SymPy has no function 'no_such_function'" in err


def test_an_expression_nested_too_deeply_is_the_users_error(capsys: Printed, tmp_path: Path) -> None:
    path = tmp_path / "deep.py"
    deep = "deep = y[()]\nfor _ in range(5000):\n    deep = deep + 1\n\n\ndef statements()"
    source = EXAMPLE.read_text().replace("def statements()", deep)
    path.write_text(source.replace("NonNegative(op.value(y[()]))", "NonNegative(deep)"))
    code, _, err = run(capsys, "check", str(path))
    assert code == 2
    assert "nested too deeply" in err


# generate -----------------------------------------------------------------------------------------------------------


def test_generate_check_finds_the_committed_files_up_to_date() -> None:
    """Without PyTorch."""
    command = [sys.executable, "-c", WITHOUT_TORCH, "generate", "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    reference = Path(lemmata.__file__).parent / "reference"
    written = [p for folder in (reference, reference / "bounds") for p in folder.glob("*.py")]
    generated = [p for p in written if "\nGENERATED from " in p.read_text(encoding="utf-8")]
    assert (done.returncode, sorted(done.stdout.splitlines())) == (
        0,
        sorted(f"{path}: up to date" for path in generated),
    )


def test_generate_writes_prints_and_notices_drift(capsys: Printed, tmp_path: Path) -> None:
    own = str(EXAMPLE)
    code, printed, _ = run(capsys, "generate", own)
    assert code == 0
    path = tmp_path / "reference.py"
    bounds = tmp_path / "reference_bound.py"
    assert run(capsys, "generate", own, "-o", str(path))[:2] == (0, f"wrote {path}\nwrote {bounds}\n")
    assert path.read_text() == printed
    assert "from lemmata.reference.rounding import Array, Format, Rounding" in bounds.read_text()
    assert run(capsys, "generate", own, "-o", str(path), "--check")[0] == 0
    path.write_text(printed.replace("2 *", "3 *"))
    code, out, _ = run(capsys, "generate", own, "-o", str(path), "--check")
    assert code == 1
    assert "not what its derivation generates" in out
    path.write_text(printed)
    bounds.write_text(bounds.read_text().replace("fl.sum", "fl.max"))
    assert run(capsys, "generate", own, "-o", str(path), "--check")[0] == 1
    assert run(capsys, "generate", own, "-o", str(tmp_path / "absent.py"), "--check")[0] == 1
    assert run(capsys, "generate", "-o", f"{tmp_path}/all/")[0] == 0
    found = {p.name for p in (tmp_path / "all").iterdir()}
    assert found == {f"{name}{end}.py" for name in TOPICS for end in ("", "_bound")}


def test_generate_mistakes(capsys: Printed, tmp_path: Path) -> None:
    own = str(EXAMPLE)
    for arguments, message in (
        ((own, "--check"), "say with -o which file"),
        (("-o", str(tmp_path / "one.py")), "is one file, but several derivations"),
        ((own, "-o", str(tmp_path / "no" / "dir.py")), "cannot write"),
    ):
        code, _, err = run(capsys, "generate", *arguments)
        assert code == 2
        assert message in err


# conform ------------------------------------------------------------------------------------------------------------


def test_conform_accepts_pytorch(capsys: Printed, tmp_path: Path) -> None:
    place = tmp_path / "verdict.json"
    code, out, _ = run(
        capsys,
        "conform",
        "attention",
        SDPA,
        "--examples",
        "20",
        "--seed",
        "1",
        "--dtype",
        "float32",
        "--json",
        str(place),
    )
    assert code == 0
    verdict = json.loads(place.read_text())
    assert verdict["verdict"] == "conforms"
    assert {"operation", "target", "profile", "checks"} <= set(verdict)
    assert "conforms to attention in float32" in out


def test_an_option_that_is_given_twice_adds_to_what_is_asked_for(capsys: Printed) -> None:
    twice = ("--dtype", "float32", "--only", "forward", "--dtype", "float64", "--only", "completes")
    code, out, _ = run(capsys, "conform", "softmax", "torch:softmax", "--examples", "5", *twice)
    assert code == 0
    assert all(word in out for word in ("float32", "float64", "forward", "completes"))


def test_conform_rejects_a_wrong_kernel(capsys: Printed, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.py"
    kernel.write_text("import torch\ndef softmax(input, dim=-1):\n    return torch.softmax(input, dim) * 1.001\n")
    code, out, _ = run(capsys, "conform", "softmax", f"{kernel}:softmax", "--examples", "20", "--dtype", "float32")
    assert code == 1
    assert "does not conform to softmax" in out
    assert "import torch" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("soft_max", SDPA), "'soft_max' is neither an operation nor a file"),
        (("attention", "no.such.module:f"), "there is no module 'no'"),
        (("attention", "torch.nn.functional:sdpa"), "has no attribute 'sdpa'"),
        (("attention", "nothing.py:f"), "there is no file 'nothing.py'"),
        (("attention", "no_colon"), "write 'module:callable' or 'path/file.py:callable'"),
        (("attention", "math:pi"), "'pi' is a float, not a callable"),
        (("attention", "lemmata.gpu.softmax:softmax"), "but the calling convention is"),
        (("softmax", "torch.nn.functional:softmax", "--dtype", "float8"), "dtype 'float8' is not one of"),
        (("softmax", "torch.nn.functional:softmax", "--device", "warp:9"), "device 'warp:9' cannot be used"),
        (("softmax", "torch.nn.functional:softmax", "--examples", "0"), "at least 1 case is needed"),
        (("softmax", "torch.nn.functional:softmax", "--only", "speed"), "check 'speed' is not one of softmax"),
        (("softmax", "torch.nn.functional:softmax", "--profile", "loose"), "profile 'loose' is not one of"),
    ],
)
def test_conform_mistakes(capsys: Printed, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(capsys, "conform", *arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.startswith("lemmata conform: ")
    assert len(err.splitlines()) == 1


def test_conform_writes_page_and_junit(capsys: Printed, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.py"
    kernel.write_text("import torch\ndef softmax(input, dim=-1):\n    return torch.softmax(input, dim) * 1.001\n")
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    given = ("conform", "softmax", f"{kernel}:softmax", "--examples", "20", "--dtype", "float32")
    code, out, err = run(capsys, *given, "--html", str(page), "--junit", str(junit))
    assert (code, err) == (1, "")
    assert "does not conform to softmax" in out
    source = page.read_text(encoding="utf-8")
    assert ET.fromstring(source.removeprefix("<!DOCTYPE html>")).tag.endswith("html")
    assert "does not conform to softmax" in source
    assert int(ET.parse(junit).getroot().attrib["failures"]) >= 2
    code, out, err = run(capsys, *given, "--junit", "-")
    assert (code, out) == (1, junit.read_text(encoding="utf-8"))
    assert "does not conform to softmax" in err


@pytest.mark.parametrize("option", ["--json", "--html", "--junit"])
def test_an_output_that_cannot_be_written_is_refused_before_the_run(
    capsys: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the run was started")

    monkeypatch.setattr("lemmata.conformance.runner.conform", never)
    for place, why in ((tmp_path / "no" / "file", "No such file or directory"), (tmp_path, "Is a directory")):
        code, out, err = run(capsys, "conform", "softmax", "torch:softmax", option, str(place))
        assert (code, out) == (2, "")
        assert err == f"lemmata conform: cannot write {str(place)!r}: {why}\n"
    assert not list(tmp_path.iterdir())


def test_to_find_out_whether_an_output_can_be_written_leaves_it_as_it_was(capsys: Printed, tmp_path: Path) -> None:
    kept, absent, link = tmp_path / "kept.json", tmp_path / "absent.html", tmp_path / "link.xml"
    kept.write_text("kept")
    link.symlink_to(tmp_path / "nowhere.xml")
    outputs = ("--json", str(kept), "--html", str(absent), "--junit", str(link))
    code, _, err = run(capsys, "conform", "soft_max", "torch:softmax", *outputs)
    assert code == 2
    assert "'soft_max' is neither an operation nor a file" in err
    assert (kept.read_text(), sorted(p.name for p in tmp_path.iterdir())) == ("kept", ["kept.json", "link.xml"])


def test_what_a_target_says_may_be_any_text(capsys: Printed, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.py"
    kernel.write_text("def softmax(input, dim=-1):\n    raise ValueError('\\0 \\x1b[31m \\ud800 <b> [red]')\n")
    places = [str(tmp_path / name) for name in ("v.json", "v.html", "v.xml")]
    outputs = [word for pair in zip(("--json", "--html", "--junit"), places, strict=True) for word in pair]
    given = ("conform", "softmax", f"{kernel}:softmax", "--examples", "5", "--dtype", "float32")
    code, out, err = run(capsys, *given, *outputs)
    assert (code, err) == (1, "")
    assert "ValueError: \\x00 \\x1b[31m \\ud800 <b> [red]" in out
    data = json.loads(Path(places[0]).read_text(encoding="utf-8"))
    assert "\0 \x1b[31m \ud800 <b>" in data["checks"][0]["failure"]["message"]
    assert "\\x00 \\x1b[31m \\ud800 &lt;b&gt;" in Path(places[1]).read_text(encoding="utf-8")
    assert ET.parse(places[2]).getroot().tag == "testsuites"
    assert json.loads(run(capsys, *given, "--json", "-")[1])["checks"] == data["checks"]


def test_two_outputs_need_two_places(capsys: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for first, second, shown in (("-", "-", "standard output"), ("x", f"{tmp_path}/x", repr(f"{tmp_path}/x"))):
        code, out, err = run(capsys, "conform", "softmax", "torch:softmax", "--json", first, "--html", second)
        assert (code, out) == (2, "")
        assert err == f"lemmata conform: --json and --html both go to {shown}: name two places\n"


def test_conform_without_cuda_says_so(capsys: Printed) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("NOT RUN: there is a CUDA device")
    code, _, err = run(capsys, "conform", "attention", SDPA, "--device", "cuda")
    assert code == 2
    assert "device 'cuda' cannot be used" in err


# doctor, help, mistakes ---------------------------------------------------------------------------------------------


def test_adequacy_says_which_checks_catch_the_faults(capsys: Printed, tmp_path: Path) -> None:
    file = tmp_path / "adequacy.json"
    assert main(["adequacy", "relu", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "faults caught, 100.0%" in printed
    assert "equivalent: the normal form proves for every size that the results are equal" in printed
    data = json.loads(file.read_text(encoding="utf-8"))
    assert data["rate"] == 1.0
    assert data["killed"] == len([mutant for mutant in data["mutants"] if mutant["status"] == "killed"])


def test_adequacy_of_a_count_is_refused(capsys: Printed) -> None:
    assert main(["adequacy", "parameter_count"]) == 2
    assert "is a count" in capsys.readouterr().err


def test_doctor(capsys: Printed, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "doctor", "--json", str(tmp_path / "doctor.json"))
    assert code == 0
    found = json.loads((tmp_path / "doctor.json").read_text())
    assert set(found) == {"facts", "abilities"}
    assert found["abilities"]["check, derive, generate"] == "yes"
    for name in (*found["facts"], *found["abilities"]):
        assert name in out


@pytest.mark.parametrize("arguments", [(), ("prove",), ("derive",), ("conform", "attention")])
def test_usage_errors_exit_with_2(arguments: tuple[str, ...], capsys: Printed) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: lemmata" in capsys.readouterr().err


def test_an_unknown_name_is_quoted(capsys: Printed) -> None:
    code, out, err = run(capsys, "check", "sofmax")
    assert (code, out) == (2, "")
    assert "lemmata check: 'sofmax' is neither an operation nor a file ending in .py" in err


def test_a_file_that_is_no_derivation(capsys: Printed, tmp_path: Path) -> None:
    path = tmp_path / "notes.py"
    path.write_text("notes = 'none'\n")
    code, _, err = run(capsys, "check", str(path))
    assert code == 2
    assert "is no derivation: it does not define OPERATIONS" in err


def test_help_and_import_load_neither_sympy_nor_torch() -> None:
    loaded = python(
        "import sys, lemmata.cli\n"
        "try:\n    lemmata.cli.main(['--help'])\n"
        "except SystemExit as stopped:\n    assert stopped.code == 0\n"
        "heavy = {'sympy', 'torch', 'numpy', 'hypothesis', 'rich', 'mpmath'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert loaded.returncode == 0, loaded.stderr


@pytest.mark.parametrize(
    "arguments",
    # `list` and `generate` have tests of their own.
    [("check", "softmax"), ("derive", "logsumexp"), ("doctor",)],
    ids=" ".join,
)
def test_all_but_conform_work_without_torch(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_conform_without_torch_says_what_to_install() -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, "conform", "attention", SDPA]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'lemmata[torch]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m lemmata.cli derive softmax | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.stdout == "softmax\n"
    assert "Traceback" not in done.stderr


def test_interrupting_a_run_ends_it_quietly(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    from lemmata import cli

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    replaced: Callable[[object], int] = interrupted
    monkeypatch.setattr(cli, "_doctor", replaced)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
