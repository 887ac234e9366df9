"""The operators of a choice block.

Dense operators are called with dense inputs ``[batch, width]``, sparse inputs ``[batch, vector, dim]`` and a width, and
return ``[batch, width]``; sparse ones with sparse inputs and a number of vectors, and return ``[batch, vectors, dim]``.
Inputs come by source, see `nas_fusion.search_spaces.nasrec.elastic`.

Source: Zhang et al., WWW 2023, section 3.1, and the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from nas_fusion.nn.blocks import Features
from nas_fusion.search_spaces.nasrec.elastic import ElasticDense, ElasticLinear, ElasticNorm, Inputs

Vectors = Float[Tensor, "batch vector dim"]

DOT_VECTORS = 16
"""To as many vectors ``dot`` mixes its sparse inputs: 136 products with the dense one."""

MERGED_VECTORS = 8
"""Vectors that a dense output is made into (the authors' code)."""


class Linear(nn.Module):
    """``ReLU(LayerNorm(W [x_1; …; x_k]))``.

    Args:
        dense, sparse: largest sizes of the sources; the sparse ones are not looked at.
        width: largest width.
        emb_dim: width d of a vector.
    """

    def __init__(self, dense: Mapping[int, int], sparse: Mapping[int, int], width: int, emb_dim: int) -> None:
        super().__init__()
        self.layer = ElasticDense(dense, width, rectify=True)

    def forward(self, dense: Inputs, sparse: Inputs, width: int) -> Features:
        """Concatenate dense inputs and transform them to ``[batch, width]``."""
        return self.layer(dense, width)


class Gating(nn.Module):
    """``LayerNorm((W x) ⊙ σ(V x + c))`` with x = [x_1; …; x_k].

    Args:
        dense, sparse: largest sizes of the sources; the sparse ones are not looked at.
        width: largest width.
        emb_dim: width d of a vector.
    """

    def __init__(self, dense: Mapping[int, int], sparse: Mapping[int, int], width: int, emb_dim: int) -> None:
        super().__init__()
        self.value, self.gate = ElasticLinear(dense, width, bias=False), ElasticLinear(dense, width)
        self.norm = ElasticNorm(width)

    def forward(self, dense: Inputs, sparse: Inputs, width: int) -> Features:
        """Multiply by the gate: ``[batch, width]``."""
        return self.norm(self.value(dense, width) * torch.sigmoid(self.gate(dense, width)))


class DotProduct(nn.Module):
    """``LayerNorm(W z)`` with z the products of all pairs of the mixed sparse vectors and the dense one.

    Args:
        dense, sparse: largest sizes of the sources.
        width: largest width.
        emb_dim: width d of a vector.
    """

    first: Tensor
    second: Tensor

    def __init__(self, dense: Mapping[int, int], sparse: Mapping[int, int], width: int, emb_dim: int) -> None:
        super().__init__()
        self.emb_dim = emb_dim
        self.project = ElasticDense(dense, emb_dim)
        self.mix = ElasticDense(sparse, DOT_VECTORS)
        # Without the diagonal: pairs of different vectors, the dense one among them.
        first, second = torch.triu_indices(DOT_VECTORS + 1, DOT_VECTORS + 1, offset=1)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.layer = ElasticDense({0: len(first)}, width)

    def forward(self, dense: Inputs, sparse: Inputs, width: int) -> Features:
        """Mix the sparse inputs, multiply all pairs, transform the products to ``[batch, width]``."""
        mixed = self.mix(transposed(sparse), DOT_VECTORS).mT
        # The dense inputs take part as one more vector.
        vectors = torch.cat([self.project(dense, self.emb_dim).unsqueeze(1), mixed], dim=1)
        products = (vectors @ vectors.mT)[:, self.first, self.second]
        return self.layer({0: products}, width)


class EmbeddedLinear(nn.Module):
    """``ReLU(LayerNorm(W s))`` over the vectors: every output vector is a mixture of the input vectors.

    Args:
        sparse: largest sizes of the sources.
        vectors: largest number.
        emb_dim: width d of a vector.
    """

    def __init__(self, sparse: Mapping[int, int], vectors: int, emb_dim: int) -> None:
        super().__init__()
        self.mix = ElasticDense(sparse, vectors, rectify=True)

    def forward(self, sparse: Inputs, vectors: int) -> Vectors:
        """Mix the vectors to ``[batch, vectors, dim]``."""
        return self.mix(transposed(sparse), vectors).mT


class Attention(nn.Module):
    """A transformer layer with one head on mixtures of the input vectors.

    With s the mixtures: ``h = LayerNorm(s + O softmax(q kᵀ / √d) v)``, then ``LayerNorm(h + F_2 ReLU(F_1 h))``. Keys
    have no bias: softmax takes away what is alike for all of them.

    Args:
        sparse: largest sizes of the sources.
        vectors: largest number.
        emb_dim: width d of a vector.
    """

    def __init__(self, sparse: Mapping[int, int], vectors: int, emb_dim: int) -> None:
        super().__init__()
        self.mix = ElasticDense(sparse, vectors)
        self.queries, self.values = (nn.Linear(emb_dim, emb_dim) for _ in range(2))
        self.keys = nn.Linear(emb_dim, emb_dim, bias=False)
        self.out, self.first, self.second = (nn.Linear(emb_dim, emb_dim) for _ in range(3))
        self.attended, self.normed = nn.LayerNorm(emb_dim), nn.LayerNorm(emb_dim)

    def forward(self, sparse: Inputs, vectors: int) -> Vectors:
        """Mix the vectors to ``[batch, vectors, dim]``, and let each look at all."""
        mixed = self.mix(transposed(sparse), vectors).mT
        # With one head as a dimension of its own torch takes the kernel that keeps no [vectors, vectors] shares.
        queries, keys, values = (layer(mixed).unsqueeze(1) for layer in (self.queries, self.keys, self.values))
        looked_up = scaled_dot_product_attention(queries, keys, values).squeeze(1)
        # The norm comes after the residual sum, as published.
        hidden = self.attended(mixed + self.out(looked_up))
        return self.normed(hidden + self.second(torch.relu(self.first(hidden))))


class SparseToDense(nn.Module):
    """``LayerNorm(W ((Σ_j v_j)² - Σ_j v_j²))``: a factorisation machine on the vectors.

    Args:
        width: largest width.
        emb_dim: width d of a vector.
    """

    def __init__(self, width: int, emb_dim: int) -> None:
        super().__init__()
        self.layer = ElasticDense({0: emb_dim}, width)

    def forward(self, vectors: Vectors, width: int) -> Features:
        """Return ``[batch, width]``."""
        # A vector, not a number: the sum over its features is left to W.
        return self.layer({0: vectors.sum(dim=1).square() - vectors.square().sum(dim=1)}, width)


class DenseToSparse(nn.Module):
    """``LayerNorm(W x)``, cut into `MERGED_VECTORS` vectors.

    Args:
        width: largest width of x.
        emb_dim: width d of a vector.
    """

    def __init__(self, width: int, emb_dim: int) -> None:
        super().__init__()
        self.emb_dim = emb_dim
        self.layer = ElasticDense({0: width}, MERGED_VECTORS * emb_dim)

    def forward(self, dense: Features) -> Vectors:
        """Return ``[batch, MERGED_VECTORS, dim]``."""
        return self.layer({0: dense}, MERGED_VECTORS * self.emb_dim).unflatten(1, (MERGED_VECTORS, self.emb_dim))


def transposed(sparse: Inputs) -> Inputs:
    """Vectors ``[batch, vector, dim]`` as ``[batch, dim, vector]``, so that a layer mixes vectors."""
    return {source: vectors.mT for source, vectors in sparse.items()}


DENSE = {"linear": Linear, "gating": Gating, "dot": DotProduct}
SPARSE = {"linear": EmbeddedLinear, "attention": Attention}
