"""Holds an implementation to the reference and the laws of its operation.

    from lemmata.conformance import conform

    verdict = conform("attention", "torch.nn.functional:scaled_dot_product_attention")

`conform` and `Verdict`, `find_operation` and `cases_of` are what users need; they are imported when they are first
asked for, so that to import this package, or a part of it, does not import PyTorch.

A run (`runner`) draws cases (`cases`, `values`, `layouts`), turns each into numbers (`problems`), and has the target
called (`execution`), in a process of its own (`isolation`). `judging` holds against the results the checks of every
operation (`checks`, `checks_of_calls`) and the laws of this one (`laws_rowwise`, `laws_attention`, and those of any
operation, `laws_batches`, `laws_of_nan` and `laws_second_order`), within bounds that the reference derives for a
precision profile (`profiles`); `compare` does it element by element. `memory`, `operator_count` and `surroundings` see
what only the target's process can see; `rounding` and `overflow` add what follows from how a call is made, not from the
formula. `search` shrinks what fails, `journal` keeps what was judged, so that a killed run can go
on, `results` tells it, `reproduce` writes it as a script and `rerun` runs one. `found` is what there is of a dtype;
other processes judge other dtypes beside this one (`parts`, in each of them `part`). `contracts` says what an operation
is to all of these, `operations` finds one, `targets` finds an implementation.

`verdict` holds what was found, as data and as JSON (`verdict.schema.json`). `summary` has the words that all forms of
it share: `report` for the terminal, `junit` for continuous integration, and `html`, a page with plots (`html_evidence`
of `html_plots`, looks in `html_style`). What a target says is made fit to print by `xml_text`.

A failure is explained (`named_faults`) by where in the arrays the errors are (`locate`) and by the named fault whose
results the target gives: a result that is nothing or another one, a call with other arguments (`simple_faults`), or a
fault of the operation's own program (`mutants`), evaluated in place of the reference (`sources`) on the failing case
and on larger ones (`further_cases`). The same mutants, as targets (`planted`), measure what the checks are worth
(`adequacy`); one that survives is proved to be the right program, or is a gap (`equivalence`).

The contracts of softmax (`rowwise`) and `attention` are written by hand. Any other one, of the catalogue or of a user's
file, is made from its derivation (`derived`): the form of its calls (`forms`) gives the cases (`generic_cases`), the
generated code (`generated`) the reference and the bounds, its programs the profiles (`generic_profiles`), its
statements the laws (`laws_generic`); `generic` puts them together. `torch_conventions` declares how PyTorch calls the
operations that it has (`conventions`), `orders` and `orders_rowwise` the other orders of evaluation in use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .operations import cases_of, find_operation
    from .runner import conform
    from .verdict import Verdict

__all__ = ["Verdict", "cases_of", "conform", "find_operation"]

# Where each public name is.
_MODULES = {"Verdict": "verdict", "cases_of": "operations", "conform": "runner", "find_operation": "operations"}

if not TYPE_CHECKING:
    # Type checkers read the imports above: to them, a function for any name would make every name right.

    def __getattr__(name):
        """A public name, from the module that it is in."""
        from importlib import import_module

        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

    def __dir__():
        """The public names too."""
        return sorted([*globals(), *__all__])
