"""Attention and softmax for PyTorch: eager operators with derived gradients, and fused Triton kernels.

Importing this package imports neither PyTorch nor Triton; `lemmata.gpu.softmax` and
`lemmata.gpu.attention` import PyTorch, and Triton only when a `triton_` function first runs.
"""
