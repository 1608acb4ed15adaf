"""Holds an implementation to the reference and the laws of its operation.

    from lemmata.conformance.runner import conform

    verdict = conform("attention", "torch.nn.functional:scaled_dot_product_attention")

A run draws cases (`cases`, `values`, `layouts`), turns each into numbers (`problems`), calls the target
(`execution`), and holds the checks of every operation (`checks`) and the laws of this one (`laws_rowwise`,
`laws_attention`) against the result, within bounds that the reference derives for a precision profile (`profiles`);
`saved_output` and `overflow` add what follows from how a call is made, not from the formula. `search` shrinks what
fails, `reproduce` writes it as a script, `verdict` and `report` say what was found.

A failure is explained (`named_faults`) by where in the arrays the errors are (`locate`) and by the named fault whose
results the target gives: a result that is nothing or another one, a call with other arguments (`simple_faults`), or a
fault of the operation's own program (`mutants`), evaluated in place of the reference (`sources`) on the failing case
and on larger ones (`further_cases`). The same mutants, as targets (`planted`), measure what the checks are worth
(`adequacy`); one that survives is proved to be the right program, or is a gap (`equivalence`).

The contracts of softmax and attention are written by hand. Any other one, of the catalogue or of a user's file, is made
from its derivation (`derived`): the form of its calls (`forms`) gives the cases (`generic_cases`), the generated code
(`generated`) the reference and the bounds, its programs the profiles (`generic_profiles`), its statements the laws
(`laws_generic`); `generic` puts them together. `torch_conventions` declares how PyTorch calls the operations that it
has, `orders` the other orders of evaluation that implementations use.
"""
