"""The hand-made models against `tests.baselines.model_oracle`, their sizes, their training, their table."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution
from torch import Tensor, nn
from torch.nn import functional

from nas_fusion.baselines.models import MODELS, HandMade, ModelShape, XDeepFM
from nas_fusion.baselines.models.model_parts import LinearPart
from nas_fusion.data import SearchData, prepare
from nas_fusion.errors import OptionError
from nas_fusion.field_shapes import FieldForm, FieldShape
from nas_fusion.nn import Fields
from nas_fusion.search_spaces import SPACES, DesignSet, FusionSpace
from nas_fusion.training import TrainConfig, fit, parameter_groups
from tests.baselines.model_oracle import Formulas
from tests.field_oracle import MIXED as FORMS
from tests.field_oracle import draw_rows

TOLERANCE = 1e-10
"""Absolute; relative where a nest of products makes values far larger than one."""

SHAPE = ModelShape(Fields.of((5, 3, 2, 4), 3), hidden=(7, 5), dropout=0.0)
MIXED = replace(SHAPE, fields=Fields(FORMS, 3))
"""A field of every form."""


@dataclass(frozen=True)
class Case:
    """A model in a small form, and its formula."""

    name: str
    oracle: Callable[[Formulas], Tensor]
    own: dict[str, Any] = field(default_factory=dict)
    make: Callable[..., nn.Module] | None = None
    hidden: tuple[int, ...] = SHAPE.hidden

    def build(self, shape: ModelShape) -> nn.Module:
        shape = replace(shape, hidden=self.hidden)
        return self.make(shape, **self.own) if self.make else MODELS[self.name].build(shape, **self.own)

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.own.items())])


def finalmlp_case(first: tuple[int, ...], second: tuple[int, ...]) -> Case:
    own = {"second_width": 6, "gate_width": 5, "heads": 2, "first_context": first, "second_context": second}
    return Case("finalmlp", lambda f: f.finalmlp(1, 2, (first, second)), own, hidden=(7, 4))


def edcn_case(bridge: str) -> Case:
    own = {"layers": 2, "temperature": 2.5, "bridge": bridge}
    return Case("edcn", lambda f: f.edcn(2, 2.5, bridge), own)


CASES = [
    Case("fnn", Formulas.fnn),
    Case("wide-deep", Formulas.wide_deep),
    Case("ipnn", Formulas.ipnn),
    Case("deepfm", Formulas.deepfm),
    Case("dcn", lambda f: f.dcn(2), {"cross_layers": 2}),
    Case("xdeepfm", lambda f: f.xdeepfm((3, 2)), {"cin_widths": (3, 2)}, XDeepFM),
    Case("xdeepfm", lambda f: f.xdeepfm((2, 2)), {"cin_layers": 2, "cin_width": 2}),
    Case("dcnv2-stacked", lambda f: f.dcnv2_stacked(2), {"cross_layers": 2}),
    Case("dcnv2-stacked", lambda f: f.dcnv2_stacked(3), {"cross_layers": 3, "rank": 2}),
    Case("dcnv2-parallel", lambda f: f.dcnv2_parallel(2), {"cross_layers": 2}),
    Case("dcnv2-parallel", lambda f: f.dcnv2_parallel(1), {"cross_layers": 1, "rank": 2}),
    *(edcn_case(bridge) for bridge in ("product", "add", "concat", "attention", "residual-product", "bilinear")),
    finalmlp_case((0,), ()),
    finalmlp_case((2, 1), (0, 2)),
]

# The papers' formulas --------------------------------------------------------------------------------------------


def batch_of(shape: ModelShape, rows: int = 9) -> tuple[Tensor, Tensor | None, Tensor]:
    labels = torch.randint(0, 2, (rows,), generator=torch.Generator().manual_seed(7)).double()
    return *draw_rows(shape.fields.shapes, rows), labels


def randomised(model: nn.Module) -> nn.Module:
    """In float64, with weights large enough for every product to matter."""
    torch.manual_seed(3)
    model.double().train()
    for parameter in model.parameters():
        parameter.data.normal_(std=0.6)
    return model


def gradients(logits: Tensor, labels: Tensor, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    loss = functional.binary_cross_entropy_with_logits(logits, labels)
    return dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))


@pytest.mark.parametrize("shape", [SHAPE, MIXED], ids=["categorical", "mixed"])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch-norm"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_logits_and_every_gradient_agree_with_the_formula(case: Case, batch_norm: bool, shape: ModelShape) -> None:
    shape = replace(shape, batch_norm=batch_norm)
    model = randomised(case.build(shape))
    ids, values, labels = batch_of(shape)
    ours = dict(model.named_parameters())
    leaves = {name: p.detach().clone().requires_grad_() for name, p in ours.items()}
    formulas = Formulas(leaves, shape.fields.shapes, shape.emb_dim, len(case.hidden), batch_norm, ids, values)
    expected = case.oracle(formulas)
    logits = model(ids, values)
    assert logits.shape == (len(ids),)
    assert logits.dtype == torch.float64
    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=TOLERANCE)
    theirs = gradients(expected, labels, leaves)
    for name, gradient in gradients(logits, labels, ours).items():
        torch.testing.assert_close(gradient, theirs[name], atol=TOLERANCE, rtol=TOLERANCE, msg=f"gradient of {name}")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_weight_is_used(case: Case) -> None:
    model = randomised(case.build(replace(SHAPE, batch_norm=False)))
    ids, values, labels = batch_of(SHAPE, rows=64)
    weights = dict(model.named_parameters())
    assert [n for n, g in gradients(model(ids, values), labels, weights).items() if not g.any()] == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_dropout_is_for_training_and_evaluation_looks_at_rows_one_by_one(case: Case) -> None:
    model = randomised(case.build(replace(MIXED, dropout=0.5)))
    ids, values, _ = batch_of(MIXED)
    assert values is not None
    assert not torch.equal(model(ids, values), model(ids, values))
    model.eval()
    alone = torch.cat([model(ids[i : i + 1], values[i : i + 1]) for i in range(len(ids))])
    torch.testing.assert_close(model(ids, values), alone, atol=TOLERANCE, rtol=TOLERANCE)


# Sizes -----------------------------------------------------------------------------------------------------------

EMBEDDING, LINEAR, PAIRS, WIDTH = 14 * 3, 14, 6, 12
NORMS = 2 * 7 + 2 * 5
TOWER = (WIDTH * 7 + 7) + (7 * 5 + 5) + NORMS
HEAD = 5 + 1
CROSS, MATRIX_CROSS = 2 * WIDTH, WIDTH * WIDTH + WIDTH
GATE = (3 * 5 + 5) + (5 * WIDTH + WIDTH)

COUNTS = {
    "fnn": EMBEDDING + TOWER + HEAD,
    "wide-deep": EMBEDDING + LINEAR + TOWER + HEAD,
    "ipnn": EMBEDDING + TOWER + PAIRS * 7 + HEAD,
    "deepfm": EMBEDDING + LINEAR + TOWER + HEAD,
    "dcn": EMBEDDING + 2 * CROSS + TOWER + HEAD + WIDTH,
    "xdeepfm": EMBEDDING + LINEAR + TOWER + HEAD + 3 * 4 * 4 + 2 * 3 * 4 + 3 + 2,
    "dcnv2-stacked": EMBEDDING + 2 * MATRIX_CROSS + TOWER + HEAD,
    "dcnv2-parallel": EMBEDDING + 2 * MATRIX_CROSS + TOWER + HEAD + WIDTH,
    "edcn": EMBEDDING + 2 * (2 * 4 + 2 * 2 * WIDTH + CROSS + MATRIX_CROSS) + 3 * WIDTH + 1,
    "finalmlp": EMBEDDING
    + (5 * 3 + 3)  # contexts: field 0's table, and a vector
    + 2 * GATE
    + (WIDTH * 7 + 7 + 14) + (7 * 4 + 4 + 8)
    + (WIDTH * 6 + 6 + 12)
    + (4 + 6 + 1) + 2 * (2 * 3),
}  # fmt: skip


def number_of_weights(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_number_of_weights_is_the_one_computed_by_hand(name: str) -> None:
    case = next(c for c in CASES if c.name == name)
    assert number_of_weights(case.build(SHAPE)) == COUNTS[name]


FRAPPE = (955, 4083, 8, 8, 3, 4, 3, 10, 81, 234)
"""Ids of each field of Frappe_x1 in BARS's encoding."""

EXTRA = {
    "fnn": 364_001,  # one more tower and head than such a network has
    "xdeepfm": 64 + 1,  # biases of the CIN and of its output, which the paper does not have
    "finalmlp": 1,  # a second bias of the output
}
"""Weights in BARS's implementations that are not in ours."""


@pytest.mark.parametrize("name", [name for name, entry in MODELS.items() if entry.frappe])
def test_defaults_have_the_number_of_weights_that_bars_reports(name: str) -> None:
    entry = MODELS[name]
    assert entry.frappe is not None
    own: dict[str, Any] = {}
    sizes: tuple[int, ...] = FRAPPE
    if name == "finalmlp":  # its gates look at user and item, and its encoding has one id more per field
        own = {"first_context": (0,), "second_context": (1,)}
        sizes = tuple(size + 1 for size in FRAPPE)
    model = entry.build(entry.shape(Fields.of(sizes)), **own)
    assert number_of_weights(model) == entry.frappe.parameters - EXTRA.get(name, 0)


# The linear part and the optimiser's groups ----------------------------------------------------------------------


def test_linear_part_sums_weights_times_values() -> None:
    part = LinearPart(ModelShape(Fields.of([2, 3, FieldShape(2, FieldForm.SCALED)], 5))).double()
    part.weights.table.weight.data = torch.tensor([[1.0], [2.0], [10.0], [20.0], [30.0], [100.0], [200.0]]).double()
    ids, values = torch.tensor([[1, 2, 1], [0, 0, 0]]), torch.tensor([[0.5], [-3.0]])
    assert part(ids, values).tolist() == [2 + 30 + 0.5 * 200, 1 + 10 - 3 * 100]


@pytest.mark.parametrize("name", MODELS)
def test_every_table_is_in_the_group_of_the_embeddings(name: str) -> None:
    model = MODELS[name].build(MIXED, **({"first_context": (2,), "heads": 1} if name == "finalmlp" else {}))
    groups = {g["name"]: {id(p) for p in g["params"]} for g in parameter_groups(model, TrainConfig())}
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    assert groups["embedding"] == tables
    assert len(tables) == (2 if name in ("wide-deep", "deepfm", "xdeepfm", "finalmlp") else 1)
    assert len(tables) + len(groups["network"]) == len(list(model.parameters()))


# Training --------------------------------------------------------------------------------------------------------

SMALL = {"hidden_width": 32, "second_width": 16, "gate_width": 16, "heads": 4, "cin_width": 8, "dropout": 0.1}
"""Sizes with which a model learns something in two seconds."""

LEARNT = 0.7
"""Validation AUC that every model passes in three epochs; they reach .735 (xDeepFM) to .756 (DeepFM)."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return prepare("synthetic:12000", cache=tmp_path_factory.mktemp("cache")).search_view()


def small(entry: HandMade, data: SearchData, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    given = {name: value for name, value in SMALL.items() if name in entry.parameters}
    return entry.for_schema(data.schema, 4, **given)


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in a.state_dict().items())


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns(name: str, data: SearchData) -> None:
    model = small(MODELS[name], data)
    config = TrainConfig(learning_rate=5e-3, batch_size=256, max_epochs=3, device="cpu")
    assert fit(model, data, config).best_valid_auc > LEARNT


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_gives_the_same_weights_before_and_after_training(name: str, data: SearchData) -> None:
    first, second, other = (small(MODELS[name], data, seed) for seed in (1, 1, 2))
    assert same_weights(first, second)
    assert not same_weights(first, other)
    start = copy.deepcopy(first)
    for model in (first, second):
        fit(model, data, TrainConfig(batch_size=256, max_samples=512, device="cpu", seed=1))
    assert same_weights(first, second)
    assert not same_weights(first, start)


def test_float64_and_the_optimiser_of_touched_rows_train_too(data: SearchData) -> None:
    model = small(MODELS["deepfm"], data)
    config = TrainConfig(
        learning_rate=5e-3, batch_size=256, max_samples=5000, device="cpu", precision="64",
        embedding_optimizer="touched-rows-adam",
    )  # fmt: skip
    before = {name: value.clone() for name, value in model.double().state_dict().items()}
    assert fit(model, data, config).best_valid_auc > 0.6
    assert not any(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert {p.dtype for p in model.parameters()} == {torch.float64}


# The table -------------------------------------------------------------------------------------------------------


def ends(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [distribution.low, distribution.high]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", MODELS)
def test_distributions_are_of_parameters_and_hold_their_defaults(name: str) -> None:
    entry = MODELS[name]
    distributions = entry.distributions()
    assert set(distributions) <= set(entry.parameters)
    for parameter, distribution in distributions.items():
        assert distribution._contains(distribution.to_internal_repr(entry.parameters[parameter]))


@pytest.mark.parametrize("name", MODELS)
def test_models_are_built_at_the_ends_of_every_distribution(name: str) -> None:
    entry = MODELS[name]
    ids, values, _ = batch_of(MIXED)
    assert values is not None
    for parameter, distribution in entry.distributions().items():
        for value in ends(distribution):
            model = entry.for_fields(Fields(FORMS, 2), **{parameter: value})
            assert model(ids, values.float()).isfinite().all(), (parameter, value)


def test_heads_divide_every_width_that_is_tuned() -> None:
    distributions = MODELS["finalmlp"].distributions()
    for width in (distributions["hidden_width"], distributions["second_width"]):
        assert all(width.low % heads == width.step % heads == 0 for heads in ends(distributions["heads"]))  # type: ignore[attr-defined]


def test_table_tells_where_a_model_is_from() -> None:
    assert {name: entry.name for name, entry in MODELS.items()} == {name: name for name in MODELS}
    assert all("et al., " in entry.summary and "\n" not in entry.summary for entry in MODELS.values())


def test_shape_takes_the_tower_from_the_parameters() -> None:
    entry = MODELS["deepfm"]
    assert entry.shape(Fields.of([3, 4])) == ModelShape(Fields.of([3, 4], 10), (400, 400, 400), True, 0.2)
    assert entry.shape(Fields.of([3, 4]), hidden_layers=2, hidden_width=8, dropout=0.0).hidden == (8, 8)
    assert MODELS["ipnn"].shape(Fields.of([3, 4])).batch_norm is False


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: MODELS["fnn"].build(SHAPE, cross_layers=2), "parameter of fnn must be one of: none"),
        (
            lambda: MODELS["dcn"].for_fields(SHAPE.fields, layers=2),
            "parameter of dcn must be one of: hidden_layers",
        ),
        (
            lambda: MODELS["edcn"].shape(SHAPE.fields, hidden_width=2),
            "parameter of edcn must be one of: batch_norm, dropout",
        ),
        (lambda: MODELS["dcn"].build(SHAPE, cross_layers=0), "cross_layers must be a positive integer, got 0"),
        (lambda: MODELS["dcnv2-stacked"].build(SHAPE, rank=13), "rank must be an integer from 1 to 12, got 13"),
        (lambda: MODELS["edcn"].build(SHAPE, bridge="max"), "bridge must be one of add, product"),
        (lambda: MODELS["edcn"].build(SHAPE, layers=0), "layers must be a positive integer"),
        (lambda: MODELS["edcn"].build(SHAPE, temperature=0), "temperature must be a positive number"),
        (lambda: MODELS["xdeepfm"].build(SHAPE, cin_layers=0), "number of cin_widths must be a positive integer"),
        (lambda: MODELS["xdeepfm"].build(SHAPE, cin_width=0), "cin_widths must be a positive integer"),
        (lambda: MODELS["finalmlp"].build(SHAPE, heads=3), "heads must be a positive divisor"),
        (lambda: MODELS["finalmlp"].build(SHAPE, first_context=(4,)), "context must be different field indices"),
        (lambda: MODELS["finalmlp"].build(SHAPE, first_context=(1, 1)), "context must be different field indices"),
        (lambda: ModelShape(Fields.of((3,)), hidden=(4, 0)), "hidden must be positive integers"),
        (lambda: ModelShape(Fields.of((3,)), dropout=1.0), "dropout must be from 0 to below 1"),
    ],
)
def test_wrong_options_are_named(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        wrong()


# Designs ---------------------------------------------------------------------------------------------------------


def copy_design(model: nn.Module, network: nn.Module, crosses: list[str], deeps: list[str]) -> None:
    """Give `model` the weights of a design's network."""
    places = {"embedding.table": "embedding.table", "deep.head": "head"}
    places |= {f"crosses.layers.{i}.linear": f"blocks.{block}.linear" for i, block in enumerate(crosses)}
    places |= {f"deep.tower.{3 * i}": f"blocks.{block}.linear" for i, block in enumerate(deeps)}
    places |= {f"deep.tower.{3 * i + 1}": f"blocks.{block}.norm" for i, block in enumerate(deeps)}
    theirs = dict(network.named_parameters())
    mine = dict(model.named_parameters())
    assert len(mine) == len(theirs)
    for name, parameter in mine.items():
        place, _, kind = name.rpartition(".")
        parameter.data.copy_(theirs[f"{places[place]}.{kind}"])


@pytest.mark.parametrize(
    ("name", "space", "levels", "crosses", "deeps"),
    [
        ("fnn", "dcn", 3, [], ["deep1", "deep2", "deep3"]),
        ("fnn", "dcnv2", 1, [], ["deep1"]),
        ("dcnv2-stacked", "dcnv2", 4, ["cross0", "cross1", "cross2"], ["deep3", "deep4"]),
    ],
)
def test_designs_are_the_same_models(name: str, space: str, levels: int, crosses: list[str], deeps: list[str]) -> None:
    entry = MODELS[name]
    assert entry.design is not None
    assert entry.space in (None, space)
    made: FusionSpace = SPACES.get(space)(
        field_sizes=FORMS,
        levels=levels,
        emb_dim=MIXED.emb_dim,
        batch_norm=True,
    )
    network = randomised(made.derive(entry.design(made.designs), weights=False))
    shape = replace(MIXED, hidden=(made.network.embedding.width,) * len(deeps))
    own = {"cross_layers": len(crosses)} if crosses else {}
    model = entry.build(shape, **own).double()
    copy_design(model, network, crosses, deeps)
    ids, values, labels = batch_of(MIXED)
    ours, theirs = model(ids, values), network(ids, values)
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=TOLERANCE)
    table = "embedding.table.weight"
    torch.testing.assert_close(
        gradients(ours, labels, {table: model.get_parameter(table)})[table],
        gradients(theirs, labels, {table: network.get_parameter(table)})[table],
        atol=TOLERANCE,
        rtol=TOLERANCE,
    )


@pytest.mark.parametrize("name", [name for name, entry in MODELS.items() if entry.design])
@pytest.mark.parametrize("operations", [("add", "concat"), ("attention",)])
def test_designs_belong_to_every_set(name: str, operations: tuple[str, ...]) -> None:
    design = MODELS[name].design
    assert design is not None
    for levels in (1, 2, 5):
        designs = DesignSet(levels, operations)
        assert designs.problem(design(designs)) is None


def test_bare_imports_are_refused() -> None:
    root = Path(__file__).resolve().parents[2]
    for folder, name in ((".", "baselines.models"), ("baselines", "models")):
        code = f"import sys; sys.path.insert(0, ''); import {name}"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=root / folder, capture_output=True, text=True, check=False)
        assert "ImportError: import this package as nas_fusion.baselines" in done.stderr
