"""Layers whose weights many paths share: each path uses some of the sources, and leading parts.

A layer has *sources*, numbered, each with a largest width. It is called with some of them, in any leading width, and
with the leading width of its output. A layer that is made for one path alone has that path's sources and widths;
its weights are the leading parts of the shared ones (`take_weights`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

Inputs = Mapping[int, Tensor]
"""By source: any tensors ``[…, width]`` that agree in all dimensions but the last."""


class ElasticLinear(nn.Module):
    """``W [x_1; …; x_k] + b``, or without b, with the columns of W for each source in a matrix of their own.

    A path that leaves a source out gives its matrix no gradient, so that the optimiser leaves it alone.

    Args:
        sources: largest width of each source.
        width: largest width of the output.
        bias: whether there is a b.
    """

    def __init__(self, sources: Mapping[int, int], width: int, *, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(sum(sources.values()))  # nn.Linear's initial distribution
        self.weights = nn.ParameterDict(
            {str(source): torch.empty(width, largest).uniform_(-bound, bound) for source, largest in sources.items()}
        )
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound)) if bias else None

    def forward(self, inputs: Inputs, width: int) -> Tensor:
        """Return ``[…, width]``."""
        # Leading rows and columns: a narrower path trains a part of what a wider one uses.
        columns = [self.weights[str(source)][:width, : x.shape[-1]] for source, x in inputs.items()]
        together = torch.cat(list(inputs.values()), dim=-1)
        return functional.linear(together, torch.cat(columns, dim=1), None if self.bias is None else self.bias[:width])


class ElasticNorm(nn.Module):
    """Layer norm over the leading features.

    Args:
        width: largest.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> Tensor:
        """Normalise over the last dimension."""
        width = features.shape[-1]
        # Over the features that are there: means over absent ones would depend on the largest width.
        return functional.layer_norm(features, (width,), self.norm.weight[:width], self.norm.bias[:width])


class ElasticDense(nn.Module):
    """``LayerNorm(W [x_1; …; x_k])``, with a ReLU on request.

    Without a bias in front of the norm (as published): embeddings start small, and would drown in it.

    Args:
        sources: largest width of each source.
        width: largest width of the output.
        rectify: whether a ReLU follows.
    """

    def __init__(self, sources: Mapping[int, int], width: int, *, rectify: bool = False) -> None:
        super().__init__()
        self.linear, self.norm, self.rectify = ElasticLinear(sources, width, bias=False), ElasticNorm(width), rectify

    def forward(self, inputs: Inputs, width: int) -> Tensor:
        """Return ``[…, width]``."""
        normed: Tensor = self.norm(self.linear(inputs, width))
        return torch.relu(normed) if self.rectify else normed


@torch.no_grad()
def take_weights(alone: nn.Module, shared: nn.Module) -> None:
    """Give a network that was made for one path the weights that the path uses in the shared network.

    Weights meet by their names; those of the one are the leading part of those of the other.
    """
    weights = dict(shared.named_parameters())
    for name, weight in alone.named_parameters():
        weight.copy_(weights[name][tuple(slice(size) for size in weight.shape)])
