"""`WideSpace`: the fusion space whose blocks are searched, too, so that published models are points of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from torch import nn

from nas_fusion.design import DEEP_VARIANTS, OPERATIONS, SHALLOW_VARIANTS
from nas_fusion.field_shapes import FieldLike
from nas_fusion.nn import CrossBlock, DeepBlock, LowRankCrossBlock, MatrixCrossBlock
from nas_fusion.search_spaces.fusion.dcnv2 import RANK_SHARE
from nas_fusion.search_spaces.fusion.fusion_space import DEFAULT_LEVELS, FusionSpace
from nas_fusion.search_spaces.wide.gated_blocks import (
    GatedDeepBlock,
    RegulatedCrossBlock,
    RegulatedDeepBlock,
    TowerBlock,
)
from nas_fusion.settings import DEFAULT_EMB_DIM, ModelSettings, ProductRule

WIDE_OPERATIONS = (*OPERATIONS, "bilinear")
"""The published operations, and FinalMLP's."""


class WideSpace(FusionSpace):
    """`FusionSpace` in which every block is one of several: FNN, DCNv2, EDCN and FinalMLP are designs of it.

    Which designs they are stands in `nas_fusion.baselines.wide_points`. What a shallow block may be: DCN's cross,
    DCNv2's with a full or a low-rank matrix, EDCN's with regulation; a deep one: one dense layer, the hand-made models'
    tower, a dense layer behind FinalMLP's gate or EDCN's regulation.

    Arguments are those of `FusionSpace`; FinalMLP and EDCN need the operation ``"bilinear"``.
    """

    shallow_variants: ClassVar[tuple[str, ...]] = SHALLOW_VARIANTS
    deep_variants: ClassVar[tuple[str, ...]] = DEEP_VARIANTS
    starts_from_handmade: ClassVar[bool] = True

    def __init__(
        self,
        field_sizes: Sequence[FieldLike],
        levels: int = DEFAULT_LEVELS,
        emb_dim: int = DEFAULT_EMB_DIM,
        operations: Sequence[str] = WIDE_OPERATIONS,
        product: ProductRule = ModelSettings.product,
        batch_norm: bool = ModelSettings.batch_norm,
        dropout: float = ModelSettings.dropout,
        block_width: int = 0,
    ) -> None:
        super().__init__(field_sizes, levels, emb_dim, operations, product, batch_norm, dropout, block_width)

    def make_variant(self, name: str, width: int) -> nn.Module:
        """A new block by the name of its variant."""
        norm, dropout = self.batch_norm, self.dropout
        makers: Mapping[str, Callable[[], nn.Module]] = {
            "cross": lambda: CrossBlock(width),
            "matrix-cross": lambda: MatrixCrossBlock(width),
            "low-rank-cross": lambda: LowRankCrossBlock(width, max(1, width // RANK_SHARE)),
            "regulated-cross": lambda: RegulatedCrossBlock(width, self.emb_dim, batch_norm=norm),
            "dense": lambda: DeepBlock(width, batch_norm=norm, dropout=dropout),
            "tower": lambda: TowerBlock(width, batch_norm=norm, dropout=dropout),
            "gated-dense": lambda: GatedDeepBlock(width, self.emb_dim, batch_norm=norm, dropout=dropout),
            "regulated-dense": lambda: RegulatedDeepBlock(width, self.emb_dim, batch_norm=norm, dropout=dropout),
        }
        return makers[name]()
