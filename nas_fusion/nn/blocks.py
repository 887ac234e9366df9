"""The blocks of a CTR model: what a fused input becomes.

A *shallow* block sees its fused input and the embedding; a *deep* block sees its fused input alone, and is called in
the same way so that a space may put any module in either place.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nas_fusion.errors import OptionError

Features: TypeAlias = Float[Tensor, "batch width"]


class CrossBlock(nn.Module):
    """``(w·f) e + b + f``: the cross layer of DCN (Wang et al., ADKDD 2017), with ``w·f`` a scalar per row.

    Args:
        width: number of features D of every block.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Cross the fused input with the embedding."""
        return torch.addcmul(fused + self.bias, self.weight(fused), embedding)


class MatrixCrossBlock(nn.Module):
    """``(W f + b) ⊙ e + f``: the full-matrix cross layer of DCNv2 (Wang et al., WWW 2021, eq. 1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Cross the fused input with the embedding."""
        return torch.addcmul(fused, self.linear(fused), embedding)


class LowRankCrossBlock(nn.Module):
    """``(U (V f) + b) ⊙ e + f``: the low-rank cross layer of DCNv2 (Wang et al., WWW 2021, eq. 2).

    Args:
        width: number of features D of every block.
        rank: rank of the matrix, at most `width`.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        if not 1 <= rank <= width:
            raise OptionError("rank", f"an integer from 1 to {width}", rank)
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Cross the fused input with the embedding."""
        return torch.addcmul(fused, self.up(self.down(fused)), embedding)


class DeepBlock(nn.Module):
    """``ReLU(W f + b)``, with batch norm before the ReLU and dropout behind it on request.

    Args:
        width: number of features D of every block.
        batch_norm: normalise over the batch before the ReLU (the recipe of the BARS benchmark).
        dropout: probability of dropping a feature while training.
    """

    def __init__(self, width: int, *, batch_norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= dropout < 1.0:
            raise OptionError("dropout", "from 0 to below 1", dropout)
        self.linear = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width) if batch_norm else None
        self.dropout = nn.Dropout(dropout) if dropout else None

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Transform the fused input; the embedding is not looked at."""
        hidden = self.linear(fused)
        if self.norm is not None:
            hidden = self.norm(hidden)
        hidden = torch.relu(hidden)
        return hidden if self.dropout is None else self.dropout(hidden)
