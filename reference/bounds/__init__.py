"""Rounding-error bounds of the references, generated from the derivations."""
