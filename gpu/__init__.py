"""The operations of a transformer for PyTorch: operators with derived gradients, and fused Triton kernels.

    softmax      softmax, log-softmax, log-sum-exp                 triton_softmax, triton_log_softmax, triton_logsumexp
    attention    scaled dot products, softcap, window, LSE         triton_scaled_dot_product_attention (_with_lse),
                                                                   triton_softcapped_attention
    positional   rope, sinusoidal, alibi, geometric frequencies    triton_rope
    embedding    the lookup                                        triton_embedding
    linear       linear, tied output, Q/K/V projections
    multihead    multi-head attention
    activation   relu, silu, gelu, swiglu, geglu                   triton_swiglu, triton_geglu
    feedforward  two layers, and the gated form
    norm         layer and root-mean-square norm, after a sum too  triton_layer_norm, …, triton_add_rms_norm
    loss         cross-entropy in all its forms                    triton_cross_entropy, triton_smoothed_cross_entropy
    linear_loss  cross-entropy of a linear layer                   triton_linear_cross_entropy: in chunks
    block        pre- and post-norm blocks
    model        a decoder-only language model with its loss
    optimizer    SGD, Nesterov, Adam, AdamW, clipping              triton_adam, triton_adamw
    kernels      which of the two a composition takes: Triton on CUDA

An operator is `torch.ops.lemmata.NAME`; it compiles without graph breaks, is autocast as the PyTorch operation that it
stands for, and its gradients can be differentiated. Compositions (multi-head attention, feed-forward networks, blocks,
the model) are functions of operators. Importing this package imports neither PyTorch nor Triton; its modules import
PyTorch, and Triton only when a `triton_` function first runs.
"""
