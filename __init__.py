"""Lemmata: the mathematics of transformers, derived once, proved for every size, held to by kernels."""

__version__ = "0.1.0"
