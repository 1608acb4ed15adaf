"""The engine: index notation, normal form, differentiation, proof, cost, rounding."""
