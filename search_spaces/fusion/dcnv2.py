"""Spaces with DCNv2's crosses as shallow blocks (Wang et al., WWW 2021)."""

from __future__ import annotations

from torch import nn

from nas_fusion.nn import LowRankCrossBlock, MatrixCrossBlock
from nas_fusion.search_spaces.fusion.fusion_space import FusionSpace

RANK_SHARE = 4
"""The low-rank cross uses a quarter of the width as rank, as the DCNv2 paper recommends."""


class DCNv2Space(FusionSpace):
    """`FusionSpace` with full-matrix crosses."""

    def make_shallow(self, width: int) -> nn.Module:
        """A full-matrix cross."""
        return MatrixCrossBlock(width)


class DCNv2LowRankSpace(FusionSpace):
    """`FusionSpace` with low-rank crosses."""

    def make_shallow(self, width: int) -> nn.Module:
        """A low-rank cross."""
        return LowRankCrossBlock(width, max(1, width // RANK_SHARE))
