"""NumPy reference code, generated from the derivations."""
