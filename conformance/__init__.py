"""Holds an implementation to the reference and the laws of its operation."""
