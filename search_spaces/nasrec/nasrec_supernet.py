"""The supernet of choice blocks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.nn import FieldEmbedding
from nas_fusion.search_spaces.nasrec.elastic import take_weights
from nas_fusion.search_spaces.nasrec.nasrec_design import DENSE_OPERATORS, RAW, SPARSE_OPERATORS, NasRecDesign
from nas_fusion.search_spaces.nasrec.nasrec_network import BlockShape, ChoiceLayers, NasRecNetwork, sparse_sources
from nas_fusion.search_spaces.nasrec.nasrec_operators import MERGED_VECTORS
from nas_fusion.search_spaces.nasrec.nasrec_space import NasRecSpace


class NasRecSupernet(nn.Module):
    """All paths of a space over shared weights; every training step trains another one.

    Single-operator any-connection sampling: one operator of either kind per block, any connections. In evaluation
    mode the logits are those of `path`.

    Args:
        space: of the paths.
        seed: of the paths.

    Attributes:
        path: the design that was trained last; set it to evaluate another one.
    """

    def __init__(self, space: NasRecSpace, seed: int) -> None:
        super().__init__()
        self.space, self._rng = space, np.random.default_rng(seed)
        fields = space.fields
        self.embedding = FieldEmbedding.of(fields)
        self.layers = ChoiceLayers(fields, _all_shapes(space), space.blocks)
        self.path = space.sample(self._rng)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the logits of a new path (training) or of the present one (evaluation)."""
        if self.training:
            self.path = self.space.sample(self._rng)
        return self.layers(self.embedding(ids, values), self.path)

    def derive(self, design: NasRecDesign) -> NasRecNetwork:
        """The model of a path with a copy of its shared weights."""
        network = NasRecNetwork(self.space.fields, design).to(self.embedding.table.weight)
        # A copy: what is done to the model of a path does not reach the supernet.
        take_weights(network, self)
        return network.train(self.training)


def _all_shapes(space: NasRecSpace) -> dict[int, BlockShape]:
    """Blocks with every operator, for every source, in the largest sizes."""
    dense = {RAW: space.fields.width}
    sparse = {sparse_sources(RAW)[0]: space.fields.vectors}
    shapes = {}
    for number in range(1, space.blocks + 1):
        shapes[number] = BlockShape(
            dict(dense), dict(sparse), max(space.widths), max(space.vectors), DENSE_OPERATORS, SPARSE_OPERATORS,
            merge=True, fm=True,
        )  # fmt: skip
        own, merged = sparse_sources(number)
        dense[number] = max(space.widths)
        sparse.update({own: max(space.vectors), merged: MERGED_VECTORS})
    return shapes
