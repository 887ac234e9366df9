"""The space `wide`: its blocks against slow formulas, its choices in NNI's terms, its supernet forms, its costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_fusion.design import DEEP_VARIANTS, SHALLOW_VARIANTS, FusionDesign, candidate_connections, variant_blocks
from nas_fusion.errors import DesignError, OptionError
from nas_fusion.measures import CostTable, Limit, Limits, multiply_adds, parameters
from nas_fusion.nn.blocks import for_no_input
from nas_fusion.nni_bridge import SampleValidationError, nni
from nas_fusion.search_spaces import (
    DesignSet,
    FusionSpace,
    Scores,
    VariantBlock,
    WideSpace,
    coded_design,
    design_code,
    make_affordable,
    measure_latency_table,
    multiply_add_table,
    parameter_table,
    timing_designs,
)
from nas_fusion.search_spaces.wide.gated_blocks import RegulatedDeepBlock, Regulation

FIELDS, EMB_DIM = [4, 3, 5], 2
D = len(FIELDS) * EMB_DIM


def wide(levels: int = 2, **options: Any) -> WideSpace:
    return WideSpace(field_sizes=FIELDS, levels=levels, emb_dim=EMB_DIM, **options)


def ids(rows: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.stack([torch.randint(0, n, (rows,), generator=generator) for n in FIELDS], dim=1)


# Blocks, row by row and feature by feature -----------------------------------------------------------------------

Weights = dict[str, Tensor]


def affine(w: Weights, name: str, x: Tensor) -> Tensor:
    bias = w.get(f"{name}.bias")
    rows = [sum(w[f"{name}.weight"][i, j] * x[j] for j in range(len(x))) for i in range(len(w[f"{name}.weight"]))]
    made = torch.stack([torch.as_tensor(row) for row in rows])
    return made if bias is None else made + bias


def by_row(formula: Callable[[Weights, Tensor, Tensor], Tensor]) -> Callable[[Weights, Tensor, Tensor], Tensor]:
    return lambda w, f, e: torch.stack([formula(w, f[row], e[row]) for row in range(len(f))])


def gated(w: Weights, f: Tensor, e: Tensor) -> Tensor:
    scores = affine(w, "scores", affine(w, "hidden", w["context"]).clamp(min=0))
    return affine(w, "dense.linear", f * 2 / (1 + torch.exp(-scores))).clamp(min=0)


def regulated(w: Weights, name: str, x: Tensor) -> Tensor:
    exponentials = torch.exp(w[f"{name}.gates"] / 5.0)
    return torch.stack([x[k] * exponentials[k // EMB_DIM] / exponentials.sum() for k in range(D)])


def regulated_cross(w: Weights, f: Tensor, e: Tensor) -> Tensor:
    x = regulated(w, "regulation", f)
    scalar = sum(w["cross.weight.weight"][0, k] * x[k] for k in range(D))
    return scalar * regulated(w, "start", e) + w["cross.bias"] + x


def regulated_dense(w: Weights, f: Tensor, e: Tensor) -> Tensor:
    return affine(w, "dense.linear", regulated(w, "regulation", f)).clamp(min=0)


def tower(w: Weights, f: Tensor, e: Tensor) -> Tensor:
    for layer in range(3):
        f = (w[f"layers.{layer}.weight"] @ f + w[f"layers.{layer}.bias"]).clamp(min=0)
    return w["back.weight"] @ f


FORMULAS = {
    "regulated-cross": by_row(regulated_cross),
    "tower": by_row(tower),
    "gated-dense": by_row(gated),
    "regulated-dense": by_row(regulated_dense),
}


def drawn_block(name: str, *, batch_norm: bool = False) -> nn.Module:
    torch.manual_seed(2)
    block = wide(batch_norm=batch_norm).make_variant(name, D).double()
    for weight in block.parameters():
        nn.init.normal_(weight, std=0.6 if weight.shape[-1] <= D else 0.05)
    return block


@pytest.mark.parametrize("name", FORMULAS)
def test_blocks_agree_with_their_formulas_in_values_and_every_gradient(name: str) -> None:
    block = drawn_block(name)
    fused, embedding = (torch.randn(4, D, dtype=torch.float64, requires_grad=True) for _ in range(2))
    leaves = {n: p.detach().clone().requires_grad_() for n, p in block.named_parameters()}
    ours, theirs = block(fused, embedding), FORMULAS[name](leaves, fused, embedding)
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    weights = torch.randn_like(ours)
    inputs = [fused] if "cross" not in name else [fused, embedding]
    found = torch.autograd.grad((ours * weights).sum(), [*inputs, *block.parameters()])
    wanted = torch.autograd.grad((theirs * weights).sum(), [*inputs, *leaves.values()])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch norm"])
@pytest.mark.parametrize("name", [*SHALLOW_VARIANTS, *DEEP_VARIANTS])
def test_a_block_without_input_is_its_constant(name: str, batch_norm: bool) -> None:
    block, embedding = drawn_block(name, batch_norm=batch_norm), torch.randn(5, D, dtype=torch.float64)
    nothing = torch.zeros_like(embedding)
    torch.testing.assert_close(for_no_input(block)(nothing, embedding), block(nothing, embedding))


def test_a_width_that_is_no_whole_vectors_is_refused() -> None:
    with pytest.raises(OptionError, match="emb_dim must be a divisor of the blocks' width 7, got 2"):
        Regulation(7, 2, batch_norm=False)


# Choices ---------------------------------------------------------------------------------------------------------


def test_size_and_labels() -> None:
    space = wide(levels=3)
    assert space.designs.size == 2**33 * 5**7 * 4**7
    assert len(space.simplify()) == 33 + 7 + 7
    design = space.designs.sample(1)
    assert set(space.simplify()) == set(design.to_sample())
    assert space.contains(design.to_sample())
    assert FusionDesign.from_sample(design.to_sample()) == FusionDesign.from_json(design.to_json()) == design
    assert hash(FusionDesign.from_json(design.to_json())) == hash(design)


def test_designs_without_variants_are_written_as_ever() -> None:
    assert '"format": 1' in DesignSet(1).sample(0).to_json()
    assert '"format": 2' in wide().designs.sample(0).to_json()


def test_sampled_mutated_and_changed_designs_belong_to_the_space() -> None:
    designs = wide().designs
    changes = set()
    for seed in range(40):
        design = designs.sample(seed)
        assert designs.problem(design) is None
        assert designs.problem(designs.mutate(design, seed, 0.2)) is None
        changed = designs.change(design, seed)
        differing = [k for k, v in changed.to_sample().items() if design.to_sample()[k] != v]
        assert len(differing) == 1
        changes.add(
            differing[0].rpartition("/")[2] if "/variant" in differing[0] or "/operation" in differing[0] else ""
        )
    assert changes == {"variant", "operation", ""}
    seen = {v for seed in range(40) for _, v in designs.sample(seed).variants}
    assert seen == {*SHALLOW_VARIANTS, *DEEP_VARIANTS}


def test_designs_of_other_spaces_are_refused() -> None:
    space, plain = wide(), FusionSpace(field_sizes=FIELDS, levels=2, emb_dim=EMB_DIM)
    with pytest.raises(
        DesignError, match="does not say what stands in its blocks' places, for which the space has cross,"
    ):
        space.derive(plain.designs.sample(0))
    design = space.designs.build([("embedding", "output")], "add")
    with pytest.raises(DesignError, match="cross0 is 'cross', the space knows one module for every place"):
        plain.derive(design)
    with pytest.raises(DesignError, match="deep1 is 'deeper', the space knows dense, tower"):
        space.derive(design.changed(variants={"deep1": "deeper"}))
    with pytest.raises(
        DesignError, match=r"variants must name every block but the embedding and the output: missing \['cross1"
    ):
        FusionDesign.build(2, [], "add", {"cross0": "cross"})
    assert isinstance(space.check_contains({**design.to_sample(), "deep1/variant": "deeper"}), SampleValidationError)


def test_numbers_of_designs() -> None:
    designs = wide(1).designs
    for seed in range(20):
        design = designs.sample(seed)
        code = design_code(design, designs)
        assert 0 <= code < designs.size
        assert coded_design(code, designs) == design


def test_variants_of_blocks_must_be_for_both_kinds() -> None:
    with pytest.raises(
        OptionError, match="variants of shallow blocks must be different names, for both kinds or for none"
    ):
        DesignSet(1, deep=("dense",))


def test_dead_blocks_do_not_tell_designs_apart() -> None:
    design = wide().designs.build([("embedding", "deep1"), ("deep1", "output")], "add", {"deep1": "tower"})
    other = design.changed(variants={"cross2": "matrix-cross"}, operations={"deep2": "product"})
    assert design != other
    assert design.pruned() == other.pruned()
    assert str(design) == "deep1 [tower] <- add(embedding); output <- add(deep1)"


def test_nni_freezes_serialises_and_makes_it_anew() -> None:
    space = wide()
    design = space.designs.build([("embedding", "deep1"), ("deep1", "output")], "add", {"deep1": "regulated-dense"})
    frozen = space.freeze(design.to_sample())
    assert isinstance(frozen.blocks["deep1"], RegulatedDeepBlock)
    again = nni.load(nni.dump(space))
    assert isinstance(again, WideSpace)
    assert again.designs == space.designs
    assert space(ids()).shape == (6,)


def test_a_copy_has_the_weights_of_what_stands_there() -> None:
    space = wide()
    design = space.designs.build([("embedding", "deep1"), ("deep1", "output")], "add", {"deep1": "gated-dense"})
    place = space.network.blocks["deep1"]
    assert isinstance(place, VariantBlock)
    derived, own = space.derive(design).blocks["deep1"].state_dict(), place.variants["gated-dense"].state_dict()
    assert all(torch.equal(derived[name], own[name]) for name in own)
    sample = {"deep1/variant": "tower"}
    assert all(
        torch.equal(a, b)
        for a, b in zip(place.freeze(sample).parameters(), place.variants["tower"].parameters(), strict=True)
    )


# Costs -----------------------------------------------------------------------------------------------------------


def some_designs(space: FusionSpace, number: int) -> Iterator[FusionDesign]:
    """Designs with blocks that have no open input among them."""
    rng = np.random.default_rng(0)
    while number:
        design = space.designs.sample(rng)
        kept = [c for c in design.connections if rng.random() < 0.6]
        design = design.changed(connections=kept)
        if design.is_legal:
            number -= 1
            yield design


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch norm"])
def test_designs_cost_what_their_models_cost(batch_norm: bool) -> None:
    space = wide(batch_norm=batch_norm)
    weights, work = parameter_table(space), multiply_add_table(space)
    for design in some_designs(space, 8):
        model = space.derive(design, weights=False)
        assert weights.of(design) == parameters(model)
        assert work.of(design) == multiply_adds(model, space.fields)
    assert CostTable.from_dict(weights.to_dict()) == weights
    assert space.designs.problem(weights.cheapest(2)) is None


def test_a_dear_variant_gives_way_to_a_cheaper_one() -> None:
    space = wide()
    table = parameter_table(space)
    dear = space.designs.build([("embedding", "deep1"), ("deep1", "output")], "add", {"deep1": "tower"})
    plain = dear.changed(variants={"deep1": "dense"})
    limits = Limits((Limit("max-parameters", table.of(plain), table),))
    assert space.designs.problem(make_affordable(dear, Scores({}, {}), limits)) is None
    # The connections are worth more than what stands in the block's place.
    scores = Scores(dict.fromkeys(candidate_connections(2), 5.0), {})
    assert make_affordable(dear, scores, limits) == plain
    space.limit(limits)
    for seed in range(5):
        assert space.designs.problem(space.designs.sample(seed)) is None


def test_a_latency_table_finds_what_every_variant_takes() -> None:
    """By a clock that knows: a design takes what its table of weights says, in thousands."""
    space = wide(operations=("add", "concat"))
    table = parameter_table(space)
    asked = [*timing_designs(space.designs)] * 2
    clock = (table.of(design, mode) / 1000 for design, mode in asked)
    found = measure_latency_table(space, lambda model: next(clock)).table
    known, estimated = ({**t.shallow_variants, **t.deep_variants} for t in (table, found))
    assert list(known) == [*SHALLOW_VARIANTS, *DEEP_VARIANTS]
    for name, (own, _) in known.items():
        assert estimated[name][0] == pytest.approx(own / 1000, rel=1e-6)


def test_every_block_has_a_choice() -> None:
    space = wide()
    places = {m.block: list(m.variants) for m in space.modules() if isinstance(m, VariantBlock)}
    assert places == {
        block: list(DEEP_VARIANTS if block.startswith("deep") else SHALLOW_VARIANTS) for block in variant_blocks(2)
    }
