"""The Triton kernel of a step of Adam and AdamW: parameters, gradient and moments are read once and written once."""

import torch

from .triton_runtime import check_tensors, jit, kernel_launch, tl, tuned


@tuned("BLOCK")
@jit
def _kernel(
    p_ptr: tl.tensor,
    g_ptr: tl.tensor,
    m_ptr: tl.tensor,
    v_ptr: tl.tensor,
    scalars_ptr: tl.tensor,
    p_new_ptr: tl.tensor,
    m_new_ptr: tl.tensor,
    v_new_ptr: tl.tensor,
    elements: tl.tensor,
    COUPLED: tl.constexpr,
    DECOUPLED: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    # Numbers that are passed to a kernel are float32, and as constants every learning rate would be compiled anew.
    lr = tl.load(scalars_ptr).to(COMPUTE)
    beta1 = tl.load(scalars_ptr + 1).to(COMPUTE)
    other1 = tl.load(scalars_ptr + 2).to(COMPUTE)
    beta2 = tl.load(scalars_ptr + 3).to(COMPUTE)
    other2 = tl.load(scalars_ptr + 4).to(COMPUTE)
    first = tl.load(scalars_ptr + 5).to(COMPUTE)
    second = tl.load(scalars_ptr + 6).to(COMPUTE)
    eps = tl.load(scalars_ptr + 7).to(COMPUTE)
    coupled = tl.load(scalars_ptr + 8).to(COMPUTE)
    decoupled = tl.load(scalars_ptr + 9).to(COMPUTE)
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < elements
    p = tl.load(p_ptr + i, mask=inside, other=0.0).to(COMPUTE)
    h = tl.load(g_ptr + i, mask=inside, other=0.0).to(COMPUTE)
    m = tl.load(m_ptr + i, mask=inside, other=0.0).to(COMPUTE)
    v = tl.load(v_ptr + i, mask=inside, other=0.0).to(COMPUTE)
    if COUPLED:
        h = h + coupled * p
    m = beta1 * m + other1 * h
    v = beta2 * v + other2 * (h * h)
    step = (m / first) / (tl.sqrt(v / second) + eps)
    if DECOUPLED:
        p = p - lr * decoupled * p
    p = p - lr * step
    tl.store(p_new_ptr + i, p.to(p_new_ptr.dtype.element_ty), mask=inside)
    tl.store(m_new_ptr + i, m.to(m_new_ptr.dtype.element_ty), mask=inside)
    tl.store(v_new_ptr + i, v.to(v_new_ptr.dtype.element_ty), mask=inside)


def adam_step(
    p: torch.Tensor,
    g: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    coupled: float,
    decoupled: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Parameters and moments after step `t`, contiguous, in their dtype; weight decay is `coupled` or `decoupled`."""
    check_tensors(p, g, m, v)
    p, g, m, v = (x.contiguous() for x in (p, g, m, v))
    p_new, m_new, v_new = (torch.empty_like(p) for _ in range(3))
    if p.numel() == 0:
        return p_new, m_new, v_new
    corrections = 1 - beta1**t, 1 - beta2**t
    scalars = (lr, beta1, 1 - beta1, beta2, 1 - beta2, *corrections, eps, coupled, decoupled)
    block = 1 << 10
    with kernel_launch(p):
        _kernel[(-(-p.numel() // block),)](
            p,
            g,
            m,
            v,
            torch.tensor(scalars, dtype=torch.float64, device=p.device),
            p_new,
            m_new,
            v_new,
            p.numel(),
            COUPLED=coupled != 0,
            DECOUPLED=decoupled != 0,
            COMPUTE=tl.float64 if p.dtype is torch.float64 else tl.float32,
            BLOCK=block,
            # Stated because Triton warns about its default; every error bound holds with fused operations.
            enable_fp_fusion=True,
        )
    return p_new, m_new, v_new
