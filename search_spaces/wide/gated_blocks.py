"""Further blocks: a tower, and blocks with FinalMLP's gate or EDCN's regulation before them.

All are called with the fused input and the embedding, ``[batch, width]`` both, and return ``[batch, width]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import nn

from nas_fusion.errors import OptionError
from nas_fusion.nn import CrossBlock, DeepBlock
from nas_fusion.nn.blocks import ConstantBlock, Features
from nas_fusion.nn.kernels import ByteDropout
from nas_fusion.search_spaces.block_lists import TOWER

TEMPERATURE = 5.0
"""Of EDCN's regulation, as BARS has it on frappe (`nas_fusion.baselines.models`)."""


class TowerBlock(nn.Module):
    """``P t``, with t three dense layers as wide as the hand-made models', mapped back to the width of the blocks.

    The map P has no bias: with the head behind it, it is FNN's head.

    Args:
        width: number of features of every block.
        batch_norm: batch norm before every ReLU.
        dropout: after every ReLU; as of `nas_fusion.nn.DeepBlock`.
        hidden: widths of the layers.
    """

    def __init__(self, width: int, *, batch_norm: bool, dropout: float, hidden: Sequence[int] = TOWER) -> None:
        super().__init__()
        sizes = list(pairwise((width, *hidden)))
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(after) for _, after in sizes) if batch_norm else None
        self.dropout = ByteDropout(dropout) if dropout else None
        self.back = nn.Linear(hidden[-1], width, bias=False)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Transform the fused input; the embedding is not looked at."""
        hidden = fused
        for place, layer in enumerate(self.layers):
            hidden = layer(hidden)
            if self.norms is not None:
                hidden = self.norms[place](hidden)
            hidden = torch.relu(hidden)
            if self.dropout is not None:
                hidden = self.dropout(hidden)
        return self.back(hidden)

    @torch.no_grad()
    def without_input(self) -> nn.Module:
        """One constant: with rows that are all alike no layer tells more, and batch norm leaves its own bias."""
        hidden = self.back.weight.new_zeros(self.back.out_features)
        for place, layer in enumerate(self.layers):
            hidden = torch.relu(layer(hidden) if self.norms is None else cast(nn.BatchNorm1d, self.norms[place]).bias)
        return ConstantBlock(self.back(hidden))


class GatedDeepBlock(nn.Module):
    """A dense layer behind ``2 σ(W_2 ReLU(W_1 c + b_1) + b_2) ⊙ f``, FinalMLP's feature selection (AAAI 2023).

    The context c is a learnt vector, the same for all rows, as in a hand-made FinalMLP whose contexts are left empty;
    which fields are a user's or an item's is not known to a space.

    Args:
        width: number of features of every block.
        context: number of features of c; the gate's hidden layer has `width`.
        batch_norm, dropout: of the dense layer.
    """

    def __init__(self, width: int, context: int, *, batch_norm: bool, dropout: float) -> None:
        super().__init__()
        self.context = nn.Parameter(torch.zeros(context))
        self.hidden, self.scores = nn.Linear(context, width), nn.Linear(width, width)
        self.dense = DeepBlock(width, batch_norm=batch_norm, dropout=dropout)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Gate and transform the fused input; the embedding is not looked at."""
        # Twice, so that a gate in its middle leaves a feature as it is.
        gate = 2 * torch.sigmoid(self.scores(torch.relu(self.hidden(self.context))))
        return self.dense(gate * fused, embedding)

    def without_input(self) -> nn.Module:
        """The dense layer's: nothing, gated, is nothing."""
        return self.dense.without_input()


class Regulation(nn.Module):
    """``softmax_fields(g / τ)_f · x_f``, one g for every field, all starting at 1: EDCN's regulation of one tower.

    (Chen et al., CIKM 2021.) With batch norm on what comes out, as in BARS: a share of ten fields makes the features
    ten times smaller.

    Args:
        width: number of features.
        emb_dim: of how many of them a field has its own; divides `width`.
        batch_norm: whether there is the norm.
        temperature: τ.

    Raises:
        OptionError: `emb_dim` does not divide the width.
    """

    def __init__(self, width: int, emb_dim: int, *, batch_norm: bool, temperature: float = TEMPERATURE) -> None:
        super().__init__()
        if width % emb_dim:
            raise OptionError("emb_dim", f"a divisor of the blocks' width {width}", emb_dim)
        self.emb_dim, self.temperature = emb_dim, temperature
        self.gates = nn.Parameter(torch.ones(width // emb_dim))
        self.norm = nn.BatchNorm1d(width) if batch_norm else None

    def forward(self, features: Features) -> Features:
        """Regulate features ``[batch, width]``."""
        # One share for a field, repeated for each of its features.
        shares = torch.softmax(self.gates / self.temperature, dim=0).repeat_interleave(self.emb_dim)
        regulated = features * shares
        return regulated if self.norm is None else self.norm(regulated)


class RegulatedCrossBlock(nn.Module):
    """``(w · r(f)) s(e) + b + r(f)``, r and s regulations: a cross layer of EDCN.

    In EDCN all layers share s with the first one's r; here every block has its own.

    Args:
        width: number of features of every block.
        emb_dim, batch_norm: of the regulations.
    """

    def __init__(self, width: int, emb_dim: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.regulation, self.start = (Regulation(width, emb_dim, batch_norm=batch_norm) for _ in range(2))
        self.cross = CrossBlock(width)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Cross the regulated input with the regulated embedding."""
        return self.cross(self.regulation(fused), self.start(embedding))

    def without_input(self) -> nn.Module:
        """``b``; itself under batch norm, whose bias takes the input's place."""
        return self.cross.without_input() if self.regulation.norm is None else self


class RegulatedDeepBlock(nn.Module):
    """``ReLU(W r(f) + b)``, r a regulation: a dense layer of EDCN, which has batch norm in the regulation alone.

    Args:
        width: number of features of every block.
        emb_dim, batch_norm: of the regulation.
        dropout: of the dense layer.
    """

    def __init__(self, width: int, emb_dim: int, *, batch_norm: bool, dropout: float) -> None:
        super().__init__()
        self.regulation = Regulation(width, emb_dim, batch_norm=batch_norm)
        self.dense = DeepBlock(width, batch_norm=False, dropout=dropout)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Regulate and transform the fused input; the embedding is not looked at."""
        return self.dense(self.regulation(fused), embedding)

    def without_input(self) -> nn.Module:
        """``ReLU(b)``; itself under batch norm, whose bias takes the input's place."""
        return self.dense.without_input() if self.regulation.norm is None else self
