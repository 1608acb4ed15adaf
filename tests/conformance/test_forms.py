"""The form of a call follows from the program: kinds, order, shared parameters, what reaches what."""

from fractions import Fraction

from lemmata.conformance.forms import Axes, form_of
from lemmata.derivations.calculus.expr import ONE, Const, Dim, Index, Size, Tensor, log, total
from lemmata.derivations.calculus.operation import Input, Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.catalogue import find_one

n, V, d = Dim("n"), Dim("V"), Dim("d", grows=False)
i, c = Index("i", n), Index("c", d)
ids, w = Tensor("ids", (n,), "index", V), Tensor("w", (V, d))
keep, temperature, gain = Tensor("keep", (n,), "boolean"), Tensor("temperature", (), "positive"), Tensor("gain")
y, norm, count = Tensor("y", (n, d)), Tensor("norm"), Tensor("count")

LOOKUP = Operation(
    "lookup",
    "Rows of a table, scaled, and what they add up to.",
    Program(
        "lookup",
        (keep, ids, w, temperature, gain),
        (
            Def(y[i, c], keep[i] * gain[()] * w[ids(i), c] / temperature[()]),
            Def(norm[()], total(i, c, w[ids(i), c]) / Size(n)),
            Def(count[()], log(temperature[()])),
        ),
        (y, norm),
    ),
    (w, gain),
    lambda: (),
    {
        "keep": Input("mask `[..., n]`", ONE),
        "ids": Input("positions `[..., n]`"),
        "w": Input("table `[V, d]`", shared=True),
        "temperature": Input("positive number"),
        "gain": Input("number", Const(Fraction(1))),
    },
)
FORM = form_of(LOOKUP)


def test_required_arguments_come_first_and_by_position() -> None:
    assert FORM.positional == ("ids", "w", "temperature")
    assert [argument.name for argument in FORM.arguments] == ["ids", "w", "temperature", "keep", "gain"]


def test_an_argument_has_its_kind_and_shape() -> None:
    by_name = {argument.name: argument for argument in FORM.arguments}
    sizes = {"n": 3, "V": 5, "d": 2}
    assert by_name["ids"].kind == "index"
    assert by_name["ids"].over == "V"
    assert by_name["ids"].shape(sizes, (4,)) == (4, 3)
    assert by_name["w"].shape(sizes, (4,)) == (5, 2)
    assert by_name["keep"].kind == "boolean"
    assert by_name["keep"].shape(sizes, ()) == (3,)


def test_a_scalar_without_gradient_is_a_number_and_one_with_a_gradient_a_tensor() -> None:
    assert [argument.name for argument in FORM.numbers] == ["temperature"]
    gain_argument = FORM.tensors[-1]
    assert (gain_argument.name, gain_argument.differentiable, gain_argument.shared) == ("gain", True, True)


def test_gradients_are_in_the_order_of_the_operation() -> None:
    assert FORM.gradients == ("w", "gain")


def test_outputs_know_what_they_depend_on() -> None:
    assert list(FORM.outputs) == ["y", "norm"]
    assert FORM.reaches == {"y": {"keep", "ids", "w", "temperature", "gain"}, "norm": {"ids", "w"}}


def test_what_is_divided_by_or_pointed_into_is_never_empty() -> None:
    assert FORM.may_be_empty == {"d"}
    (logsumexp,) = find_one("logsumexp").operations
    assert form_of(logsumexp).may_be_empty == frozenset()


def test_the_work_of_a_definition_includes_what_it_sums_over() -> None:
    attention = form_of(find_one("softcapped_attention").operations[0])
    assert ("d", "m", "n", "r") in attention.work
    assert attention.positions({"r": 2, "n": 3, "m": 5, "d": 7, "d_v": 1}) == 210


def test_the_scores_of_a_sequence_with_itself_run_over_it_twice() -> None:
    block = form_of(find_one("pre_norm_block").operations[-1])
    assert any(work.count("n") == 2 for work in block.work)
    assert block.positions({**dict.fromkeys(block.dims, 1), "n": 7}) == 49


def test_a_pair_is_one_array_of_twice_the_features() -> None:
    (rope,) = find_one("rope").operations
    form = form_of(rope)
    assert form.interleaves
    assert form.arguments[0].name == "x"
    assert Axes(("n", "h"), paired=True).shape({"n": 3, "h": 2}, (4,)) == (4, 3, 4)
    assert form.gradients == ("x",)


def test_another_convention_renames_leaves_out_and_fixes() -> None:
    form = FORM.called({"w": "weight"}, ("keep",), ("gain",), {"weight": "real"})
    assert [argument.name for argument in form.arguments] == ["ids", "weight", "temperature", "gain"]
    assert form.gradients == ("weight",)
    assert form.reaches["norm"] == {"ids", "weight"}
    assert not form.arguments[-1].differentiable


def test_outputs_reach_the_parameters_of_layers() -> None:
    form = form_of(find_one("language_model").operations[-1])
    assert {"w_q", "b_1", "positions", "gain"} < form.reaches["logits"]
    assert "target" in form.reaches["mean"]
    assert "target" not in form.reaches["logits"]


def test_what_a_layer_divides_by_is_never_empty() -> None:
    """The head dimension, whose square root the scale is made of, and the keys, of which the largest is taken."""
    form = form_of(find_one("language_model").operations[-1])
    assert form.may_be_empty.isdisjoint({"d_h", "n", "d"})
    assert "L" in form.may_be_empty


def test_layers_count_as_work() -> None:
    form = form_of(find_one("language_model").operations[-1])
    assert ("L", "d", "d_f", "n") in form.work
    assert form.positions({**dict.fromkeys(form.dims, 1), "L": 5, "n": 3, "d_f": 7}) == 105


def test_a_dimension_is_what_it_stands_beside() -> None:
    extents = form_of(find_one("multi_head_attention").operations[0]).dims
    assert {name for name, extent in extents.items() if extent == "length"} == {"n", "m"}
    assert {name for name, extent in extents.items() if extent == "width"} == {"d_q", "d_k", "d_v", "d_o"}
    assert {name for name, extent in extents.items() if extent == "head"} == {"d_h", "d_w"}
    assert {name for name, extent in extents.items() if extent == "count"} == {"g", "r"}
    model = form_of(find_one("language_model").operations[-1]).dims
    assert (model["L"], model["d_f"], model["d_h"]) == ("count", "width", "head")
