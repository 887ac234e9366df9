"""Weights and multiply-adds, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas_fusion.baselines.models import EDCN, FNN, IPNN, DCNv2Parallel, DeepFM, FinalMLP, ModelShape, WideDeep, XDeepFM
from nas_fusion.design import FusionDesign
from nas_fusion.field_shapes import FieldForm, FieldShape
from nas_fusion.measures import multiply_adds, parameters
from nas_fusion.nn import Fields
from nas_fusion.search_spaces import DCNv2LowRankSpace, DesignSet, FusionSpace
from nas_fusion.strategy import STRATEGIES

FIELDS = Fields.of((5, 4, 3), emb_dim=4)
IDS, D = 12, 12  # 3 fields of width 4


def space(levels: int = 2, **options: Any) -> FusionSpace:
    return FusionSpace(field_sizes=FIELDS.shapes, emb_dim=FIELDS.emb_dim, levels=levels, **options)


def reference(name: str) -> FusionDesign:
    return STRATEGIES.get(name).reference_design(DesignSet(2))


EMBEDDING, HEAD = IDS * 4, D + 1
CROSS, DEEP = 2 * D, D * D + D
ATTENTION = 2 * D * D + D
"""Weights of the table, of the map to the logit, of a cross, of a dense layer, of attention to one input."""

MIXED = FusionDesign.build(
    2,
    [
        ("embedding", "cross0"), ("embedding", "cross1"), ("cross0", "cross1"), ("embedding", "deep2"),
        ("cross1", "deep2"), ("cross0", "deep2"), ("deep2", "output"), ("cross0", "output"),
    ],
    {"cross1": "attention", "deep1": "add", "cross2": "add", "deep2": "product", "output": "attention"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("design", "weights", "work"),
    [
        # embedding → cross0 → cross1 → deep2 → output; a cross is w·f (D) and a product with e (D)
        (reference("stacked"), EMBEDDING + 2 * CROSS + DEEP + HEAD, 2 * 2 * D + D * D + D),
        # crosses 0 to 2 beside deep blocks 1 and 2, concatenated: W [x; y] + b
        (
            reference("parallel"),
            EMBEDDING + 3 * CROSS + 2 * DEEP + (2 * D * D + D) + HEAD,
            3 * 2 * D + 2 * D * D + 2 * D * D + D,
        ),
        # two attentions of two inputs each (two matrices and a product per input), one product of three inputs (2 D)
        (
            MIXED,
            EMBEDDING + 2 * CROSS + 2 * ATTENTION + DEEP + 2 * ATTENTION + HEAD,
            2 * 2 * D + 2 * (2 * D * D + D) + 2 * D + D * D + 2 * (2 * D * D + D) + D,
        ),
    ],
    ids=["stacked", "parallel", "attention-and-product"],
)
def test_three_designs_by_hand(design: FusionDesign, weights: int, work: int) -> None:
    model = space().derive(design, weights=False)
    assert (parameters(model), multiply_adds(model, FIELDS)) == (weights, work)


def test_the_numbers_of_the_three_designs() -> None:
    found = [space().derive(d, weights=False) for d in (reference("stacked"), reference("parallel"), MIXED)]
    assert [parameters(m) for m in found] == [265, 745, 1465]
    assert [multiply_adds(m, FIELDS) for m in found] == [204, 660, 1428]


def test_a_soft_model_by_hand() -> None:
    """Two deep blocks, one of them with one of two candidate inputs, so without the product."""
    design = FusionDesign.build(
        1, [("embedding", "cross0"), ("embedding", "deep1"), ("cross0", "deep1"), ("deep1", "output")], "add"
    )
    mixture = {b: dict.fromkeys(("add", "product", "concat", "attention"), 0.25) for b in ("cross1", "deep1", "output")}
    model = space(levels=1).derive(design, mode="soft", mixture=mixture)
    of_deep = D + 2 * D * D + 2 * (2 * D * D + D) + 4 * D  # product, concat, attentions; then 4 weights of the mixture
    of_output = D * D + (2 * D * D + D) + 3 * D  # one input of four: the product is zero and gone
    assert multiply_adds(model, FIELDS) == 2 * D + of_deep + D * D + of_output + D
    concats = (2 * D * D + D) + (D * D + D)
    assert parameters(model) == EMBEDDING + CROSS + DEEP + concats + 3 * ATTENTION + HEAD


def test_fast_paths_do_not_change_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    design = FusionDesign.build(1, [("embedding", "cross0"), ("embedding", "deep1"), ("deep1", "output")], "add")
    mixture = {b: dict.fromkeys(("add", "product", "concat", "attention"), 0.25) for b in ("cross1", "deep1", "output")}
    model = space(levels=1).derive(design, mode="soft", mixture=mixture)
    counted = multiply_adds(model, FIELDS)
    for node in model.nodes.values():
        if hasattr(node, "_covered"):
            assert node._covered
            monkeypatch.setattr(node, "_covered", ())
    assert multiply_adds(model, FIELDS) == counted


SHAPE = ModelShape(FIELDS, hidden=(6, 5))
TOWER = D * 6 + 6 * 5 + 5


def test_hand_made_models_by_hand() -> None:
    norms, biases = 2 * (6 + 5), 6 + 5 + 1
    fnn = FNN(SHAPE)
    assert multiply_adds(fnn, FIELDS) == TOWER
    assert parameters(fnn) == EMBEDDING + TOWER + norms + biases
    dcnv2 = DCNv2Parallel(SHAPE, cross_layers=2)
    assert multiply_adds(dcnv2, FIELDS) == 2 * (D * D + D) + (TOWER - 5) + (D + 5)
    assert parameters(dcnv2) == EMBEDDING + 2 * (D * D + D) + TOWER + D + norms + biases
    # a layer of the CIN: all pairs of its 3 or 7 vectors with the 3 fields', of width 4, then 7 (or 2) sums of them
    xdeepfm = XDeepFM(SHAPE, (7, 2))
    cin = 4 * (3 * 3) * (1 + 7) + 4 * (7 * 3) * (1 + 2)
    assert multiply_adds(xdeepfm, FIELDS) == TOWER + cin + 9
    assert parameters(xdeepfm) == EMBEDDING + IDS + TOWER + norms + biases + 9 * 7 + 21 * 2 + 9


@pytest.mark.parametrize(
    ("model", "work"),
    [
        (WideDeep(SHAPE), TOWER),
        (DeepFM(SHAPE), TOWER + 3 * 4 + 4 + 1),  # the squares of 12 numbers and of 4 sums, and the half
        (IPNN(SHAPE), TOWER + 3 * 6 + 3 * 3 * 4),  # 3 more inputs; all 9 inner products are computed
        (EDCN(SHAPE, layers=1), 2 * D + 2 * D + D * D + D + 3 * D),  # gates, cross, dense layer, product, head
        # gates without context are one row for all; 6 × 5 bilinear form, its product with y, linear part
        (
            FinalMLP(ModelShape(FIELDS, hidden=(6,)), (5,), heads=1),
            2 * D + D * 6 + D * 5 + 6 * 5 + 5 + 11,
        ),
    ],
    ids=["wide-deep", "deepfm", "ipnn", "edcn", "finalmlp"],
)
def test_the_other_models(model: nn.Module, work: int) -> None:
    assert multiply_adds(model, FIELDS) == work


def test_scaled_numbers_multiply_the_embedding() -> None:
    fields = Fields.of([5, FieldShape(4, FieldForm.SCALED), 3], emb_dim=4)
    model = FNN(ModelShape(fields, hidden=(6, 5)))
    assert multiply_adds(model, fields) == TOWER + D


def test_interpolation_and_pooling_weigh_every_vector() -> None:
    number, words = FieldShape(4, FieldForm.INTERPOLATED), FieldShape(3, FieldForm.LIST, columns=6)
    fields = Fields.of([5, number, words], emb_dim=4)
    assert multiply_adds(FNN(ModelShape(fields, hidden=(6, 5))), fields) == TOWER + (1 + 2 + 6) * 4


class Plain(nn.Module):
    """Not of this project, and it looks at values."""

    def __init__(self, *, look: bool) -> None:
        super().__init__()
        self.table, self.convolve = nn.Embedding(12, 4), nn.Conv1d(4, 2, kernel_size=3)
        self.vector, self.look = nn.Parameter(torch.ones(2)), look

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        if self.look and ids.max().item() > 100:
            raise AssertionError
        convolved = self.convolve(self.table(ids).mT).squeeze(-1)
        return convolved**3 @ self.vector


@pytest.mark.parametrize("look", [False, True])
def test_models_of_others(look: bool) -> None:
    model = Plain(look=look)
    model.train()
    assert multiply_adds(model, FIELDS) == 4 * 3 * 2 + 2 * 2 + 2  # convolution, two powers, inner product
    assert parameters(model) == 12 * 4 + 4 * 3 * 2 + 2 + 2
    assert model.training
    assert model.table.weight.device.type == "cpu"


def test_a_models_own_error_is_not_hidden() -> None:
    class Broken(nn.Module):
        def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
            raise RuntimeError("of its own")

    with pytest.raises(RuntimeError, match="of its own"):
        multiply_adds(Broken(), FIELDS)


def test_low_rank_crosses() -> None:
    other = DCNv2LowRankSpace(field_sizes=FIELDS.shapes, emb_dim=4, levels=2)
    model = other.derive(reference("stacked"), weights=False)
    assert multiply_adds(model, FIELDS) == 2 * (2 * D * 3 + D) + D * D + D
