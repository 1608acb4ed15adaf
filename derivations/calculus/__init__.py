"""The engine: index notation, normal form, differentiation, proof, cost.

index, affine, nodes, traverse      the data of index notation; `expr` is the vocabulary for writing derivations
program, differentiate, simplify    programs of definitions, their derivatives, and the form that people write:
                                    `absorb` finds names in it again, `factor` takes out what its terms share;
                                    `vanishing` says where a maximum counts as a constant
call, composite, instance           compositions, whose steps are calls of other operations
operation, statement                an operation, and what is claimed about it
prove, stepwise                     the verdicts on the claims; of compositions step by step
polynomial, canonical, predicates, indicators, largest, products, quotients, functions, elementary, trigonometry, signs,
sums, normal_form                   the normal form, which decides equality for all sizes
defined, intervals, jets, tails     where an expression has a value, and bounds of it on the whole real line
evaluate, counterexample            the independent evaluation, which shares nothing with the normal form
symmetry, blocks                    conservation laws, cut axes
mutate, program_faults              planted faults: of claims, and of programs in the words of their authors
cost, matrix_products               cost polynomials
readback, tidy, match, fold         from normal forms back to expressions, and to the names of a program
text, typeset, latex, mathml        from expressions to print
"""
