"""Choice blocks, and the model of one path through them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.architecture import Architecture
from nas_fusion.nn import FieldEmbedding, Fields
from nas_fusion.nn.blocks import Features
from nas_fusion.search_spaces.nasrec.elastic import ElasticLinear, Inputs
from nas_fusion.search_spaces.nasrec.nasrec_design import RAW, BlockChoice, NasRecDesign, Needed
from nas_fusion.search_spaces.nasrec.nasrec_operators import DENSE, MERGED_VECTORS, SPARSE, DenseToSparse, SparseToDense

T = TypeVar("T")


@dataclass(frozen=True)
class BlockShape:
    """What a block is made for: all that paths may ask of it, or what one path does.

    Args:
        dense: width of every dense source, by block.
        sparse: number of vectors of every sparse source, see `sparse_sources`.
        width, vectors: of its outputs.
        dense_operators, sparse_operators: names.
        merge, fm: whether it has the layers between the two.
    """

    dense: Mapping[int, int]
    sparse: Mapping[int, int]
    width: int
    vectors: int
    dense_operators: Sequence[str]
    sparse_operators: Sequence[str]
    merge: bool
    fm: bool


def sparse_sources(block: int) -> tuple[int, int]:
    """The sources that are a block's own vectors, and those that were merged into its output."""
    # A block's vectors have two origins, and a path may have the one without the other: two sources.
    return 2 * block, 2 * block + 1


class ChoiceBlock(nn.Module):
    """One block: operators by name, and the layers between its two outputs.

    Args:
        shape: what it is made for.
        emb_dim: width of a vector.
    """

    def __init__(self, shape: BlockShape, emb_dim: int) -> None:
        super().__init__()
        self.dense = nn.ModuleDict(
            {name: DENSE[name](shape.dense, shape.sparse, shape.width, emb_dim) for name in shape.dense_operators}
        )
        self.sparse = nn.ModuleDict(
            {name: SPARSE[name](shape.sparse, shape.vectors, emb_dim) for name in shape.sparse_operators}
        )
        self.merge = DenseToSparse(shape.width, emb_dim) if shape.merge else None
        self.fm = SparseToDense(shape.width, emb_dim) if shape.fm else None

    def forward(
        self, choice: BlockChoice, needed: Needed, dense: Inputs, sparse: Inputs
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return the dense output, the own vectors, and the merged ones; None for what is not needed or not there."""
        # A dense output may be needed for the vectors alone (merge), and the vectors for the dense output alone (fm).
        hidden = self.dense[choice.dense](dense, sparse, choice.width) if needed.dense else None
        vectors = self.sparse[choice.sparse](sparse, choice.vectors) if needed.sparse else None
        output = hidden if needed.dense_output else None
        if output is not None and choice.fm and self.fm is not None:
            output = output + self.fm(vectors, choice.width)
        merges = needed.sparse_output and choice.merge and self.merge is not None
        merged = self.merge(hidden) if merges and self.merge is not None else None
        return output, vectors if needed.sparse_output else None, merged


class ChoiceLayers(nn.Module):
    """Everything after the embedding: choice blocks, and the head ``w · [dense; vectors] + b`` on the last one.

    Args:
        fields: of the data.
        shapes: of the blocks, by number; a block that no path needs may be left out.
        last: number of the last block.
    """

    def __init__(self, fields: Fields, shapes: Mapping[int, BlockShape], last: int) -> None:
        super().__init__()
        self.emb_dim, self.fields, self.last = fields.emb_dim, fields.vectors, last
        self.blocks = nn.ModuleDict({str(n): ChoiceBlock(shape, fields.emb_dim) for n, shape in shapes.items()})
        shape = shapes[last]
        sources = {0: shape.width, 1: shape.vectors * self.emb_dim}
        if shape.merge:
            sources[2] = MERGED_VECTORS * self.emb_dim
        self.head = ElasticLinear(sources, 1)

    def forward(self, embedding: Features, design: NasRecDesign) -> Float[Tensor, " batch"]:
        """Return the logits of a path."""
        dense = {RAW: embedding}
        sparse = {sparse_sources(RAW)[0]: embedding.unflatten(1, (self.fields, self.emb_dim))}
        for number, (choice, needed) in enumerate(zip(design.blocks, design.needed(), strict=True), 1):
            # A block that reaches nothing is not computed; its weights get no gradient in this step.
            if any(needed):
                block = self.blocks[str(number)]
                outputs = block(choice, needed, _some(dense, choice.dense_inputs), _sparse(sparse, choice))
                dense.update(_there({number: outputs[0]}))
                sparse.update(_there(dict(zip(sparse_sources(number), outputs[1:], strict=True))))
        own, merged = (sparse.get(source) for source in sparse_sources(self.last))
        parts = {0: dense[self.last], 1: own, 2: merged}
        return self.head({k: part.flatten(1) for k, part in parts.items() if part is not None}, 1).squeeze(-1)


class NasRecNetwork(nn.Module):
    """The model of one path, with the layers and widths that it needs and no others.

    Args:
        fields: of the data.
        design: a legal one.

    Raises:
        DesignError: it is not legal.
    """

    def __init__(self, fields: Fields, design: NasRecDesign) -> None:
        super().__init__()
        self.design = design.check()
        self.embedding = FieldEmbedding.of(fields)
        self.layers = _layers_of(fields, design)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the logits ``[batch]``."""
        return self.layers(self.embedding(ids, values), self.design)


def nasrec_network(architecture: Architecture, fields: Fields) -> NasRecNetwork:
    """The model of an architecture, with fresh weights from the current random state.

    Raises:
        DesignError: it is none of this family, or not legal.
    """
    return NasRecNetwork(fields, NasRecDesign.from_architecture(architecture))


@lru_cache(maxsize=1024)
def weights_of(fields: Fields, design: NasRecDesign) -> int:
    """Number of weights after the embedding of the model of a path; nothing is allocated."""
    with torch.device("meta"):
        layers = _layers_of(fields, design)
    return sum(p.numel() for p in layers.parameters())


def _layers_of(fields: Fields, design: NasRecDesign) -> ChoiceLayers:
    """The layers that a design needs, in the sizes that it has."""
    dense = {RAW: fields.width}
    sparse = {sparse_sources(RAW)[0]: fields.vectors}
    shapes = {}
    for number, (choice, needed) in enumerate(zip(design.blocks, design.needed(), strict=True), 1):
        if not any(needed):
            continue
        merge = needed.sparse_output and choice.merge
        shapes[number] = BlockShape(
            dense=_some(dense, choice.dense_inputs),
            sparse=_sparse(sparse, choice),
            width=choice.width,
            vectors=choice.vectors,
            dense_operators=[choice.dense] if needed.dense else [],
            sparse_operators=[choice.sparse] if needed.sparse else [],
            merge=merge,
            fm=needed.dense_output and choice.fm,
        )
        own, merged = sparse_sources(number)
        dense.update({number: choice.width} if needed.dense_output else {})
        sparse.update({own: choice.vectors} if needed.sparse_output else {})
        sparse.update({merged: MERGED_VECTORS} if merge else {})
    return ChoiceLayers(fields, shapes, len(design.blocks))


def _some(outputs: Mapping[int, T], wanted: Iterable[int]) -> dict[int, T]:
    return {i: outputs[i] for i in wanted if i in outputs}


def _sparse(outputs: Mapping[int, T], choice: BlockChoice) -> dict[int, T]:
    return _some(outputs, [source for block in choice.sparse_inputs for source in sparse_sources(block)])


def _there(outputs: Mapping[int, Tensor | None]) -> dict[int, Tensor]:
    return {i: tensor for i, tensor in outputs.items() if tensor is not None}
