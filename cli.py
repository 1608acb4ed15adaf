"""The `lemmata` command: one function a verb, each thin.

Exit codes: 0, all is well; 1, a statement is not proved, a target does not conform, a generated file has drifted, or
a planted fault is not caught; 2, the request cannot be carried out as it was made.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UsageError
from .outputs import check_outputs

if TYPE_CHECKING:
    from .derivations.catalogue import Derivation

PROVED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_NAMES = "operations (softmax, attention, …), files, or FILE.py:operation; all built-in operations by default"
_EPILOG = """examples:
  lemmata check softmax attention
  lemmata derive attention --html attention.html
  lemmata generate my/sigmoid_attention.py -o reference.py
  lemmata conform attention torch.nn.functional:scaled_dot_product_attention
  lemmata conform softmax kernels.py:my_softmax --dtype float16 float32
  lemmata conform my/sigmoid_attention.py:sigmoid_attention kernels.py:fused
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line, that of this process by default; returns the exit code."""
    arguments = _parser().parse_args(argv)
    arguments.own_process = argv is None
    verb: Callable[[argparse.Namespace], int] = arguments.verb
    try:
        return verb(arguments)
    except UsageError as error:
        print(f"lemmata {arguments.name}: {error}", file=sys.stderr)
        return USAGE
    except RecursionError:
        print(f"lemmata {arguments.name}: an expression is nested too deeply to be worked on", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        # The reader of a pipe has closed it; Python would complain once more when it flushes on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROVED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    from . import __version__

    parser = argparse.ArgumentParser(
        prog="lemmata",
        description="The mathematics of transformers: derived once, proved for every size, held to by kernels.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lemmata {__version__}")
    verbs = parser.add_subparsers(dest="name", metavar="VERB", required=True)

    def add(name: str, verb: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        sub.set_defaults(verb=verb)
        return sub

    sub = add("list", _list, "list the operations, their statements, status and cost")
    _add_json(sub)

    sub = add("check", _check, "prove every statement, and evaluate each one independently")
    sub.add_argument("names", nargs="*", metavar="NAME", help=_NAMES)
    _add_json(sub)

    sub = add("derive", _derive, "show definition, gradients, costs and each step of the proofs")
    sub.add_argument("names", nargs="+", metavar="NAME", help="an operation, a file, or FILE.py:operation")
    form = sub.add_mutually_exclusive_group()
    form.add_argument("--latex", action="store_true", help="print a LaTeX document")
    form.add_argument("--html", metavar="FILE", help="write a page that stands alone; - for standard output")

    sub = add("generate", _generate, "write the NumPy reference code")
    sub.add_argument("names", nargs="*", metavar="NAME", help=_NAMES)
    sub.add_argument(
        "-o", "--output", metavar="PATH", help="a file, or a directory for NAME.py; the bounds go to NAME_bound.py"
    )
    sub.add_argument("--check", action="store_true", help="write nothing; exit 1 on any difference")

    sub = add("conform", _conform, "hold an implementation to the reference and the laws of an operation")
    sub.add_argument("operation", metavar="OPERATION", help="an operation of the catalogue, or FILE.py:operation")
    sub.add_argument("target", metavar="TARGET", help="module:callable or path/file.py:callable")
    sub.add_argument("--device", default="cpu", help="where the tensors are put, such as cpu or cuda:0; default cpu")
    sub.add_argument(
        "--dtype", nargs="+", action="extend", metavar="T", help="float64 float32 bfloat16 float16; default all"
    )
    sub.add_argument("--examples", type=int, metavar="N", help="cases per dtype; up to 300 more if a check had none")
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the cases; default 0")
    sub.add_argument("--only", nargs="+", action="extend", metavar="CHECK", help="names of checks; default all")
    sub.add_argument("--profile", metavar="P", help="the loosest precision profile allowed")
    sub.add_argument("--large", action="store_true", help="large cases, too: 65,537 rows, strides beyond 32 bits")
    sub.add_argument("--budget", type=float, metavar="SECONDS", help="draw no further case after so long")
    sub.add_argument(
        "--processes", type=int, metavar="N", help="judge dtypes side by side; default one a core in a long run"
    )
    sub.add_argument("--call-limit", type=float, metavar="SECONDS", help="time for one call; default 60")
    sub.add_argument(
        "--explain",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="say where the errors of a failure are and which fault it matches; default yes, some seconds a failure",
    )
    sub.add_argument("--journal", metavar="FILE", help="keep the journal of the run there, not in the cache")
    sub.add_argument("--resume", action="store_true", help="go on with such a run that was interrupted or killed")
    _add_json(sub)
    sub.add_argument("--html", metavar="FILE", help="also write a page that stands alone; - for standard output")
    sub.add_argument("--junit", metavar="FILE", help="also write JUnit XML; - for standard output")

    sub = add("adequacy", _adequacy, "plant faults in an operation's own program, and say which checks catch them")
    sub.add_argument("operation", metavar="OPERATION", help="an operation of the catalogue, or FILE.py:operation")
    sub.add_argument("--dtype", default="float64", metavar="T", help="of the calls; default float64, the tightest")
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the cases; default 0")
    sub.add_argument(
        "--only", nargs="+", action="extend", metavar="CHECK", help="names of checks; default all that decide"
    )
    _add_json(sub)

    sub = add("doctor", _doctor, "say what this machine can run")
    _add_json(sub)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON; - for standard output")


def _write_json(data: Any, place: str | None) -> None:
    if place is not None:
        _put(json.dumps(data, indent=2, ensure_ascii=False) + "\n", place)


def _put(content: str, place: str) -> None:
    """Writes to a file, or to standard output for `-`."""
    if place == "-":
        sys.stdout.write(content.encode("utf-8", "backslashreplace").decode())
    else:
        _write(Path(place), content)


def _write(path: Path, content: str) -> None:
    try:
        # A lone surrogate, which UTF-8 has no bytes for, is written as its escape; in JSON that is the same text.
        path.write_text(content, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from error


def _list(arguments: argparse.Namespace) -> int:
    from .listing import listing
    from .progress import reporting

    with reporting() as progress:
        found = listing(progress)
    # Only now: the sources are hashed before they are imported.
    from .display import console_for, print_listing

    print_listing(found, console_for(to_stderr=arguments.json == "-"))
    _write_json(found.to_json(), arguments.json)
    return PROVED if all(row.proved == row.statements for row in found.rows) else FAILED


def _check(arguments: argparse.Namespace) -> int:
    from .derivations.calculus.prove import prove
    from .derivations.catalogue import find
    from .display import console_for, print_result, print_summary

    start = time.perf_counter()
    console = console_for(to_stderr=arguments.json == "-")
    results, data, timed = [], [], []
    for derivation in find(arguments.names):
        for operation in derivation.operations:
            begun = time.perf_counter()
            statements = derivation.statements(operation)
            for statement in statements:
                result = prove(statement)
                print_result(operation, result, console)
                results.append(result)
                data.append({"operation": operation.name, **result.to_json()})
            elapsed = time.perf_counter() - begun
            timed.append({"operation": operation.name, "statements": len(statements), "seconds": elapsed})
    seconds = time.perf_counter() - start
    print_summary(results, seconds, console)
    _write_json({"statements": data, "operations": timed, "seconds": seconds}, arguments.json)
    return PROVED if all(result.status == "proved" for result in results) else FAILED


def _derive(arguments: argparse.Namespace) -> int:
    from .derivations.catalogue import find
    from .derivations.exposition import expose
    from .derivations.exposition_latex import document
    from .display import console_for, print_exposition

    expositions, parts = [], []
    for derivation in find(arguments.names):
        for operation in derivation.operations:
            statements = derivation.statements(operation)
            with derivation.deriving(operation):
                expositions.append(expose(operation, statements))
            if not (arguments.latex or arguments.html):
                print_exposition(expositions[-1], console_for(to_stderr=False))
        parts.append((derivation, expositions[-len(derivation.operations) :]))
    if arguments.latex:
        sys.stdout.write(document(expositions))
    elif arguments.html:
        from .page import html_page

        _put(html_page(parts), arguments.html)
    proofs = (proof for exposition in expositions for proof in exposition.proofs)
    return PROVED if all(proof.result.status == "proved" for proof in proofs) else FAILED


def _generate(arguments: argparse.Namespace) -> int:
    from .derivations.catalogue import find
    from .reference.generator.code import CannotGenerate

    derivations = find(arguments.names)
    drifted = False
    for name, derivation in zip(arguments.names or [d.name for d in derivations], derivations, strict=True):
        for operation in derivation.operations:
            with derivation.deriving(operation):
                _ = operation.differentiable and (operation.vjp, operation.jvp)
        path = _destination(derivation, name, arguments.output, several=len(derivations) > 1)
        try:
            files = _generated(derivation, path)
        except CannotGenerate as error:
            raise UsageError(f"{name!r}: no reference can be generated: {error}") from error
        if path is None and arguments.check:
            raise UsageError(f"generate {name!r} --check: say with -o which file to compare with")
        for place, source in files.items():
            if place is None:
                sys.stdout.write(source)
            elif arguments.check:
                drifted |= _drift(place, source)
            else:
                _write(place, source)
                print(f"wrote {place}")
    return FAILED if drifted else PROVED


def _generated(derivation: Derivation, path: Path | None) -> dict[Path | None, str]:
    """The files of a derivation and where they go: for a path the functions there and the bounds beside them."""
    from .reference.generator.module import bounded, generate_bounds, generate_module, topic_files

    command = f"lemmata generate {derivation.name if derivation.path is None else derivation.origin}"
    operations, origin = derivation.operations, derivation.origin
    if path == _REFERENCE:
        return {path / name: source for name, source in topic_files(operations, origin, command).items()}
    functions = generate_module(operations, origin, command)
    if path is None:
        return {None: functions}
    files: dict[Path | None, str] = {path: functions}
    if with_bounds := bounded(operations):
        bounds = generate_bounds(with_bounds, origin, command, "lemmata.reference.rounding")
        files[path.with_name(f"{path.stem}_bound.py")] = bounds
    return files


_REFERENCE = Path(__file__).parent / "reference"


def _destination(derivation: Derivation, name: str, output: str | None, *, several: bool) -> Path | None:
    """The file to write; the folder of the built-in references; None for standard output.

    Built-in references belong to the package; the reference of anything else is printed unless `-o` says otherwise.
    """
    if output is not None:
        path = Path(output)
        if path.is_dir() or output.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            return path / f"{derivation.name}.py"
        if several:
            raise UsageError(f"-o {output!r} is one file, but several derivations were named: give a directory")
        return path
    return _REFERENCE if derivation.path is None and derivation.complete else None


def _drift(path: Path, source: str) -> bool:
    import difflib

    try:
        present = path.read_text(encoding="utf-8")
    except OSError as error:
        print(f"{path}: {error.strerror}")
        return True
    if present == source:
        print(f"{path}: up to date")
        return False
    lines = difflib.unified_diff(present.splitlines(), source.splitlines(), str(path), "generated", lineterm="")
    print("\n".join(lines))
    print(f"{path}: not what its derivation generates")
    return True


def _conform(arguments: argparse.Namespace) -> int:
    outputs = {"--json": arguments.json, "--html": arguments.html, "--junit": arguments.junit}
    check_outputs(outputs)
    _require_torch()
    import torch

    if not torch.cuda.is_available():
        # Triton decides on import whether it compiles or interprets; without a device it can only interpret.
        os.environ.setdefault("TRITON_INTERPRET", "1")
    from .conformance.isolation.processes import shared_zygote

    if arguments.own_process and arguments.device.startswith("cpu"):
        shared_zygote().fork()  # before anything is computed that a target could read
    from .conformance.report import render
    from .conformance.runner import DEFAULT_EXAMPLES, conform
    from .display import console_for
    from .progress import reporting

    console = console_for(to_stderr="-" in outputs.values())
    journal = _journal(arguments)
    if arguments.own_process:
        gc.freeze()  # what has been imported stays, and is not looked through for garbage
    with reporting() as progress:
        verdict = conform(
            arguments.operation,
            arguments.target,
            device=arguments.device,
            dtypes=arguments.dtype,
            examples=DEFAULT_EXAMPLES if arguments.examples is None else arguments.examples,
            seed=arguments.seed,
            only=arguments.only,
            profile=arguments.profile,
            large=arguments.large,
            budget=arguments.budget,
            processes=arguments.processes,
            call_limit=arguments.call_limit,
            journal=journal,
            resume=arguments.resume,
            explain=arguments.explain,
            progress=progress,
        )
    render(verdict, console)
    _write_json(verdict.to_json(), arguments.json)
    if arguments.html is not None:
        from .conformance.html import html_report

        _put(html_report(verdict), arguments.html)
    if arguments.junit is not None:
        from .conformance.junit import junit_xml

        _put(junit_xml(verdict), arguments.junit)
    if arguments.journal is None and journal is not None:
        journal.unlink(missing_ok=True)  # the run has ended, and everything is written
    return PROVED if verdict.conforms else FAILED


def _journal(arguments: argparse.Namespace) -> Path | None:
    """Where the run keeps its journal; None where the cache cannot be written."""
    from .keeping import cache_folder, journal_of

    if arguments.journal is not None:
        return Path(arguments.journal)
    asked = ("operation", "target", "device", "dtype", "examples", "seed", "only", "profile", "large", "budget")
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return journal_of({"in": os.getcwd(), **{name: getattr(arguments, name) for name in asked}})


def _adequacy(arguments: argparse.Namespace) -> int:
    _require_torch("adequacy")
    from .conformance.adequacy import adequacy
    from .display import console_for
    from .progress import reporting

    console = console_for(to_stderr=arguments.json == "-")
    with reporting() as progress:
        found = adequacy(
            arguments.operation,
            dtype=arguments.dtype,
            only=arguments.only,
            seed=arguments.seed,
            progress=progress,
        )
    for line in found.lines():
        console.print(line, markup=False, soft_wrap=True)
    _write_json(found.to_json(), arguments.json)
    return FAILED if found.gaps else PROVED


def _require_torch(verb: str = "conform") -> None:
    from .doctor import has

    if not has("torch"):
        raise UsageError(f"PyTorch is not installed; {verb} needs it: pip install 'lemmata[torch]'")


def _doctor(arguments: argparse.Namespace) -> int:
    from .display import console_for, print_doctor
    from .doctor import examine, to_json

    facts, abilities = examine()
    print_doctor(facts, abilities, console_for(to_stderr=arguments.json == "-"))
    _write_json(to_json(facts, abilities), arguments.json)
    return PROVED


if __name__ == "__main__":
    sys.exit(main())
