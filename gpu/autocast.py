"""Autocast: the dtypes that `torch.autocast` gives the PyTorch operations that these functions stand for.

PyTorch's lists differ by device: products are lowered to autocast's dtype everywhere, losses are raised to float32
everywhere, softmax and layer norm only on CUDA. float64 stays. Inside an operator nothing is cast any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def lowered(*tensors: torch.Tensor | None) -> list[Any]:
    """The tensors as a product takes them."""
    device = _device(tensors)
    return _cast(tensors, torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else list(tensors)


def raised(*tensors: torch.Tensor | None, cpu: bool = False) -> list[Any]:
    """The tensors as a loss takes them, or what is raised on CUDA alone unless `cpu`."""
    device = _device(tensors)
    wanted = torch.is_autocast_enabled(device) and (cpu or device == "cuda")
    return _cast(tensors, torch.float32) if wanted else list(tensors)


@contextmanager
def as_given(device: torch.device) -> Iterator[None]:
    """Nothing is cast inside."""
    if torch.is_autocast_enabled(device.type):
        with torch.autocast(device.type, enabled=False):
            yield
    else:
        yield


def _device(tensors: tuple[torch.Tensor | None, ...]) -> str:
    return next(x.device.type for x in tensors if x is not None)


def _cast(tensors: tuple[torch.Tensor | None, ...], dtype: torch.dtype) -> list[Any]:
    def castable(x: torch.Tensor | None) -> bool:
        return x is not None and x.is_floating_point() and x.dtype != torch.float64

    return [x.to(dtype) if x is not None and castable(x) else x for x in tensors]
