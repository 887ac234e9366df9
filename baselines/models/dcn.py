"""Deep & Cross networks: DCN, and DCNv2 stacked and parallel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from optuna.distributions import IntDistribution
from torch import nn

from nas_fusion.baselines.handmade_designs import stacked
from nas_fusion.baselines.models.handmade_model import LAYERS, FrappeResult, HandMade, tower_defaults, tuned_tower
from nas_fusion.baselines.models.model_parts import CrossNetwork, Ids, Logits, Tower, TowerHead, Values
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.bounds import Bound
from nas_fusion.nn import CrossBlock, LowRankCrossBlock, MatrixCrossBlock


class ParallelDCN(nn.Module):
    """``w · [crosses(e); tower(e)] + b``: crosses and a dense tower side by side.

    Args:
        shape: of the tower.
        cross_layers: number of cross layers.
        make_cross: makes one cross layer of a width.
    """

    def __init__(self, shape: ModelShape, cross_layers: int, make_cross: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.embedding = shape.make_embedding()
        width = self.embedding.width
        self.crosses = CrossNetwork(width, cross_layers, make_cross)
        self.tower = Tower(width, shape)
        # Side by side, not added: the two ends have different widths.
        self.head = nn.Linear(width + self.tower.width, 1)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        embedding = self.embedding(ids, values)
        return self.head(torch.cat([self.crosses(embedding), self.tower(embedding)], dim=1)).squeeze(-1)


class DCN(ParallelDCN):
    """DCN (Wang et al., ADKDD 2017): cross layers ``(w · x) e + b + x`` beside a dense tower.

    Args:
        shape: of the tower.
        cross_layers: number of cross layers.
    """

    def __init__(self, shape: ModelShape, cross_layers: int = 3) -> None:
        super().__init__(shape, cross_layers, CrossBlock)


class DCNv2Parallel(ParallelDCN):
    """DCNv2 in its parallel form (Wang et al., WWW 2021, fig. 1b): cross layers ``(W x + b) ⊙ e + x``.

    Left out: the mixture of low-rank experts, which BARS does not use on frappe either.

    Args:
        shape: of the tower.
        cross_layers: number of cross layers.
        rank: ``W = U V`` of this rank (its eq. 2); None: a full matrix (eq. 1).
    """

    def __init__(self, shape: ModelShape, cross_layers: int = 4, rank: int | None = None) -> None:
        super().__init__(shape, cross_layers, dcnv2_cross(rank))


class DCNv2Stacked(nn.Module):
    """DCNv2 in its stacked form (fig. 1a): ``w · tower(crosses(e)) + b``; otherwise as `DCNv2Parallel`.

    Args:
        shape: of the tower.
        cross_layers: number of cross layers.
        rank: as of `DCNv2Parallel`.
    """

    def __init__(self, shape: ModelShape, cross_layers: int = 4, rank: int | None = None) -> None:
        super().__init__()
        self.embedding = shape.make_embedding()
        self.crosses = CrossNetwork(self.embedding.width, cross_layers, dcnv2_cross(rank))
        self.deep = TowerHead(self.embedding.width, shape)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the logits ``[batch]``."""
        # The tower sees the crosses only; the embedding reaches it through their term ``+ x``.
        return self.deep(self.crosses(self.embedding(ids, values)))


def dcnv2_cross(rank: int | None) -> Callable[[int], nn.Module]:
    """What makes a cross layer with a matrix of a rank; None: of full rank."""
    # Of the width alone, as `CrossNetwork` asks for.
    return MatrixCrossBlock if rank is None else partial(LowRankCrossBlock, rank=rank)


DCN_ENTRY = HandMade(
    "dcn",
    "DCN: crosses beside a dense network (Wang et al., ADKDD 2017)",
    DCN,
    tower=tower_defaults(0.2),
    own={"cross_layers": 3},
    own_bounds={"cross_layers": LAYERS},
    distributions=tuned_tower(cross_layers=IntDistribution(1, 6)),
    frappe=FrappeResult(0.983418, 0.150676, 5, 0.05, 418_591),
)

_RANK = Bound(1, 16_384, or_none=True)

DCNV2_STACKED_ENTRY = HandMade(
    "dcnv2-stacked",
    "DCNv2 stacked: full-matrix crosses below a dense network (Wang et al., WWW 2021)",
    DCNv2Stacked,
    # BARS chose the parallel form on frappe: that form's settings are taken over here.
    tower=tower_defaults(0.4),
    own={"cross_layers": 4, "rank": None},
    own_bounds={"cross_layers": LAYERS, "rank": _RANK},
    distributions=tuned_tower(cross_layers=IntDistribution(1, 6)),
    design=stacked,
    space="dcnv2",
)

DCNV2_PARALLEL_ENTRY = HandMade(
    "dcnv2-parallel",
    "DCNv2 parallel: full-matrix crosses beside a dense network (Wang et al., WWW 2021)",
    DCNv2Parallel,
    tower=tower_defaults(0.4),
    own={"cross_layers": 4, "rank": None},
    own_bounds={"cross_layers": LAYERS, "rank": _RANK},
    distributions=tuned_tower(cross_layers=IntDistribution(1, 6)),
    frappe=FrappeResult(0.983824, 0.152036, 5, 0.05, 458_391),
)
