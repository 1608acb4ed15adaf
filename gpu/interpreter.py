"""The choice between compiled and interpreted Triton kernels, made before Triton is imported."""

import os

import torch


def interpret_without_cuda() -> None:
    """Have Triton, if it is not imported yet, interpret its kernels in a process that has no CUDA device.

    Triton reads TRITON_INTERPRET while it is being imported, and PyTorch imports Triton on the first call
    of any custom operator. So every function of this package that calls one begins here. A value that the
    environment variable already has is kept.
    """
    if not torch.compiler.is_compiling() and not torch.cuda.is_available():
        os.environ.setdefault("TRITON_INTERPRET", "1")
