"""The space after AutoCTR: blocks against loops in float64, legal designs, values that come back from JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas_fusion.architecture import Architecture, found_from_json
from nas_fusion.errors import DesignError, OptionError
from nas_fusion.nn import Fields
from nas_fusion.search_spaces.block_lists import weight_limit, widths_for
from nas_fusion.search_spaces.interaction import (
    Block,
    InteractionDesign,
    InteractionNetwork,
    InteractionSpace,
    interaction_network,
    weights_of,
)
from nas_fusion.search_spaces.interaction import interaction_blocks as blocks_module
from tests.field_oracle import MIXED, draw_rows, field_vectors

FIELDS = Fields((*MIXED[:3],), emb_dim=2)
SPACE = InteractionSpace(FIELDS, (3, 6, 12), blocks=4)
ROWS = 7

DESIGNS = {
    "mlp": (Block("mlp", (0,), 4), Block("mlp", (0, 1), 3)),
    "hadamard": (Block("hadamard", (0,), 4), Block("hadamard", (0, 1), 3)),
    "fm": (Block("mlp", (0,), 4), Block("fm", (0, 1)), Block("fm", (1,))),
    "dot": (Block("mlp", (0,), 4), Block("dot", (0, 1)), Block("dot", (1,))),
    "all": (
        Block("dot", (0,)),
        Block("mlp", (0, 1), 5),
        Block("hadamard", (1, 2), 3),
        Block("fm", (0, 2, 3)),
        Block("dot", (2, 3, 4)),
    ),
}


# Formulas --------------------------------------------------------------------------------------------------------


class Formulas:
    """The model once more, from its weights by name, with a loop for every sum."""

    def __init__(self, weights: dict[str, Tensor], design: InteractionDesign, fields: Fields) -> None:
        self.weights, self.design, self.fields = weights, design, fields

    def logits(self, ids: Tensor, values: Tensor | None) -> Tensor:
        outputs = [torch.cat(self.look_up(ids, values), dim=1)]
        for number, block in enumerate(self.design.blocks, 1):
            outputs.append(self.block(number, block, outputs))
        taken = {i for block in self.design.blocks for i in block.inputs}
        leaves = [outputs[n] for n in range(1, len(outputs)) if n not in taken]
        return self.linear(torch.cat(leaves, dim=1), "layers.head")[:, 0]

    def look_up(self, ids: Tensor, values: Tensor | None) -> list[Tensor]:
        return field_vectors(self.weights["embedding.table.weight"], self.fields.shapes, ids, values)

    def linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        columns = []
        for o in range(len(weight)):
            total = torch.zeros(len(x), dtype=x.dtype) if bias is None else bias[o].expand(len(x))
            for i in range(x.shape[1]):
                total = total + weight[o, i] * x[:, i]
            columns.append(total)
        return torch.stack(columns, dim=1)

    def block(self, number: int, block: Block, outputs: list[Tensor]) -> Tensor:
        name = f"layers.blocks.{number - 1}"
        together = torch.cat([outputs[i] for i in block.inputs], dim=1)
        if block.kind == "mlp":
            hidden = self.linear(together, f"{name}.linear")
            return torch.where(hidden > 0, hidden, 0.0 * hidden)
        if block.kind == "hadamard":
            return self.linear(together, f"{name}.left") * self.linear(together, f"{name}.right")
        vectors, place = [], 0
        for i in block.inputs:
            if i == 0:
                vectors += list(outputs[0].split(self.fields.emb_dim, dim=1))
            else:
                vectors.append(self.linear(outputs[i], f"{name}.vectors.maps.{place}"))
                place += 1
        if block.kind == "fm":
            total = self.linear(torch.cat(vectors, dim=1), f"{name}.first_order")
            for i in range(len(vectors)):
                for j in range(i):
                    total = total + inner(vectors[i], vectors[j])
            return total
        return self.dot(vectors, name)

    def dot(self, vectors: list[Tensor], name: str) -> Tensor:
        mix = self.weights.get(f"{name}.mix.weight")
        if mix is not None:
            vectors = [sum((row[i] * v for i, v in enumerate(vectors)), torch.zeros_like(vectors[0])) for row in mix]
        if len(vectors) == 1:
            return inner(vectors[0], vectors[0])
        pairs = [(i, j) for i in range(len(vectors)) for j in range(i + 1, len(vectors))]
        return torch.cat([inner(vectors[i], vectors[j]) for i, j in pairs], dim=1)


def inner(a: Tensor, b: Tensor) -> Tensor:
    total = torch.zeros(len(a), 1, dtype=a.dtype)
    for d in range(a.shape[1]):
        total = total + a[:, d : d + 1] * b[:, d : d + 1]
    return total


def batch(fields: Fields) -> tuple[Tensor, Tensor | None]:
    return draw_rows(fields.shapes, ROWS)


def compare(fields: Fields, design: InteractionDesign) -> None:
    torch.manual_seed(1)
    model = InteractionNetwork(fields, design).double()
    for parameter in model.parameters():
        parameter.data.normal_(std=0.7)
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    ids, values = batch(fields)
    ours, theirs = model(ids, values), Formulas(weights, design, fields).logits(ids, values)
    assert ours.shape == (ROWS,)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)
    scale = torch.linspace(-1, 2, ROWS, dtype=torch.float64)
    found = torch.autograd.grad((ours * scale).sum(), list(model.parameters()))
    expected = torch.autograd.grad((theirs * scale).sum(), list(weights.values()))
    for name, a, b in zip(weights, found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9, msg=f"gradient of {name}")
        assert a.any(), f"{name} is not used"


@pytest.mark.parametrize("fields", [FIELDS, Fields.of((4,), 3)], ids=["mixed", "one-field"])
@pytest.mark.parametrize("name", DESIGNS)
def test_logits_and_gradients_agree_with_the_formulas(name: str, fields: Fields) -> None:
    compare(fields, InteractionDesign(DESIGNS[name]))


def test_dot_mixes_many_vectors_to_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "MOST_VECTORS", 3)
    design = InteractionDesign((Block("mlp", (0,), 4), Block("dot", (0, 1))))
    assert InteractionNetwork(FIELDS, design).layers.head.in_features == 3, "pairs of three vectors"
    compare(FIELDS, design)


def test_logits_depend_on_every_field() -> None:
    model = InteractionNetwork(FIELDS, InteractionDesign(DESIGNS["all"])).double()
    model.embedding.table.weight.data.normal_()
    ids, values = batch(FIELDS)
    # Of the list, the column in which every row has an item.
    for column, size in enumerate(shape.size for shape in FIELDS.shapes):
        other = ids.clone()
        other[:, column] = (other[:, column] + 1) % size
        assert (model(ids, values) != model(other, values)).all()


# Designs ---------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(0, 6))
@settings(deadline=None, max_examples=60)
def test_sampled_and_mutated_designs_are_legal_and_come_back_from_json(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    design = SPACE.sample(rng)
    for _ in range(steps):
        before, design = design, SPACE.mutate(design, rng)
        assert design != before
    assert SPACE.problem(design) is None
    assert len(design.leaves) >= 1
    architecture = design.to_architecture()
    again = found_from_json(architecture.to_json())
    assert isinstance(again, Architecture)
    assert again == architecture
    assert InteractionDesign.from_architecture(again) == design
    model = interaction_network(again, FIELDS)
    assert sum(p.numel() for p in model.layers.parameters()) == SPACE.weights(design)
    assert model(*batch(FIELDS)).shape == (ROWS,)


def test_mutations_change_one_thing_and_reach_each_of_them() -> None:
    rng = np.random.default_rng(0)
    start = InteractionDesign((Block("mlp", (0,), 3), Block("dot", (0, 1)), Block("hadamard", (1, 2), 6)))
    kinds = set()
    for _ in range(200):
        found = SPACE.mutate(start, rng)
        if len(found.blocks) != len(start.blocks):
            kinds.add("more" if len(found.blocks) > len(start.blocks) else "less")
            continue
        changed = [(a, b) for a, b in zip(start.blocks, found.blocks, strict=True) if a != b]
        assert len(changed) == 1
        (before, after), *_ = changed
        if before.kind != after.kind:
            assert before.inputs == after.inputs
            kinds.add("kind")
        elif before.width != after.width:
            assert before.inputs == after.inputs
            kinds.add("width")
        else:
            assert len(set(before.inputs) ^ set(after.inputs)) == 1
            kinds.add("connection")
    assert kinds == {"more", "less", "kind", "width", "connection"}


def test_who_took_a_removed_block_takes_its_inputs() -> None:
    start = InteractionDesign((Block("mlp", (0,), 3), Block("fm", (1,)), Block("dot", (1, 2))))
    smaller = {SPACE.mutate(start, seed) for seed in range(200)}
    two = {design for design in smaller if len(design.blocks) == 2}
    assert two == {
        InteractionDesign((Block("fm", (0,)), Block("dot", (0, 1)))),
        InteractionDesign((Block("mlp", (0,), 3), Block("dot", (1,)))),
        InteractionDesign((Block("mlp", (0,), 3), Block("fm", (1,)))),
    }


def test_the_size_of_the_space_is_that_of_its_enumeration() -> None:
    space = InteractionSpace(FIELDS, (3, 6), blocks=2)
    choices = [("fm", 0), ("dot", 0), *((kind, width) for kind in ("mlp", "hadamard") for width in (3, 6))]
    firsts = [Block(kind, (0,), width) for kind, width in choices]
    seconds = [Block(kind, inputs, width) for kind, width in choices for inputs in ((0,), (1,), (0, 1))]
    designs = [InteractionDesign((a,)) for a in firsts] + [InteractionDesign((a, b)) for a in firsts for b in seconds]
    assert all(space.problem(design) is None for design in designs)
    assert len(set(designs)) == space.size


ILLEGAL: list[tuple[tuple[Block, ...], str]] = [
    ((), "no blocks"),
    ((Block("mpl", (0,), 3),), "kind must be one of mlp, fm, dot, hadamard, got 'mpl'"),
    ((Block("fm", ()),), "at least one, got"),
    ((Block("fm", (0, 0)),), "different numbers"),
    ((Block("fm", (1,)),), "from 0 to 0"),
    ((Block("fm", (-1, 0)),), "from 0 to 0"),
    ((Block("mlp", (0,)),), "width of mlp must be positive, got 0"),
    ((Block("dot", (0,), 3),), "width of dot must be 0, got 3"),
]


@pytest.mark.parametrize(("blocks", "words"), ILLEGAL)
def test_illegal_designs_are_refused_with_a_reason(blocks: tuple[Block, ...], words: str) -> None:
    design = InteractionDesign(blocks)
    with pytest.raises(DesignError, match=words):
        InteractionNetwork(FIELDS, design)
    with pytest.raises(DesignError, match=words):
        InteractionDesign.from_architecture(design.to_architecture())


def test_designs_of_other_spaces_are_refused() -> None:
    with pytest.raises(DesignError, match="at most 4"):
        SPACE.check(InteractionDesign((Block("fm", (0,)),) * 5))
    with pytest.raises(DesignError, match="one of 3, 6, 12, got 5"):
        SPACE.check(InteractionDesign((Block("mlp", (0,), 5),)))


def test_models_that_are_too_large_are_not_of_the_space() -> None:
    space = InteractionSpace(FIELDS, (100_000,), blocks=2)
    design = InteractionDesign((Block("mlp", (0,), 100_000),) * 2)
    assert weights_of(FIELDS, design) == 2 * 7 * 100_000 + 2 * 100_000 + 1
    with pytest.raises(DesignError, match="the limit is"):
        space.check(design)
    assert all(space.weights(space.sample(seed)) <= space.weight_limit for seed in range(20))


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({}, "must be a list 'blocks', got nothing"),
    ({"blocks": 3}, "must be a list 'blocks'"),
    ({"blocks": [], "more": 1}, "must be a list 'blocks', got blocks, more"),
    ({"blocks": [{"kind": "fm"}]}, "block 1 of autoctr must have kind, inputs and width"),
    ({"blocks": [{"kind": "fm", "inputs": [0.5], "width": 0}]}, "integers"),
    ({"blocks": [{"kind": "fm", "inputs": [0], "width": True}]}, "integers"),
]


@pytest.mark.parametrize(("content", "words"), BAD_SETTINGS)
def test_settings_of_another_form_are_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        interaction_network(Architecture.build("autoctr", content), FIELDS)


def test_architectures_of_other_families_are_refused() -> None:
    with pytest.raises(DesignError, match="got one of nasrec"):
        interaction_network(Architecture.build("nasrec", {"blocks": []}), FIELDS)


@pytest.mark.parametrize("change", [{"blocks": 0}, {"widths": ()}, {"widths": (4, 4)}, {"widths": (0, 4)}])
def test_options_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(change))):
        replace(SPACE, **change)


# Sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "widths"),
    [
        (1, (8, 16, 32, 64)),
        (2 * 128**2 - 1, (8, 16, 32, 64)),
        (2 * 128**2, (16, 32, 64, 128)),
        (2 * 512**2, (64, 128, 256, 512)),
        (10**9, (64, 128, 256, 512)),
    ],
)
def test_widths_follow_the_budget(samples: int, widths: tuple[int, ...]) -> None:
    assert widths_for(samples) == widths


def test_the_limit_is_four_hand_made_towers() -> None:
    from nas_fusion.baselines.models import MODELS, ModelShape

    tower = MODELS["fnn"].build(ModelShape(FIELDS, batch_norm=False))
    behind = sum(p.numel() for name, p in tower.named_parameters() if not name.startswith("embedding"))
    assert weight_limit(FIELDS) == 4 * behind
