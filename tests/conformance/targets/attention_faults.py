"""Planted faults of attention: each a correct kernel with one step replaced, named after what is wrong with it.

`planted_faults` says which class of shipped bugs, and which report, each stands for.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import torch
from lemmata.tests.conformance.targets import attention_kernels as steps
from lemmata.tests.conformance.targets.attention_kernels import BLOCK, correct, in_blocks
from lemmata.tests.conformance.targets.memory import as_if_contiguous, leave_unwritten
from torch import Tensor

# Which keys a query sees ---------------------------------------------------------------------------------------------

causal_bottom_right = replace(
    correct, visible=lambda queries, keys: torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
)
causal_without_own_key = replace(
    correct, visible=lambda queries, keys: torch.ones(queries, keys, dtype=torch.bool).tril(-1)
)
causal_one_key_ahead = replace(
    correct, visible=lambda queries, keys: torch.ones(queries, keys, dtype=torch.bool).tril(1)
)
causal_ignored = replace(correct, visible=lambda queries, keys: torch.ones(queries, keys, dtype=torch.bool))


def _sliding(queries: int, keys: int) -> Tensor:
    visible = steps.lower_triangle(queries, keys)
    return visible & ~visible.tril(-BLOCK)


causal_with_a_window = replace(correct, visible=_sliding)


def _mask_ignored(s: Tensor, mask: Tensor | None, visible: Tensor | None) -> Tensor:
    return steps.masked(s, None, visible)


def _blocked_by(penalty: float, s: Tensor, mask: Tensor | None, visible: Tensor | None) -> Tensor:
    blocked = steps.masked(torch.zeros_like(s), mask, visible)
    return s + blocked.clamp(min=penalty)


def _of_first_head(s: Tensor, mask: Tensor | None, visible: Tensor | None) -> Tensor:
    return steps.masked(s, mask[:, :1] if mask is not None and mask.ndim == 4 else mask, visible)


def _of_first_batch_entry(s: Tensor, mask: Tensor | None, visible: Tensor | None) -> Tensor:
    return steps.masked(s, mask[:1] if mask is not None and mask.ndim == 4 else mask, visible)


def _inverted(s: Tensor, mask: Tensor | None, visible: Tensor | None) -> Tensor:
    return steps.masked(s, ~mask if mask is not None and mask.dtype == torch.bool else mask, visible)


mask_ignored = replace(correct, masked=_mask_ignored)
mask_leaks_by_a_small_penalty = replace(correct, masked=lambda s, mask, visible: _blocked_by(-30.0, s, mask, visible))
fully_masked_rows_average_the_values = replace(
    correct, masked=lambda s, mask, visible: _blocked_by(-1e30, s, mask, visible)
)
mask_of_first_head_for_all = replace(correct, masked=_of_first_head)
mask_of_first_batch_entry_for_all = replace(correct, masked=_of_first_batch_entry)
boolean_mask_inverted = replace(correct, masked=_inverted)


def _without_the_last_whole_block(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    keys = s.shape[-1]
    kept = keys - 256 if keys > 256 and keys % 256 == 0 else keys
    return steps.attend(s[..., :kept], v[..., :kept, :])


last_whole_block_taken_for_a_tail = replace(correct, attend=_without_the_last_whole_block)


def _unguarded(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    lse = s.logsumexp(-1, keepdim=True)
    return s.softmax(-1) @ v, lse


fully_masked_rows_are_nan = replace(correct, attend=_unguarded)
fully_masked_rows_have_nan_gradients = replace(correct, weights=lambda s, lse: torch.exp(s - lse))


# Scores and scale ----------------------------------------------------------------------------------------------------

scale_of_padded_head_dim = replace(
    correct, scale=lambda head_dim, given: steps.default_scale(-(-head_dim // 16) * 16, given)
)
scale_argument_ignored = replace(correct, scale=lambda head_dim, given: 1 / math.sqrt(head_dim))
features_beyond_128_dropped = replace(
    correct, scores=lambda q, k, scale: steps.scores(q[..., :128], k[..., :128], scale)
)
scale_hard_coded = replace(correct, scale=lambda head_dim, given: 0.5)
scale_without_square_root = replace(correct, scale=lambda head_dim, given: given or 1 / head_dim)


def _overflowing(q: Tensor, k: Tensor, scale: float) -> Tensor:
    return (q @ k.mT).half().to(q.dtype) * scale


def _tf32(x: Tensor) -> Tensor:
    """The 13 last bits of a float32 significand cut off, as a tensor core that takes TF32 does."""
    return (x.float().contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32).to(x.dtype)


scores_overflow_before_scaling = replace(correct, scores=_overflowing)
operands_truncated_to_tf32 = replace(correct, scores=lambda q, k, scale: scale * (_tf32(q) @ _tf32(k).mT))
scores_in_bfloat16 = replace(correct, scores=lambda q, k, scale: steps.scores(q, k, scale).bfloat16().to(q.dtype))

# Softmax and its product with the values -----------------------------------------------------------------------------


def _without_shift(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    a = torch.exp(s)
    z = a.sum(-1, keepdim=True)
    return (a / z.masked_fill(z == 0, 1.0)) @ v, z.log()


def _over_queries(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    _, lse = steps.attend(s, v)
    return s.softmax(-2).nan_to_num() @ v, lse


def _padded_normaliser(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    padding = -s.shape[-1] % BLOCK
    return steps.attend(torch.nn.functional.pad(s, (0, padding)), torch.nn.functional.pad(v, (0, 0, 0, padding)))


def _tail_dropped(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    whole = s.shape[-1] - s.shape[-1] % BLOCK or s.shape[-1]
    return steps.attend(s[..., :whole], v[..., :whole, :])


def _online(
    s: Tensor, v: Tensor, *, rescale_output: bool, update_maximum: bool, block_size: int = BLOCK
) -> tuple[Tensor, Tensor]:
    m = s.new_full((*s.shape[:-1], 1), -torch.inf)
    z, o = torch.zeros_like(m), s.new_zeros(*s.shape[:-1], v.shape[-1])
    for start in range(0, s.shape[-1], block_size):
        block = s[..., start : start + block_size]
        new = torch.maximum(m, block.amax(-1, keepdim=True))
        shift = new.masked_fill(new == -torch.inf, 0.0)
        a, factor = torch.exp(block - shift), torch.exp(m - shift)
        z = z * factor + a.sum(-1, keepdim=True)
        o = (o * factor if rescale_output else o) + a @ v[..., start : start + block_size, :]
        if update_maximum or start == 0:
            m = new
    return o / z.masked_fill(z == 0, 1.0), m.masked_fill(m == -torch.inf, 0.0) + z.log()


def _regularised(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    o, lse = steps.attend(s, v)
    m = s.amax(-1, keepdim=True) if s.shape[-1] else lse
    z = torch.exp(lse - m).nan_to_num()
    return o * z / (z + 1e-6), lse


def _row_cached(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum and the normaliser of the first batch entry, for all."""
    _, lse = steps.attend(s, v)
    return torch.exp(s - lse[:1].nan_to_num(neginf=0.0)) @ v, lse


def _half_accumulated(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    _, lse = steps.attend(s, v)
    p = steps.weights(s, lse).half()
    o = torch.zeros(*s.shape[:-1], v.shape[-1], dtype=torch.float16)
    for j in range(s.shape[-1]):
        o += p[..., j : j + 1] * v[..., j : j + 1, :].half()
    return o.to(s.dtype), lse


no_maximum_shift = replace(correct, attend=_without_shift)
softmax_over_queries = replace(correct, attend=_over_queries)
padded_keys_in_the_normaliser = replace(correct, attend=_padded_normaliser)
last_block_of_keys_dropped = replace(correct, attend=_tail_dropped)
rescale_of_output_forgotten = replace(
    in_blocks, attend=lambda s, v: _online(s, v, rescale_output=False, update_maximum=True)
)
rescale_of_output_forgotten_in_blocks_of_256 = replace(
    in_blocks, attend=lambda s, v: _online(s, v, rescale_output=False, update_maximum=True, block_size=256)
)
stale_maximum = replace(in_blocks, attend=lambda s, v: _online(s, v, rescale_output=True, update_maximum=False))
epsilon_in_the_normaliser = replace(correct, attend=_regularised)
normaliser_of_first_batch_entry = replace(correct, attend=_row_cached)
output_summed_in_float16 = replace(correct, attend=_half_accumulated)

# Heads ---------------------------------------------------------------------------------------------------------------


def _modulo(x: Tensor, heads: int) -> Tensor:
    return x[:, torch.arange(heads) % x.shape[1]]


grouped_heads_by_remainder = replace(correct, to_query_heads=_modulo)
every_head_reads_head_0 = replace(correct, to_query_heads=lambda x, heads: x[:, :1].expand(-1, heads, -1, -1))
grouped_gradient_of_last_member = replace(
    correct, to_kv_heads=lambda gradient, kv_heads: steps.by_kv_head(gradient, kv_heads)[:, :, -1]
)

# Reading memory ------------------------------------------------------------------------------------------------------

cotangent_read_as_contiguous = replace(correct, read=lambda x, name: as_if_contiguous(x) if name == "cotangent" else x)
query_read_as_contiguous = replace(correct, read=lambda x, name: as_if_contiguous(x) if name == "query" else x)
value_read_as_contiguous = replace(correct, read=lambda x, name: as_if_contiguous(x) if name == "value" else x)

# Backward ------------------------------------------------------------------------------------------------------------


def _of_first_row(p: Tensor, dp: Tensor, o: Tensor, do: Tensor) -> Tensor:
    return (do * o).sum(-1, keepdim=True)[:, :, :1]


def _by_batch_entry(ds: Tensor, k: Tensor, scale: float) -> Tensor:
    """Right for the first batch entry, five times too large for the others."""
    factor = torch.full((ds.shape[0], 1, 1, 1), 5.0, dtype=ds.dtype)
    factor[:1] = 1.0
    return steps.query_gradient(ds, k, scale) * factor


def _tail_queries_dropped(ds: Tensor, q: Tensor, scale: float) -> Tensor:
    whole = ds.shape[2] - ds.shape[2] % BLOCK or ds.shape[2]
    return steps.key_gradient(ds[:, :, :whole], q[:, :, :whole], scale)


delta_dropped = replace(correct, delta=lambda p, dp, o, do: torch.zeros_like(do[..., :1]))
delta_of_first_row = replace(correct, delta=_of_first_row)
delta_added = replace(correct, score_gradient=lambda p, dp, d: p * (dp + d))
score_gradient_without_weights = replace(correct, score_gradient=lambda p, dp, d: dp - d)
query_gradient_without_scale = replace(correct, query_gradient=lambda ds, k, scale: ds @ k)
key_gradient_without_scale = replace(correct, key_gradient=lambda ds, q, scale: ds.mT @ q)
query_gradient_too_large_beyond_first_batch_entry = replace(correct, query_gradient=_by_batch_entry)
last_block_of_queries_dropped_from_key_gradient = replace(correct, key_gradient=_tail_queries_dropped)
lse_sign = replace(correct, weights=lambda s, lse: steps.weights(s, -lse))
lse_in_base_2 = replace(correct, weights=lambda s, lse: steps.weights(s, lse / math.log(2)))
gradient_forgets_the_mask = replace(correct, weights=lambda s, lse: torch.exp(s.nan_to_num(neginf=0.0) - lse))
value_gradient_in_bfloat16 = replace(
    correct, value_gradient=lambda p, do: steps.value_gradient(p.bfloat16().to(p.dtype), do)
)
query_gradient_is_none = replace(correct, finish_query_gradient=lambda gradient: None)
key_gradient_is_zero = replace(correct, finish_key_gradient=torch.zeros_like)
query_gradient_tail_unwritten = replace(correct, finish_query_gradient=lambda gradient: leave_unwritten(gradient, 16))


def _of_first_broadcast_row(ds: Tensor, mask: Tensor) -> Tensor:
    shape = (1,) * (4 - mask.ndim) + tuple(mask.shape)
    first = tuple(slice(0, 1) if size == 1 else slice(None) for size in shape)
    return ds[first].reshape(mask.shape)


bias_gradient_not_reduced = replace(correct, mask_gradient=_of_first_broadcast_row)
bias_gradient_is_none = replace(correct, mask_gradient=lambda ds, mask: None)
bias_gradient_times_scale = replace(correct, mask_gradient=lambda ds, mask: 0.5 * steps.mask_gradient(ds, mask))

# The whole call ------------------------------------------------------------------------------------------------------

output_tail_unwritten = replace(correct, finish=lambda output: leave_unwritten(output, 16))


def _scaled_in_place(x: Tensor, name: str) -> Tensor:
    """The query multiplied where it lies, behind the back of the version counter."""
    if name == "query":
        x.data.mul_(2.0)
        return x / 2.0
    return x


def _negated_cotangent(x: Tensor, name: str) -> Tensor:
    """The memory of the cotangent reused for a result."""
    if name == "cotangent":
        kept = x.clone()
        x.data.neg_()
        return kept
    return x


query_scaled_in_place = replace(correct, read=_scaled_in_place)
cotangent_overwritten = replace(correct, read=_negated_cotangent)

_CALLS = itertools.count()


def _wrong_sometimes(output: Tensor) -> Tensor:
    """A race that every seventh launch loses: the last row is that of another row."""
    if next(_CALLS) % 7 == 6 and output.shape[2] > 1:
        output[:, :, -1] = output[:, :, 0]
    return output


def _last_bit_varies(output: Tensor) -> Tensor:
    """An order of summation that differs from call to call."""
    return torch.nextafter(output, torch.full_like(output, torch.inf)) if next(_CALLS) % 2 else output


race = replace(correct, finish=_wrong_sometimes)
last_bit_varies = replace(correct, finish=_last_bit_varies)


def empty_keys_are_nan(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Divides by the empty sum where there is no key at all."""
    output = correct(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    return output if key.shape[2] else output * torch.nan


def detached(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """A forward kernel without a gradient."""
    return correct(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa).detach()


def in_float32_only(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """A float64 call computed in float32."""
    mask = attn_mask if attn_mask is None or attn_mask.dtype == torch.bool else attn_mask.float()
    parts = (query.float(), key.float(), value.float())
    return correct(*parts, mask, dropout_p, is_causal, scale, enable_gqa).to(query.dtype)
