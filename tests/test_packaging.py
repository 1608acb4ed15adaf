"""The wheel: what it installs, and that the verbs work from an installation, away from the sources."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, so that no build folder is left in them."""
    folder = tmp_path_factory.mktemp("build")
    copied = folder / "sources"
    skipped = {".git", ".venv", "build"}
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        if path.is_file() and not skipped & set(relative.parts) and "__pycache__" not in relative.parts:
            target = copied / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(folder)]
    done = subprocess.run([*command, str(copied)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(folder)]
    done = subprocess.run([*command, str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_installs_one_package_at_top_level(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"lemmata"}
    assert "lemmata/py.typed" in names
    assert "lemmata/conformance/verdict.schema.json" in names
    assert "lemmata/reference/attention.py" in names
    assert not [name for name in names if name.startswith(("lemmata/tests/", "lemmata/benchmarks/"))]


def test_every_package_of_the_sources_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("derivations", "reference", "conformance", "gpu"):
        for path in (ROOT / folder).rglob("*.py"):
            assert f"lemmata/{path.relative_to(ROOT).as_posix()}" in names


def test_an_installation_has_the_command_and_the_pytest_plugin(installed: Path) -> None:
    (metadata,) = installed.glob("lemmata-*.dist-info")
    entries = configparser.ConfigParser()
    entries.read(metadata / "entry_points.txt")
    assert dict(entries["console_scripts"]) == {"lemmata": "lemmata.cli:main"}
    assert dict(entries["pytest11"]) == {"lemmata": "lemmata.pytest_plugin"}
    assert (installed / "lemmata" / "pytest_plugin.py").is_file()


def lemmata(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    source = (
        "import sys, pathlib, lemmata; "
        f"assert pathlib.Path(lemmata.__file__).is_relative_to({str(installed)!r}), lemmata.__file__; "
        "from lemmata.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", source, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "softmax"),
        ("derive", "logsumexp"),
        ("generate", "softmax", "--check"),
        (
            *("conform", "softmax", "torch.nn.functional:softmax", "--examples", "10", "--dtype", "float32"),
            *("--json", "v.json", "--html", "v.html", "--junit", "v.xml"),
        ),
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_verbs_run_from_an_installation(installed: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = lemmata(installed, tmp_path, *arguments)
    assert done.returncode == 0, done.stderr


def test_generated_references_need_numpy_alone(installed: Path, tmp_path: Path) -> None:
    copied = tmp_path / "reference_of_softmax.py"
    copied.write_bytes((installed / "lemmata" / "reference" / "softmax.py").read_bytes())
    source = (
        "import sys, numpy, reference_of_softmax as r; "
        "p = r.softmax(numpy.zeros(4)); assert (p == 0.25).all(); "
        "assert 'lemmata' not in sys.modules and 'sympy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_schema_is_read_from_an_installation(installed: Path, tmp_path: Path) -> None:
    source = "from lemmata.conformance.verdict import json_schema; assert json_schema()['title'] == 'Verdict'"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
