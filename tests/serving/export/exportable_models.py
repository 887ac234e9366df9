"""Opened models to export, with weights that nobody trained: on logs with everything that columns may hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nas_fusion.architecture import Architecture
from nas_fusion.baselines.models import MODELS
from nas_fusion.baselines.wide_points import POINTS
from nas_fusion.data import EncodedDataset
from nas_fusion.design import KNOWN_OPERATIONS, FusionDesign, candidate_connections, fused_blocks
from nas_fusion.nn import Fields
from nas_fusion.search_spaces import DCNv2LowRankSpace, DCNv2Space, FusionSpace, WideSpace
from nas_fusion.search_spaces.interaction import InteractionNetwork
from nas_fusion.search_spaces.interaction.interaction_design import Block, InteractionDesign
from nas_fusion.search_spaces.nasrec import NasRecNetwork
from nas_fusion.search_spaces.nasrec.nasrec_design import BlockChoice, NasRecDesign
from nas_fusion.serving import LogFacts, ModelManifest, SavedModel
from nas_fusion.settings import DataOptions, ModelSettings, TrainConfig

LEVELS, EMB_DIM = 2, 2
SPARSE_SHARE = 0.6

PUBLISHED = ("add", "product", "concat", "attention")
RESIDUAL = "residual-product"

Make = Callable[[Fields], nn.Module]


def opened(dataset: EncodedDataset, make: Make, block_width: int = 0) -> SavedModel:
    """A model of a log as if it had been loaded."""
    module = exportable(make, Fields(dataset.schema.field_shapes, EMB_DIM, block_width))
    manifest = ModelManifest(
        strategy="drawn",
        kind="reference",
        seed=0,
        mode="hard",
        design=Architecture.build("drawn", {}),
        space=ModelSettings(levels=LEVELS, emb_dim=EMB_DIM, block_width=str(block_width)),
        recipe=TrainConfig(batch_size=64),
        log=LogFacts("log", "0", (3, 2, 1), 0.5, DataOptions(), dataset.log_form),
    )
    return SavedModel(Path("model"), manifest, dataset.encoding(), module)


def exportable(make: Make, fields: Fields, seed: int = 3) -> nn.Module:
    """A network in evaluation mode, as if it had been trained: weights and running statistics are drawn."""
    torch.manual_seed(seed)
    module = make(fields).eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)
        for part in module.modules():
            if isinstance(part, nn.BatchNorm1d):
                assert part.running_mean is not None
                assert part.running_var is not None
                part.running_mean.normal_(std=0.1)
                part.running_var.uniform_(0.5, 2.0)
    return module


def space_of(fields: Fields, kind: type[FusionSpace] = FusionSpace, **options: Any) -> FusionSpace:
    return kind(field_sizes=fields.shapes, levels=LEVELS, emb_dim=EMB_DIM, block_width=fields.block_width, **options)


def hard(operation: str, kind: type[FusionSpace] = FusionSpace, *, batch_norm: bool = False) -> Make:
    """All connections open, and one operation everywhere."""
    design = FusionDesign.build(LEVELS, candidate_connections(LEVELS), dict.fromkeys(fused_blocks(LEVELS), operation))

    def make(fields: Fields) -> nn.Module:
        # Drawn weights depend on how many operations there are; by some draws a product says the same of every row.
        drawn = (*PUBLISHED, RESIDUAL)
        space = space_of(
            fields, kind, operations=drawn if operation in drawn else KNOWN_OPERATIONS, batch_norm=batch_norm
        )
        return space.derive(design, weights=False)

    return make


def drawn(kind: type[FusionSpace], seed: int) -> Make:
    """Some connections open, and any operations; with blocks that nothing reaches."""
    rng = np.random.default_rng(seed)

    def make(fields: Fields) -> nn.Module:
        return space_of(fields, kind).derive(some_design(rng), weights=False)

    return make


def some_design(rng: np.random.Generator) -> FusionDesign:
    while True:
        is_open = [c for c in candidate_connections(LEVELS) if rng.random() < SPARSE_SHARE]
        design = FusionDesign.build(LEVELS, is_open, {b: str(rng.choice(PUBLISHED)) for b in fused_blocks(LEVELS)})
        if design.is_legal:
            return design


def soft(*operations: str, full: bool = True) -> Make:
    """The mixture of these operations."""
    rng = np.random.default_rng(len(operations))

    def make(fields: Fields) -> nn.Module:
        space = space_of(fields, operations=operations, product="open")
        mixture = {
            block: dict(zip(operations, rng.dirichlet(np.ones(len(operations))).tolist(), strict=True))
            for block in fused_blocks(LEVELS)
        }
        opened = candidate_connections(LEVELS) if full else candidate_connections(LEVELS)[::2]
        design = FusionDesign.build(LEVELS, opened, dict.fromkeys(fused_blocks(LEVELS), operations[0]))
        return space.derive(design, mode="soft", mixture=mixture)

    return make


def wide(name: str) -> Make:
    """A hand-made model's point of the wide space."""

    def make(fields: Fields) -> nn.Module:
        space = space_of(fields, WideSpace, batch_norm=True)
        design = POINTS[name](space.designs)
        assert design is not None
        return space.derive(design, weights=False)

    return make


def autoctr(fields: Fields) -> nn.Module:
    """Every kind of block."""
    blocks = Block("mlp", (0,), 6), Block("fm", (0, 1)), Block("dot", (0, 1)), Block("hadamard", (2, 3), 4)
    return InteractionNetwork(fields, InteractionDesign(blocks))


def nasrec(fields: Fields) -> nn.Module:
    """Every operator, and both layers between the outputs."""
    blocks = (
        BlockChoice("linear", 5, (0,), "linear", 3, (0,), merge=True),
        BlockChoice("gating", 4, (0, 1), "attention", 3, (0, 1), fm=True),
        BlockChoice("dot", 6, (1, 2), "linear", 2, (1, 2), merge=True, fm=True),
    )
    return NasRecNetwork(fields, NasRecDesign(blocks))


def handmade(name: str) -> Make:
    """A hand-made model with a small tower."""
    small = {"hidden_width": 10, "second_width": 10, "gate_width": 4, "cin_width": 3}

    def make(fields: Fields) -> nn.Module:
        entry = MODELS[name]
        return entry.for_fields(fields, **{key: value for key, value in small.items() if key in entry.parameters})

    return make


EXPORTABLE: Mapping[str, Make] = {
    **{f"hard {operation}": hard(operation) for operation in (*PUBLISHED, RESIDUAL)},
    "hard, batch norm": hard("concat", batch_norm=True),
    "hard, sparse": drawn(FusionSpace, 1),
    "dcnv2": drawn(DCNv2Space, 2),
    "dcnv2-low-rank": hard("add", DCNv2LowRankSpace),
    "soft": soft(*PUBLISHED),
    "soft, without product": soft("add", "concat", "attention"),
    "soft, two operations": soft("product", "concat"),
    "soft, residual product": soft("add", RESIDUAL, "concat", "attention"),
    "soft, sparse": soft(*PUBLISHED, full=False),
    "hard bilinear": hard("bilinear"),
    **{f"wide {name}": wide(name) for name in ("edcn", "finalmlp", "dcnv2-parallel")},
    "autoctr": autoctr,
    "nasrec": nasrec,
    **{name: handmade(name) for name in MODELS},
}
"""Every kind of model that nas-fusion makes."""
