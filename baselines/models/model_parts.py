"""What several models share: the dense tower, the linear part, the cross network, pairwise products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.errors import OptionError
from nas_fusion.nn import FieldEmbedding
from nas_fusion.nn.blocks import Features
from nas_fusion.nn.kernels import ByteDropout

Ids: TypeAlias = Int[Tensor, "batch column"]
Values: TypeAlias = Float[Tensor, "batch value"]
Logits: TypeAlias = Float[Tensor, " batch"]
Vectors: TypeAlias = Float[Tensor, "batch field dim"]


class Tower(nn.Sequential):
    """Dense layers of any widths: linear, batch norm on request, ReLU, dropout on request (the order of BARS).

    Args:
        width: number of features of the input.
        shape: says whether batch norm and dropout are in it.
        hidden: widths of the layers; those of `shape` unless given.
    """

    def __init__(self, width: int, shape: ModelShape, hidden: Sequence[int] | None = None) -> None:
        widths = (width, *(shape.hidden if hidden is None else hidden))
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            # The bias stays where batch norm makes it idle: BARS counts it, and so do the numbers of weights here.
            layers.append(nn.Linear(before, after))
            if shape.batch_norm:
                layers.append(nn.BatchNorm1d(after))
            layers.append(nn.ReLU())
            if shape.dropout:
                layers.append(ByteDropout(shape.dropout))
        super().__init__(*layers)
        self.width = widths[-1]


class TowerHead(nn.Module):
    """A dense tower and the linear map to a logit: ``w · tower(x) + b``.

    Args:
        width: number of features of the input.
        shape: of the tower.
    """

    def __init__(self, width: int, shape: ModelShape) -> None:
        super().__init__()
        self.tower = Tower(width, shape)
        self.head = nn.Linear(self.tower.width, 1)

    def forward(self, features: Features) -> Logits:
        """Return the logits ``[batch]``."""
        return self.head(self.tower(features)).squeeze(-1)


class LinearPart(nn.Module):
    """The first-order term ``Σ_f w_f[id_f]``; where a field is more than one id, as its vector is made (`FieldForm`).

    The weights are an embedding of width 1, so they are in the optimiser's group of the embeddings. There is no bias:
    the models that have a linear part have one in their head.
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        # An embedding of width 1 already knows fields, ids and values.
        self.weights = FieldEmbedding(shape.fields.shapes, 1)

    def forward(self, ids: Ids, values: Values | None = None) -> Logits:
        """Return the sum of the weights, ``[batch]``, of ids ``[batch, id column]`` and values."""
        return self.weights(ids, values).sum(dim=1)


class CrossNetwork(nn.Module):
    """A chain of cross layers, each of which sees the layer before it and the embedding.

    Args:
        width: number of features of the embedding.
        layers: number of cross layers.
        make: makes one cross layer of a width (a shallow block of `nas_fusion.nn`).
    """

    def __init__(self, width: int, layers: int, make: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(make(width) for _ in range(positive("cross_layers", layers)))

    def forward(self, embedding: Features) -> Features:
        """Cross the embedding ``[batch, width]`` with itself, layer after layer."""
        # Every layer crosses with the embedding itself, not with its own input: the degree grows by one a layer.
        crossed = embedding
        for layer in self.layers:
            crossed = layer(crossed, embedding)
        return crossed


def vectors_of(embedding: Features, shape: ModelShape) -> Vectors:
    """The concatenated vectors ``[batch, fields · emb_dim]``, one by one: ``[batch, fields, emb_dim]``."""
    return embedding.unflatten(1, (shape.vectors, shape.emb_dim))


def fm_term(vectors: Vectors) -> Logits:
    """``Σ_{i<j} ⟨v_i, v_j⟩`` as ``½ Σ_d ((Σ_i v_id)² - Σ_i v_id²)`` (Rendle, ICDM 2010, lemma 3.1).

    Args:
        vectors: ``[batch, field, dim]``.

    Returns:
        ``[batch]``.
    """
    # Linear in the number of fields, where the sum over pairs is quadratic.
    return 0.5 * (vectors.sum(dim=1).square() - vectors.square().sum(dim=1)).sum(dim=1)


def inner_products(vectors: Vectors) -> Float[Tensor, "batch pair"]:
    """``⟨v_i, v_j⟩`` for every pair i < j, pairs in the order (0, 1), (0, 2), …, (1, 2), …

    Args:
        vectors: ``[batch, field, dim]``.

    Returns:
        ``[batch, field · (field - 1) / 2]``.
    """
    fields = vectors.shape[1]
    # One batched product makes every pair twice; choosing half of them is cheaper than making each once.
    first, second = torch.triu_indices(fields, fields, offset=1, device=vectors.device).unbind()
    return (vectors @ vectors.mT)[:, first, second]


def positive(option: str, value: int) -> int:
    """Return `value` if it is positive.

    Raises:
        OptionError: it is not.
    """
    if value < 1:
        raise OptionError(option, "a positive integer", value)
    return value
