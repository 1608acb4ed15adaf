"""Attention's gradient with a fault: D is dropped from dS = P ∘ (dP − D)."""

from __future__ import annotations

from dataclasses import replace

from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.attention_program import c, e, i, j, k, o, p, q, r, scale, v
from lemmata.derivations.calculus.expr import total
from lemmata.derivations.calculus.statement import Equal, Statement

do = ATTENTION.cotangent(o)
dp = total(e, do[r, i, e] * v[j, e])


def statements() -> tuple[Statement, ...]:
    wrong = ATTENTION.program.inline(scale[()] * total(j, p[r, i, j] * dp * k[j, c]))
    right = ATTENTION.derived_vjp.inline(ATTENTION.gradient(q)[r, i, c])
    return (Statement("S1", "dQ = scale · (P ∘ dP) K", Equal(right, wrong)),)


OPERATIONS = (replace(ATTENTION, name="dropped_row_term", statements=statements),)
