"""The space after NASRec: operators against loops in float64, shared weights, legal paths, values back from JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
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
from nas_fusion.search_spaces.nasrec import (
    BlockChoice,
    NasRecDesign,
    NasRecNetwork,
    NasRecSpace,
    NasRecSupernet,
    nasrec_network,
)
from tests.field_oracle import MIXED, draw_rows, field_vectors

FIELDS = Fields((*MIXED[:3],), emb_dim=2)
SPACE = NasRecSpace(FIELDS, (3, 6), (2, 4), blocks=3)
ROWS = 4
EPS = 1e-5

LINEAR = BlockChoice("linear", 4, (0,), "linear", 3, (0,))
DESIGNS = {
    "linear": (LINEAR,),
    "gating": (replace(LINEAR, dense="gating"), replace(LINEAR, dense="gating", dense_inputs=(0, 1))),
    "dot": (LINEAR, BlockChoice("dot", 3, (0, 1), "linear", 2, (0, 1))),
    "attention": (LINEAR, BlockChoice("linear", 3, (1,), "attention", 4, (0, 1))),
    "merge": (replace(LINEAR, merge=True), BlockChoice("dot", 3, (0,), "linear", 2, (1,), merge=True)),
    "fm": (replace(LINEAR, fm=True), BlockChoice("linear", 3, (1,), "attention", 2, (0,), fm=True)),
    "all": (
        BlockChoice("gating", 4, (0,), "attention", 3, (0,), merge=True, fm=True),
        BlockChoice("dot", 5, (0, 1), "linear", 2, (1,), merge=True),
        BlockChoice("linear", 3, (1, 2), "linear", 4, (0, 1, 2), merge=True, fm=True),
    ),
}


# Formulas --------------------------------------------------------------------------------------------------------


class Formulas:
    """A path's model once more, from its weights by name, row by row and vector by vector."""

    def __init__(self, weights: dict[str, Tensor], design: NasRecDesign, fields: Fields) -> None:
        self.weights, self.design, self.fields = weights, design, fields
        self.raw: list[Tensor] = []
        self.known: dict[int, Tensor] = {}

    def logits(self, ids: Tensor, values: Tensor | None) -> Tensor:
        return torch.stack([self.logit(n, ids, values) for n in range(len(ids))])

    def logit(self, row: int, ids: Tensor, values: Tensor | None) -> Tensor:
        table, one = self.weights["embedding.table.weight"], slice(row, row + 1)
        vectors = field_vectors(table, self.fields.shapes, ids[one], None if values is None else values[one])
        self.raw, self.known = [vector[0] for vector in vectors], {}
        last = len(self.design.blocks)
        return self.linear(torch.cat([self.dense(last), *self.sparse(last)]), "layers.head")[0]

    def dense(self, number: int) -> Tensor:
        """A block's dense output; only what is asked for is computed."""
        if number == 0:
            return torch.cat(self.raw)
        hidden = self.hidden(number)
        if not self.design.blocks[number - 1].fm:
            return hidden
        own = torch.stack(self.own(number))
        products = own.sum(0) * own.sum(0) - (own * own).sum(0)
        return hidden + self.normed(products, f"layers.blocks.{number}.fm.layer")

    def sparse(self, number: int) -> list[Tensor]:
        """A block's sparse output."""
        if number == 0:
            return self.raw
        if not self.design.blocks[number - 1].merge:
            return self.own(number)
        merged = self.normed(self.hidden(number), f"layers.blocks.{number}.merge.layer")
        return [*self.own(number), *merged.split(self.fields.emb_dim)]

    def hidden(self, number: int) -> Tensor:
        if number not in self.known:
            self.known[number] = self.new_hidden(number)
        return self.known[number]

    def new_hidden(self, number: int) -> Tensor:
        choice, name = self.design.blocks[number - 1], f"layers.blocks.{number}.dense"
        x = torch.cat([self.dense(i) for i in choice.dense_inputs])
        if choice.dense == "dot":
            return self.dot(x, self.vectors(choice), f"{name}.dot")
        if choice.dense == "gating":
            return self.gating(x, f"{name}.gating")
        return relu(self.normed(x, f"{name}.linear.layer"))

    def own(self, number: int) -> list[Tensor]:
        choice, name = self.design.blocks[number - 1], f"layers.blocks.{number}.sparse"
        if choice.sparse == "attention":
            return self.attention(self.vectors(choice), f"{name}.attention")
        return [relu(v) for v in self.normed_mix(self.vectors(choice), f"{name}.linear.mix")]

    def vectors(self, choice: BlockChoice) -> list[Tensor]:
        return [vector for i in choice.sparse_inputs for vector in self.sparse(i)]

    def linear(self, x: Tensor, name: str) -> Tensor:
        parts = [w for key, w in self.weights.items() if key.startswith(f"{name}.weights.")]
        weight = torch.cat(parts, dim=1) if parts else self.weights[f"{name}.weight"]
        bias = self.weights.get(f"{name}.bias", torch.zeros(len(weight), dtype=x.dtype))
        return torch.stack([sum((weight[o, i] * x[i] for i in range(len(x))), bias[o]) for o in range(len(weight))])

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean = x.sum() / len(x)
        variance = ((x - mean) ** 2).sum() / len(x)
        scaled = (x - mean) / torch.sqrt(variance + EPS)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def normed(self, x: Tensor, name: str) -> Tensor:
        return self.norm(self.linear(x, f"{name}.linear"), f"{name}.norm.norm")

    def gating(self, x: Tensor, name: str) -> Tensor:
        gate = self.linear(x, f"{name}.gate")
        return self.norm(self.linear(x, f"{name}.value") / (1 + torch.exp(-gate)), f"{name}.norm.norm")

    def dot(self, x: Tensor, vectors: list[Tensor], name: str) -> Tensor:
        mixed = [self.normed(x, f"{name}.project"), *self.normed_mix(vectors, f"{name}.mix")]
        products = [(mixed[i] * mixed[j]).sum() for i in range(len(mixed)) for j in range(i + 1, len(mixed))]
        return self.normed(torch.stack(products), f"{name}.layer")

    def normed_mix(self, vectors: list[Tensor], name: str) -> list[Tensor]:
        return self.feature_by_feature(vectors, lambda feature: self.normed(feature, name))

    def feature_by_feature(self, vectors: list[Tensor], mix: Callable[[Tensor], Tensor]) -> list[Tensor]:
        after = [mix(torch.stack([v[d] for v in vectors])) for d in range(self.fields.emb_dim)]
        return [torch.stack([feature[k] for feature in after]) for k in range(len(after[0]))]

    def attention(self, vectors: list[Tensor], name: str) -> list[Tensor]:
        mixed = self.normed_mix(vectors, f"{name}.mix")
        keys = [self.linear(v, f"{name}.keys") for v in mixed]
        seen = [self.linear(v, f"{name}.values") for v in mixed]
        found = []
        for vector in mixed:
            query = self.linear(vector, f"{name}.queries")
            scores = torch.stack([torch.exp((query * key).sum() / math.sqrt(self.fields.emb_dim)) for key in keys])
            attended = sum((s / scores.sum() * v for s, v in zip(scores, seen, strict=True)), torch.zeros_like(vector))
            hidden = self.norm(vector + self.linear(attended, f"{name}.out"), f"{name}.attended")
            more = self.linear(relu(self.linear(hidden, f"{name}.first")), f"{name}.second")
            found.append(self.norm(hidden + more, f"{name}.normed"))
        return found


def relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.0 * x)


def batch(fields: Fields = FIELDS) -> tuple[Tensor, Tensor | None]:
    return draw_rows(fields.shapes, ROWS)


def randomised(model: torch.nn.Module, seed: int = 1) -> None:
    torch.manual_seed(seed)
    model.double()
    for parameter in model.parameters():
        parameter.data.normal_(std=0.7)


@pytest.mark.parametrize("name", DESIGNS)
def test_logits_and_gradients_agree_with_the_formulas(name: str) -> None:
    design = NasRecDesign(DESIGNS[name])
    model = NasRecNetwork(FIELDS, design)
    randomised(model)
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    ids, values = batch()
    ours, theirs = model(ids, values), Formulas(weights, design, FIELDS).logits(ids, values)
    assert ours.shape == (ROWS,)
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)
    scale = torch.linspace(-1, 2, ROWS, dtype=torch.float64)
    found = torch.autograd.grad((ours * scale).sum(), list(model.parameters()))
    expected = torch.autograd.grad((theirs * scale).sum(), list(weights.values()), allow_unused=True)
    for parameter, a, b in zip(weights, found, expected, strict=True):
        assert b is not None, f"{parameter} is in the model and not in the formula"
        torch.testing.assert_close(a, b, atol=1e-7, rtol=1e-7, msg=f"gradient of {parameter}")


@pytest.mark.parametrize("name", DESIGNS)
def test_every_weight_is_used(name: str) -> None:
    model, (ids, values) = NasRecNetwork(FIELDS, NasRecDesign(DESIGNS[name])), batch()
    unused = {name for name, _ in model.named_parameters()}
    for seed in range(10):  # a ReLU may be off in all rows
        randomised(model, seed)
        model.zero_grad()
        (model(ids, values) * torch.linspace(-1, 2, ROWS, dtype=torch.float64)).sum().backward()
        unused -= {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert unused == set()


# Shared weights --------------------------------------------------------------------------------------------------


@cache
def shared_supernet() -> NasRecSupernet:
    supernet = NasRecSupernet(SPACE, seed=0).eval()
    randomised(supernet)
    return supernet


@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(0, 4))
@settings(deadline=None, max_examples=25)
def test_a_path_gives_what_its_own_model_gives_with_the_same_weights(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    design = SPACE.sample(rng)
    for _ in range(steps):
        before, design = design, SPACE.mutate(design, rng)
        assert design != before
    assert SPACE.problem(design) is None
    supernet = shared_supernet()
    alone = supernet.derive(design)
    assert sum(p.numel() for p in alone.layers.parameters()) == SPACE.weights(design)
    ids, values = batch()
    supernet.path = design
    torch.testing.assert_close(alone(ids, values), supernet(ids, values), atol=1e-10, rtol=1e-10)
    architecture = design.to_architecture()
    again = found_from_json(architecture.to_json())
    assert isinstance(again, Architecture)
    assert again == architecture
    assert NasRecDesign.from_architecture(again) == design
    names = {name: p.shape for name, p in nasrec_network(again, FIELDS).named_parameters()}
    assert names == {name: p.shape for name, p in alone.named_parameters()}


def test_a_path_moves_only_the_weights_that_its_own_model_has() -> None:
    design = NasRecDesign(tuple(replace(b, width=3, vectors=2) for b in DESIGNS["all"]))
    supernet = NasRecSupernet(SPACE, seed=0).eval()
    randomised(supernet)
    supernet.path = design
    ids, values = batch()
    supernet(ids, values).sum().backward()
    alone = supernet.derive(design)
    alone(ids, values).sum().backward()
    own = dict(alone.layers.named_parameters())
    for name, shared in supernet.layers.named_parameters():
        mine = own.get(name)
        moved = torch.zeros(0) if shared.grad is None else shared.grad[shared.grad != 0]
        expected = torch.zeros(0) if mine is None else mine.grad[mine.grad != 0]  # type: ignore[index]
        torch.testing.assert_close(moved.double(), expected.double(), atol=1e-9, rtol=1e-9, msg=name)


def test_training_draws_another_path_each_step_and_evaluation_keeps_it() -> None:
    supernet, twin = NasRecSupernet(SPACE, seed=4), NasRecSupernet(SPACE, seed=4)
    ids, values = batch()
    assert values is not None
    paths = []
    for _ in range(5):
        supernet(ids, values.float())
        twin(ids, values.float())
        assert supernet.path == twin.path
        paths.append(supernet.path)
    assert len(set(paths)) == 5
    supernet.eval()
    supernet(ids, values.float())
    assert supernet.path == paths[-1]


def test_blocks_that_nobody_needs_are_cut() -> None:
    design = NasRecDesign((LINEAR, replace(LINEAR, dense_inputs=(0, 1)), replace(LINEAR, fm=True, merge=True)))
    assert [any(needed) for needed in design.needed()] == [False, False, True]
    assert str(design).startswith("1 cut; 2 cut; 3 linear 4 (raw)")
    assert list(NasRecNetwork(FIELDS, design).layers.blocks) == ["3"]


def test_operators_that_nobody_needs_are_cut() -> None:
    only_dense = (LINEAR, replace(LINEAR, dense_inputs=(1,)))
    block = NasRecNetwork(FIELDS, NasRecDesign(only_dense)).layers.blocks["1"]
    assert list(block.dense) == ["linear"]  # type: ignore[arg-type]
    assert list(block.sparse) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DESIGNS)
def test_logits_depend_on_every_field(name: str) -> None:
    model = NasRecNetwork(FIELDS, NasRecDesign(DESIGNS[name]))
    randomised(model)
    ids, values = batch()
    # Of the list, the column in which every row has an item.
    for column, size in enumerate(shape.size for shape in FIELDS.shapes):
        other = ids.clone()
        other[:, column] = (other[:, column] + 1) % size
        assert (model(ids, values) != model(other, values)).all()


# Designs ---------------------------------------------------------------------------------------------------------


def test_mutations_change_one_choice_of_one_block_and_reach_each_of_them() -> None:
    start = SPACE.sample(0)
    changed = set()
    for seed in range(150):
        found = SPACE.mutate(start, seed)
        differing = [(a, b) for a, b in zip(start.blocks, found.blocks, strict=True) if a != b]
        assert len(differing) == 1
        names = [
            name for name in vars(differing[0][0]) if getattr(differing[0][0], name) != getattr(differing[0][1], name)
        ]
        assert len(names) == 1
        changed.update(names)
    assert changed == set(vars(LINEAR))


def test_the_size_of_the_space_is_that_of_its_enumeration() -> None:
    space = NasRecSpace(FIELDS, (3, 6), (2,), blocks=2)
    flags = list(product((False, True), repeat=2))

    def choices(inputs: list[tuple[int, ...]]) -> list[BlockChoice]:
        every = product(("linear", "gating", "dot"), (3, 6), inputs, ("linear", "attention"), (2,), inputs, flags)
        return [BlockChoice(d, w, di, s, v, si, *both) for d, w, di, s, v, si, both in every]

    first, second = choices([(0,)]), choices([(0,), (1,), (0, 1)])
    assert len(set(first)) * len(set(second)) == space.size
    assert all(NasRecDesign((first[i % len(first)], block)).problem() is None for i, block in enumerate(second))


ILLEGAL: list[tuple[dict[str, Any], str]] = [
    ({"dense": "mlp"}, "dense must be one of linear, gating, dot, got 'mlp'"),
    ({"sparse": "dot"}, "sparse must be one of linear, attention, got 'dot'"),
    ({"width": 0}, "width must be positive, got 0"),
    ({"vectors": -1}, "vectors must be positive, got -1"),
    ({"dense_inputs": ()}, "dense_inputs must be 1 to 4 different numbers"),
    ({"sparse_inputs": (0, 0)}, "sparse_inputs must be 1 to 4 different numbers"),
    ({"sparse_inputs": (1,)}, "sparse_inputs must be from 0 to 0"),
    ({"dense_inputs": (-1,)}, "dense_inputs must be from 0 to 0"),
]


@pytest.mark.parametrize(("change", "words"), ILLEGAL)
def test_illegal_designs_are_refused_with_a_reason(change: dict[str, Any], words: str) -> None:
    design = NasRecDesign((replace(LINEAR, **change),))
    with pytest.raises(DesignError, match=f"block 1: {words}"):
        NasRecNetwork(FIELDS, design)
    with pytest.raises(DesignError, match=words):
        nasrec_network(design.to_architecture(), FIELDS)


def test_five_connections_are_too_many() -> None:
    many = replace(LINEAR, dense_inputs=(0, 1, 2, 3, 4))
    assert "1 to 4" in str(NasRecDesign((*(LINEAR,) * 5, many)).problem())


def test_designs_of_other_spaces_are_refused() -> None:
    good = replace(LINEAR, width=3, vectors=2)
    with pytest.raises(DesignError, match="has 1 blocks, the space has 3"):
        SPACE.check(NasRecDesign((good,)))
    with pytest.raises(DesignError, match="width must be one of 3, 6, got 4"):
        SPACE.check(NasRecDesign((good, good, replace(good, width=4))))
    with pytest.raises(DesignError, match="vectors must be one of 2, 4, got 3"):
        SPACE.check(NasRecDesign((good, good, replace(good, vectors=3))))


def test_models_that_are_too_large_are_not_of_the_space() -> None:
    space = NasRecSpace(FIELDS, (3, 300_000), (2,), blocks=2)
    large = replace(LINEAR, width=300_000, vectors=2)
    with pytest.raises(DesignError, match="the limit is"):
        space.check(NasRecDesign((large, replace(large, dense_inputs=(0, 1)))))
    assert all(space.weights(space.sample(seed)) <= space.weight_limit for seed in range(10))


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({}, "must be a list 'blocks', got nothing"),
    ({"blocks": "x"}, "must be a list 'blocks'"),
    ({"blocks": [{"dense": "linear"}]}, "block 1 of nasrec must have dense, width"),
    ({"blocks": [{**vars(LINEAR), "width": 4.0}]}, "width must be int, got 4.0"),
    ({"blocks": [{**vars(LINEAR), "merge": 1}]}, "merge must be bool, got 1"),
    ({"blocks": [{**vars(LINEAR), "dense_inputs": [True]}]}, "dense_inputs must be"),
]


@pytest.mark.parametrize(("content", "words"), BAD_SETTINGS)
def test_settings_of_another_form_are_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        nasrec_network(Architecture.build("nasrec", content), FIELDS)


def test_architectures_of_other_families_are_refused() -> None:
    with pytest.raises(DesignError, match="got one of autoctr"):
        nasrec_network(Architecture.build("autoctr", {"blocks": []}), FIELDS)


@pytest.mark.parametrize("change", [{"blocks": 0}, {"widths": ()}, {"vectors": (4, 4)}, {"vectors": (0, 4)}])
def test_options_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(change))):
        replace(SPACE, **change)
