"""Verdicts with evidence for the tests of what is shown of them: real arrays, real bounds, real shares by size."""

from __future__ import annotations

from dataclasses import replace

import torch
from lemmata.conformance.cases import AttentionCase, attention_cases
from lemmata.conformance.contracts import allowance
from lemmata.conformance.operations import find_operation
from lemmata.conformance.problems import DTYPES, array
from lemmata.conformance.profiles import find_profile
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import Compared, Failure, ProfileUse, Verdict
from torch import Tensor

PROFILES = {"float64": "fp64", "float32": "fp32", "bfloat16": "fused", "float16": "fused"}
# Around the block of the kernel below, whose fault is in the last block of keys.
LENGTHS = (1, 3, 8, 17, 33, 63, 64, 65, 100, 128)
BLOCK = 64


def last_block_is_lost(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """Attention that rounds the number of keys down to a multiple of its block, once there are more than one."""
    kept = key.shape[-2] if key.shape[-2] <= BLOCK else key.shape[-2] // BLOCK * BLOCK
    mask = attn_mask if attn_mask is None or attn_mask.shape[-1] == 1 else attn_mask[..., :kept]
    return torch.nn.functional.scaled_dot_product_attention(
        query, key[..., :kept, :], value[..., :kept, :], mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )


def compared(length: int, dtype: str, *, heads: int = 2) -> Compared:
    """The output of that kernel beside the reference, at as many queries as keys."""
    operation = find_operation("attention")
    case = AttentionCase(kv_heads=heads, queries=length, keys=length, head_dim=8, value_dim=8, values=("normal",) * 3)
    problem = operation.build(case, DTYPES[dtype]).without_gradient()
    query, key, value = (torch.from_numpy(x).to(DTYPES[dtype]) for x in problem.arrays.values())
    bound = allowance(operation, problem, find_profile(PROFILES[dtype], dtype, "cpu"), dtype)
    return Compared.of(
        "output", array(last_block_is_lost(query, key, value)), operation.reference(problem).output, bound.output
    )


def with_evidence(dtypes: tuple[str, ...] = ("float64", "float32", "bfloat16", "float16")) -> Verdict:
    """The verdict on that kernel, with arrays, sizes, an explanation and a missed profile."""
    # Of short sequences nothing is lost.
    short = replace(find_operation("attention"), cases=lambda: attention_cases(small=True))
    run = conform(short, last_block_is_lost, dtypes=dtypes, examples=40)
    checks = []
    for check in run.checks:
        if check.name == "forward":
            found = {length: compared(length, check.dtype) for length in LENGTHS}
            sizes = tuple((x.errors.size, float(x.shares.max())) for x in found.values())
            failure = Failure(
                "output: the sum over keys ends early",
                "AttentionCase(kv_heads=2, queries=65, keys=65)",
                "import torch\n\n# The smallest case.\nassert torch.zeros(1) == 1.0, 'off by one'\n",
                (found[65],),
                ("keys ≥ 64 are not read", "equals the output without the last block of keys"),
            )
            worst = max(share for _, share in sizes)
            check = replace(check, status="failed", worst=worst, sizes=sizes, failure=failure)
        elif check.name == "gradient" and check.failure is None:
            check = replace(check, sizes=tuple((8 * n, (check.worst or 0.0) / (1 + n % 3)) for n in LENGTHS))
        checks.append(check)
    profiles = dict(run.profiles)
    if "float16" in profiles:
        use = profiles["float16"]
        profiles["float16"] = ProfileUse("eager", "split", use.description, "fused", 1.37)
    return replace(run, checks=tuple(checks), profiles=profiles)
