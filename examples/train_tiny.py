"""Trains a tiny language model on a few sonnets, character by character, with the operators of `lemmata.gpu`.

    python examples/train_tiny.py [--steps N] [--device cpu|cuda]

Before the first step, in the middle and after the last one, the gradients of all parameters for some characters are
held to the NumPy reference, element by element, to the derived bound on rounding errors: in float64, where the bound of
a whole model, which adds up the worst of every step, is far below the gradients. Exits 1 if one is beyond its bound, if
too few bounds say anything, or if the loss has not fallen.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lemmata.conformance.compare import compare
from lemmata.conformance.profiles import REFERENCE_PRECISION
from lemmata.gpu.kernels import kernels_for
from lemmata.gpu.model import LanguageModel, Sizes
from lemmata.gpu.optimizer import clip_grad_norm
from lemmata.reference.bounds.language_model import language_model_vjp_bound
from lemmata.reference.language_model import language_model_vjp

TEXT = Path(__file__).parent / "sonnets.txt"
STEPS, BATCH, LENGTH = 600, 16, 48
# Characters whose gradients are held to the reference.
CHECKED = 8
# A bound says something of a gradient if it is below this share of the largest one of the same parameter; so many must.
TELLING, LEAST_TOLD = 1e-3, 0.5
RATE, WARM_UP, MAX_NORM, WEIGHT_DECAY = 3e-3, 20, 1.0, 0.01


def main() -> int:
    """Trains, and prints what there is to see."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    checks, losses = train(asked.steps, asked.device)
    last = sum(losses[-20:]) / len(losses[-20:])
    print(f"loss {losses[0]:.2f} at first, {last:.2f} at last")
    conforms = all(share <= 1 and told >= LEAST_TOLD for share, told in checks)
    print("gradients conform" if conforms else "gradients do not conform")
    return 0 if conforms and last < losses[0] else 1


def train(steps: int, device: str) -> tuple[list[tuple[float, float]], list[float]]:
    """What the checks of the gradients gave, and the loss of each step."""
    text = TEXT.read_text(encoding="utf-8")
    letters = sorted(set(text))
    tokens = torch.tensor([letters.index(letter) for letter in text], device=device)
    draws = torch.Generator().manual_seed(0)
    sizes = Sizes(tokens=len(letters), length=LENGTH, layers=2, groups=2, members=2, width=32, hidden=128)
    model = LanguageModel(sizes, draws).to(device)
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in model.named_parameters()}
    checks, losses, began = list[tuple[float, float]](), list[float](), time.perf_counter()
    for step in range(1, steps + 1):
        if step in (1, steps // 2 + 1):
            checks.append(check(model, tokens, step - 1))
        starts = torch.randint(len(tokens) - LENGTH, (BATCH,), generator=draws)
        lines = torch.stack([tokens[k : k + LENGTH + 1] for k in starts.tolist()])
        _, mean, _ = model(lines[:, :-1], lines[:, 1:])
        loss = mean.mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        update(model, moments, gradients, step, RATE * min(1.0, step / WARM_UP))
        losses.append(loss.item())
        if step % 50 == 0:
            print(f"step {step:4}  loss {sum(losses[-50:]) / 50:.3f}  {time.perf_counter() - began:.0f} s", flush=True)
    return [*checks, check(model, tokens, steps)], losses


def update(
    model: LanguageModel,
    moments: dict[str, tuple[torch.Tensor, torch.Tensor]],
    gradients: tuple[torch.Tensor, ...],
    step: int,
    rate: float,
) -> None:
    """One step of AdamW on all parameters, with the norm of the whole gradient clipped."""
    whole, _ = clip_grad_norm(torch.cat([g.flatten() for g in gradients]), MAX_NORM)
    parts = torch.split(whole, [g.numel() for g in gradients])
    with torch.no_grad():
        for (name, p), part in zip(model.named_parameters(), parts, strict=True):
            m, v = moments[name]
            new, *moments[name] = kernels_for(p).adamw(
                p, part.view_as(p), m, v, float(step), rate, beta2=0.99, weight_decay=WEIGHT_DECAY
            )
            p.copy_(new)


def check(trained: LanguageModel, tokens: torch.Tensor, steps: int) -> tuple[float, float]:
    """The largest share of its bound that a gradient uses, and the share of the bounds that say something."""
    model = copy.deepcopy(trained).double()
    ids, target = tokens[:CHECKED], tokens[1 : CHECKED + 1]
    _, mean, _ = model(ids, target)
    found = torch.autograd.grad(mean, list(model.parameters()))
    arguments: dict[str, Any] = {name: p.detach().cpu().numpy() for name, p in model.named_parameters()}
    arguments["positions"] = arguments["positions"][:CHECKED]
    arguments |= {"ids": ids.cpu().numpy(), "target": target.cpu().numpy()}
    arguments |= {"dloss": np.zeros(CHECKED), "dmean": np.ones(())}
    wanted = language_model_vjp(**arguments)
    # The reference is in float64 as well, and no more accurate.
    allowed = language_model_vjp_bound(**arguments, precision=REFERENCE_PRECISION)
    share, told, count = 0.0, 0, 0
    for (name, _), gradient, expected, bound in zip(model.named_parameters(), found, wanted, allowed, strict=True):
        actual = gradient.cpu().numpy()[: len(expected)]
        finding = compare(f"gradient of {name}", actual, expected, 2 * bound)
        if finding.failure:
            print(f"    {finding.failure}")
        share = max(share, finding.share)
        told += int(np.count_nonzero(2 * bound < TELLING * np.abs(expected).max(initial=0.0)))
        count += bound.size
    print(f"after {steps} steps: {count} gradients use at most {share:.2g} of their bound; {told} bounds tell much")
    return share, told / count


if __name__ == "__main__":
    sys.exit(main())
