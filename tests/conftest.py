"""Settings of every test: Hypothesis draws the same examples in every run, and keeps none between runs; Triton kernels
are interpreted where there is no CUDA device."""

import hypothesis
from lemmata.gpu.interpreter import interpret_without_cuda

hypothesis.settings.register_profile("lemmata", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("lemmata")

# Before anything imports Triton: PyTorch does when it first runs a custom operator, and so does its flop counter.
interpret_without_cuda()
