"""Blocks of a width of their own: one map behind the embeddings, and every model on it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas_fusion.baselines.models import MODELS
from nas_fusion.errors import OptionError
from nas_fusion.measures import multiply_adds, parameters
from nas_fusion.nn import FieldEmbedding, Fields
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.search_spaces.interaction import InteractionNetwork, InteractionSpace
from nas_fusion.search_spaces.nasrec import NasRecNetwork, NasRecSpace, NasRecSupernet
from nas_fusion.training import TrainConfig, parameter_groups
from tests.field_oracle import MIXED, draw_rows, field_vectors

MANY = (*MIXED, *MIXED, *MIXED)
FIELDS = Fields(MANY, emb_dim=2, block_width=6)
"""12 fields, taken as 3 vectors of 2."""


def test_features_are_one_map_of_the_vectors() -> None:
    torch.manual_seed(0)
    embedding = FieldEmbedding.of(FIELDS).double()
    nn.init.normal_(embedding.table.weight)
    assert embedding.projection is not None
    ids, values = draw_rows(MANY, 9)
    vectors = torch.cat(field_vectors(embedding.table.weight, MANY, ids, values), dim=1)
    torch.testing.assert_close(embedding(ids, values), vectors @ embedding.projection.weight.T)
    assert (embedding.width, embedding.fields) == (6, FIELDS)
    other = embedding.like_new()
    assert (other.width, other.fields, other.table.weight.dtype) == (6, FIELDS, torch.float64)


def test_widths_are_whole_vectors() -> None:
    assert (FIELDS.vectors, FIELDS.width) == (3, 6)
    assert Fields.of([3] * 9, 4, block_width=19).width == 16
    assert Fields.of([3] * 9, 4, block_width=3).width == 4
    assert Fields.of([3] * 9, 4).width == 36
    with pytest.raises(OptionError, match="block_width must be 0 or a positive integer, got -1"):
        Fields.of([3], 4, block_width=-1)


def models() -> dict[str, nn.Module]:
    torch.manual_seed(1)
    space = FusionSpace(field_sizes=MANY, levels=1, emb_dim=2, block_width=6)
    interactions, paths = InteractionSpace(FIELDS, (4, 8)), NasRecSpace(FIELDS, (4, 8), blocks=2)
    found: dict[str, nn.Module] = {name: entry.for_fields(FIELDS) for name, entry in MODELS.items()}
    return {
        **found,
        "a design": space.random(),
        "interactions": InteractionNetwork(FIELDS, interactions.sample(1)),
        "a path": NasRecNetwork(FIELDS, paths.sample(1)),
        "all paths": NasRecSupernet(paths, seed=1),
    }


@pytest.mark.parametrize("name", list(models()))
def test_every_model_takes_it(name: str) -> None:
    model = models()[name].train()
    ids, values = draw_rows(MANY, 16, dtype=torch.float32)
    logits = model(ids, values)
    assert logits.shape == (16,)
    logits.sum().backward()
    projections = [m.projection for m in model.modules() if isinstance(m, FieldEmbedding) and m.projection is not None]
    assert [tuple(p.weight.shape) for p in projections] == [(6, 24)]
    assert projections[0].weight.grad is not None
    groups = {group["name"]: {id(p) for p in group["params"]} for group in parameter_groups(model, TrainConfig())}
    assert id(projections[0].weight) in groups["network"], "the embeddings' L2 is not for it"


def test_the_map_is_counted() -> None:
    plain, narrow = (FusionSpace(field_sizes=[3] * 12, levels=1, emb_dim=2, block_width=w) for w in (0, 6))
    same = FusionSpace(field_sizes=[3] * 3, levels=1, emb_dim=2)
    assert narrow.fields == Fields.of([3] * 12, 2, 6)
    assert parameters(narrow) - parameters(same) == 24 * 6 + (12 - 3) * 3 * 2
    design = plain.designs.sample(0)
    models = [one.derive(design, weights=False) for one in (narrow, same)]
    work = [multiply_adds(model, one.fields) for model, one in zip(models, (narrow, same), strict=True)]
    assert work[0] - work[1] == 24 * 6
