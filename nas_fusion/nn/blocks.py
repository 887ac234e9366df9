"""The blocks of a CTR model: what a fused input becomes.

A *shallow* block sees its fused input and the embedding; a *deep* block sees its fused input alone, and is called in
the same way so that a space may put any module in either place.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nas_fusion.errors import OptionError
from nas_fusion.nn.kernels import ByteDropout
from nas_fusion.settings import ModelSettings

Features: TypeAlias = Float[Tensor, "batch width"]


@runtime_checkable
class HasConstantForm(Protocol):
    """What a block may bring that does not need all of its weights where its fused input is always zero.

    That is so in a derived model whose design has closed every input of a block that merges by an operation without
    constant. A block without this protocol stays as it is there, with weights that never get a gradient.
    """

    def without_input(self) -> nn.Module:
        """The same block for a fused input of zeros, called alike, with a copy of the weights that matter then."""
        ...


def for_no_input(block: nn.Module) -> nn.Module:
    """A block in the form for a fused input that is always zero; itself, if it has none."""
    return block.without_input() if isinstance(block, HasConstantForm) else block


@runtime_checkable
class BeginsWithMap(Protocol):
    """What a block may bring that first maps its fused input linearly, and looks at nothing else.

    Its map and the one that merged the inputs may then be one.
    """

    linear: nn.Linear

    def after(self, mapped: Features) -> Features:
        """What the block makes of the mapped input."""
        ...


class ConstantBlock(nn.Module):
    """``b``, or ``b ⊙ e``: what is left of a cross without input.

    Args:
        bias: ``[width]``; copied.
        times_embedding: whether it is multiplied by the embedding.
    """

    def __init__(self, bias: Float[Tensor, " width"], *, times_embedding: bool = False) -> None:
        super().__init__()
        # A weight of its own: the block that it comes from may go on being trained.
        self.bias, self.times_embedding = nn.Parameter(bias.detach().clone()), times_embedding

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Return the constant for every row, ``[batch, width]``; the fused input is not looked at."""
        # Expanded, not repeated: one row in memory, however many the batch has.
        return self.bias * embedding if self.times_embedding else self.bias.expand_as(embedding)


class ConstantDeepBlock(nn.Module):
    """``ReLU(b)``, followed by dropout on request: what is left of a deep block without input.

    Args:
        bias: ``[width]``; copied.
        dropout: as of `DeepBlock`.
    """

    def __init__(self, bias: Float[Tensor, " width"], dropout: nn.Dropout | None) -> None:
        super().__init__()
        self.bias, self.dropout = nn.Parameter(bias.detach().clone()), dropout

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Return the constant for every row, ``[batch, width]``; the fused input is not looked at."""
        hidden = torch.relu(self.bias).expand_as(embedding)
        return hidden if self.dropout is None else self.dropout(hidden)


class CrossBlock(nn.Module):
    """``(w·f) e + b + f``: the cross layer of DCN (Wang et al., ADKDD 2017), with ``w·f`` a scalar per row.

    Args:
        width: number of features D of every block.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        # A Linear's own bias would be one number; b has one for every feature.
        self.weight = nn.Linear(width, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Cross the fused input with the embedding, both ``[batch, width]``."""
        # The scalar w·f is ``[batch, 1]`` and goes over all features of the embedding by broadcasting.
        return torch.addcmul(fused + self.bias, self.weight(fused), embedding)

    def without_input(self) -> nn.Module:
        """``b``."""
        return ConstantBlock(self.bias)


class MatrixCrossBlock(nn.Module):
    """``(W f + b) ⊙ e + f``: the full-matrix cross layer of DCNv2 (Wang et al., WWW 2021, eq. 1).

    Args:
        width: number of features D of every block.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Cross the fused input with the embedding, both ``[batch, width]``."""
        return torch.addcmul(fused, self.linear(fused), embedding)

    def without_input(self) -> nn.Module:
        """``b ⊙ e``."""
        return ConstantBlock(self.linear.bias, times_embedding=True)


class LowRankCrossBlock(nn.Module):
    """``(U (V f) + b) ⊙ e + f``: the low-rank cross layer of DCNv2 (Wang et al., WWW 2021, eq. 2).

    Args:
        width: number of features D of every block.
        rank: rank of the matrix, at most `width`.

    Raises:
        OptionError: `rank` is below 1 or above `width`.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        if not 1 <= rank <= width:
            raise OptionError("rank", f"an integer from 1 to {width}", rank)
        # V needs no bias: U would only turn it into a part of b.
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Cross the fused input with the embedding, both ``[batch, width]``."""
        return torch.addcmul(fused, self.up(self.down(fused)), embedding)

    def without_input(self) -> nn.Module:
        """``b ⊙ e``."""
        return ConstantBlock(self.up.bias, times_embedding=True)


class DeepBlock(nn.Module):
    """``ReLU(W f + b)``, with batch norm before the ReLU and dropout after it on request.

    Args:
        width: number of features D of every block.
        batch_norm: normalise over the batch before the ReLU (the recipe of the BARS benchmark).
        dropout: probability of dropping a feature while training, from 0 to below 1; rounded to 256ths (`ByteDropout`).

    Raises:
        OptionError: `dropout` is out of its range.
    """

    def __init__(
        self, width: int, *, batch_norm: bool = ModelSettings.batch_norm, dropout: float = ModelSettings.dropout
    ) -> None:
        super().__init__()
        if not 0.0 <= dropout < 1.0:
            raise OptionError("dropout", "from 0 to below 1", dropout)
        self.linear = nn.Linear(width, width)
        # Before a norm the linear map's bias is idle: the norm takes away what is alike in all rows.
        self.norm = nn.BatchNorm1d(width) if batch_norm else None
        self.dropout = ByteDropout(dropout) if dropout else None

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Transform the fused input ``[batch, width]``; the embedding is not looked at."""
        return self.after(self.linear(fused))

    def after(self, mapped: Features) -> Features:
        """What follows the linear map, ``[batch, width]``."""
        hidden = mapped
        if self.norm is not None:
            hidden = self.norm(hidden)
        hidden = torch.relu(hidden)
        return hidden if self.dropout is None else self.dropout(hidden)

    def without_input(self) -> nn.Module:
        """``ReLU(b)``; with batch norm b is the norm's, which takes away what is alike in all rows."""
        return ConstantDeepBlock((self.norm or self.linear).bias, self.dropout)
