"""The blocks: what each makes of its inputs.

Every block is made for the widths of its inputs and called with a list of them, ``[batch, width]`` each. Where the raw
features are among them they come first, and `raw` has their number of fields.

Source of ``mlp``, ``fm`` and ``dot``: Song et al., KDD 2020, section 3.1, and the authors' code. Deviations: one dense
layer per ``mlp``; the first-order term of ``fm`` is linear in the same vectors as the second-order term, not in
embeddings of width 1; ``dot`` mixes many vectors to fewer; ``hadamard`` is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

Inputs: TypeAlias = Sequence[Float[Tensor, "batch _"]]
"""Of any widths, the batch the same."""

MOST_VECTORS = 40
"""``dot`` mixes more vectors than this to as many, or its output would grow with the square of the fields."""


class MLP(nn.Module):
    """``ReLU(W [x_1; …; x_k] + b)``.

    Args:
        inputs: widths of the inputs.
        width: of the output.
    """

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(sum(inputs), width)
        self.width = width

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch width"]:
        """Concatenate inputs ``[batch, width_i]`` and transform them to ``[batch, width]``."""
        return torch.relu(self.linear(torch.cat(list(inputs), dim=1)))


class Hadamard(nn.Module):
    """``(A [x_1; …; x_k] + a) ⊙ (B [x_1; …; x_k] + b)``: every pair of inputs, each with itself too, multiplied.

    Args:
        inputs: widths of the inputs.
        width: of the output.
    """

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(sum(inputs), width), nn.Linear(sum(inputs), width)
        self.width = width

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch width"]:
        """Map inputs ``[batch, width_i]`` twice to ``[batch, width]``, and multiply."""
        together = torch.cat(list(inputs), dim=1)
        return self.left(together) * self.right(together)


class Vectors(nn.Module):
    """The inputs as vectors of one width: a raw field's embedding as it is, a block's output mapped to one.

    Args:
        inputs: widths of the inputs.
        raw: number of fields if the raw features are the first input, else 0.
        emb_dim: width d of a vector.
    """

    def __init__(self, inputs: Sequence[int], raw: int, emb_dim: int) -> None:
        super().__init__()
        self.raw, self.emb_dim = raw, emb_dim
        # Raw fields are vectors of the right width already; each block's output gets a map of its own.
        self.maps = nn.ModuleList(nn.Linear(width, emb_dim) for width in inputs[bool(raw) :])
        self.count = raw + len(self.maps)

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch vector dim"]:
        """Return the vectors, ``[batch, count, emb_dim]``, of inputs ``[batch, width_i]``."""
        vectors = [inputs[0].unflatten(1, (self.raw, self.emb_dim))] if self.raw else []
        outputs = inputs[bool(self.raw) :]
        vectors += [map_(output).unsqueeze(1) for map_, output in zip(self.maps, outputs, strict=True)]
        return torch.cat(vectors, dim=1)


class FactorisationMachine(nn.Module):
    """``Σ_j ⟨w_j, v_j⟩ + b + Σ_{i<j} ⟨v_i, v_j⟩``, one number, on the `Vectors` v of the inputs.

    Args:
        inputs: widths of the inputs.
        raw: number of fields if the raw features are the first input, else 0.
        emb_dim: width d of a vector.
    """

    width = 1

    def __init__(self, inputs: Sequence[int], raw: int, emb_dim: int) -> None:
        super().__init__()
        self.vectors = Vectors(inputs, raw, emb_dim)
        self.first_order = nn.Linear(self.vectors.count * emb_dim, 1)

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch 1"]:
        """Return ``[batch, 1]``; the pairs by Rendle's lemma (ICDM 2010)."""
        vectors = self.vectors(inputs)
        # Linear in the number of vectors, where a sum over pairs is quadratic.
        pairs = 0.5 * (vectors.sum(dim=1).square() - vectors.square().sum(dim=1)).sum(dim=1, keepdim=True)
        return self.first_order(vectors.flatten(1)) + pairs


class DotProducts(nn.Module):
    """``⟨v_i, v_j⟩`` for every pair i < j of the `Vectors` of the inputs; the squared norm of a single one.

    Args:
        inputs: widths of the inputs.
        raw: number of fields if the raw features are the first input, else 0.
        emb_dim: width d of a vector.
    """

    first: Tensor
    second: Tensor

    def __init__(self, inputs: Sequence[int], raw: int, emb_dim: int) -> None:
        super().__init__()
        self.vectors = Vectors(inputs, raw, emb_dim)
        count = self.vectors.count
        # No bias: a constant vector among the mixed ones would be a product of no features.
        self.mix = nn.Linear(count, MOST_VECTORS, bias=False) if count > MOST_VECTORS else None
        count = min(count, MOST_VECTORS)
        # A single vector has no pair, and would leave the block without an output: it is squared.
        first, second = torch.triu_indices(count, count, offset=int(count > 1))
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.width = len(first)

    def forward(self, inputs: Inputs) -> Float[Tensor, "batch pair"]:
        """Return ``[batch, pair]``, pairs in the order (0, 1), (0, 2), …, (1, 2), …"""
        vectors = self.vectors(inputs)
        if self.mix is not None:
            vectors = self.mix(vectors.mT).mT
        return (vectors @ vectors.mT)[:, self.first, self.second]
