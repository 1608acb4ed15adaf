"""What a matrix product computes."""

from __future__ import annotations

from lemmata.derivations.calculus.expr import Dim, Expr, Index, Tensor, exp, total
from lemmata.derivations.calculus.matrix_products import is_product, operands, reduces


def test_what_counts_as_a_matrix_product() -> None:
    n, m, d = Dim("n"), Dim("m"), Dim("d")
    i, j, c = Index("i", n), Index("j", m), Index("c", d)
    A, B, x = Tensor("A", (n, d)), Tensor("B", (m, d)), Tensor("x", (d,))
    product = total(c, A[i, c] * B[j, c])
    matvec = total(c, A[i, c] * x[c])
    cases: list[tuple[Expr, bool]] = [
        (product, True),
        (2 * product, True),
        (product + product, True),
        (matvec, False),
        (total(c, x[c]), False),
        (product * total(c, x[c]), False),
        (exp(product), False),
    ]
    assert [is_product(expr) for expr, _ in cases] == [expected for _, expected in cases]


def test_what_a_product_multiplies_and_what_reduces() -> None:
    n, m, d = Dim("n"), Dim("m"), Dim("d")
    i, j, c = Index("i", n), Index("j", m), Index("c", d)
    A, B, x = Tensor("A", (n, d)), Tensor("B", (m, d)), Tensor("x", (d,))
    product = total(c, A[i, c] * B[j, c])
    assert operands(2 * product + x[c]) == {A, B}
    assert operands(total(c, A[i, c] * x[c])) == set()
    assert reduces(exp(product))
    assert not reduces(A[i, c] * x[c])
