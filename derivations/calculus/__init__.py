"""The engine: index notation, normal form, differentiation, proof, cost.

index, affine, nodes, traverse      the data of index notation; `expr` is the vocabulary for writing derivations
program, differentiate, simplify    programs of definitions, their derivatives, and the form that people write
statement, prove                    claims and their verdicts
polynomial, canonical, predicates, indicators, largest, products, functions, sums, normal_form
                                    the normal form, which decides equality for all sizes
evaluate, counterexample            the independent evaluation, which shares nothing with the normal form
symmetry, blocks, cost, mutate      conservation laws, cut axes, cost polynomials, planted faults
readback, tidy, text, fold, latex   from normal forms back to expressions, and to print
"""
