"""Attention's gradient with a fault: dK without the scale."""

from __future__ import annotations

from dataclasses import replace

from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.attention_program import c, e, i, j, k, lse, o, p, q, r, v
from lemmata.derivations.calculus.expr import total
from lemmata.derivations.calculus.statement import Equal, Statement

do, dlse = ATTENTION.cotangent(o), ATTENTION.cotangent(lse)
row_term = total(e, do[r, i, e] * o[r, i, e]) - dlse[r, i]
ds = p[r, i, j] * (total(e, do[r, i, e] * v[j, e]) - row_term)


def statements() -> tuple[Statement, ...]:
    wrong = ATTENTION.program.inline(total(r, i, ds * q[r, i, c]))
    right = ATTENTION.derived_vjp.inline(ATTENTION.gradient(k)[j, c])
    return (Statement("S1", "dK = dSᵀ Q", Equal(right, wrong)),)


OPERATIONS = (replace(ATTENTION, name="missing_scale", statements=statements),)
