"""The accuracy table of FlashAttention-3, for this package's kernels and every backend of PyTorch's attention.

    python -m lemmata.benchmarks.accuracy [--device DEVICE] [--length N] [--json FILE]

The root mean square of the error of the output against float64, on the numbers of Shah et al. 2024, section 4.3:
N(0, 1) + N(0, 100)·Bernoulli(0.001), of which one entry in a thousand is an outlier. Beside the measured figures stand
those of the paper's table of numerical errors, for orientation: shapes and device are not the same. Every
implementation takes the same rounded inputs, and the float64 result is that of those, so an error is of the
implementation alone. Without a CUDA device the kernels are interpreted, and backends that need one say so.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from ..gpu.attention import scaled_dot_product_attention as eager_attention
from ..gpu.attention import triton_scaled_dot_product_attention

# Shah et al. 2024, "FlashAttention-3", section 4.3, the FP16 half of the table.
PAPER = {"baseline": 3.2e-4, "FlashAttention-2": 1.9e-4, "FlashAttention-3": 1.9e-4}
_DTYPES = (torch.float16, torch.bfloat16)
_SEED = 0
Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Row(NamedTuple):
    """An implementation in a dtype: the error, or why there is none."""

    implementation: str
    dtype: str
    rmse: float | None
    largest: float | None
    why: str | None


def inputs(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> list[torch.Tensor]:
    """Queries, keys and values with the paper's outliers, rounded."""
    generator = torch.Generator().manual_seed(_SEED)

    def drawn() -> torch.Tensor:
        normal, large = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
        return normal + 10.0 * large * (torch.rand(shape, generator=generator) < 1e-3)

    return [drawn().to(device, dtype) for _ in range(3)]


def baseline(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attention as one writes it, every step stored in the dtype."""
    return torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1) @ v


def backend(name: SDPBackend) -> Attention:
    """PyTorch's attention by one backend."""

    def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        with sdpa_kernel(name):
            return scaled_dot_product_attention(q, k, v)

    return attention


IMPLEMENTATIONS: dict[str, Attention] = {
    "baseline": baseline,
    "lemmata, eager": eager_attention,
    "lemmata, Triton": triton_scaled_dot_product_attention,
    "SDPA math": backend(SDPBackend.MATH),
    "SDPA flash": backend(SDPBackend.FLASH_ATTENTION),
    "SDPA efficient": backend(SDPBackend.EFFICIENT_ATTENTION),
    "SDPA cuDNN": backend(SDPBackend.CUDNN_ATTENTION),
}


def rows(shape: tuple[int, ...], device: str) -> Iterator[Row]:
    """Each implementation in each dtype."""
    for dtype in _DTYPES:
        q, k, v = inputs(shape, dtype, device)
        exact = baseline(q.double(), k.double(), v.double())
        for name, attention in IMPLEMENTATIONS.items():
            kind = str(dtype).removeprefix("torch.")
            try:
                error = (attention(q, k, v).double() - exact).abs()
            except (RuntimeError, NotImplementedError) as reason:
                yield Row(name, kind, None, None, str(reason).splitlines()[0])
            else:
                yield Row(name, kind, float(error.square().mean().sqrt()), float(error.max()), None)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table, and writes it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--length", type=int, help="of the sequence; default 4096 on CUDA, 256 otherwise")
    parser.add_argument("--json", type=Path, help="also write the result there")
    asked = parser.parse_args(arguments)
    length = asked.length or (4096 if asked.device.startswith("cuda") else 256)
    shape = (1, 4, length, 128)
    found = list(rows(shape, asked.device))
    about = {
        "date": datetime.date.today().isoformat(),
        "device": torch.cuda.get_device_name() if asked.device.startswith("cuda") else platform.machine(),
        "torch": torch.__version__,
        "shape": shape,
    }
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(f"{'implementation':18} {'dtype':9} {'RMSE':>8} {'largest':>8}")
    for row in found:
        figures = f"NOT RUN: {row.why}" if row.rmse is None else f"{row.rmse:8.1e} {row.largest:8.1e}"
        print(f"{row.implementation:18} {row.dtype:9} {figures}")
    print("the paper, FP16:", ", ".join(f"{name} {value:.1e}" for name, value in PAPER.items()))
    if asked.json:
        document: dict[str, Any] = {"about": about, "rows": [row._asdict() for row in found], "paper": PAPER}
        asked.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
