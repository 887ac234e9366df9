"""Layers whose weights many paths share: each path uses some of the columns and the leading rows.

A layer has *sources*, numbered, each with a largest width. It is called with some of them, in any leading width, and
with the leading width of its output. A layer that is made for one path alone has that path's sources and widths, and
`take` gives it the weights that the path uses in a shared one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

Inputs = Mapping[int, Tensor]
"""By source: any tensors ``[…, width]`` that agree in all dimensions but the last."""


class ElasticLinear(nn.Module):
    """``W [x_1; …; x_k] + b``.

    Args:
        sources: largest width of each source.
        width: largest width of the output.
    """

    def __init__(self, sources: Mapping[int, int], width: int) -> None:
        super().__init__()
        self.sources = dict(sources)
        self.offsets: dict[int, int] = {}
        total = 0
        for source, largest in self.sources.items():
            self.offsets[source] = total
            total += largest
        self.linear = nn.Linear(total, width)

    def forward(self, inputs: Inputs, width: int) -> Tensor:
        """Return ``[…, width]``."""
        together = torch.cat(list(inputs.values()), dim=-1)
        if together.shape[-1] == self.linear.in_features and list(inputs) == list(self.sources):
            weight = self.linear.weight[:width]
        else:
            weight = self.columns({source: x.shape[-1] for source, x in inputs.items()}, width)
        return functional.linear(together, weight, self.linear.bias[:width])

    def columns(self, sources: Mapping[int, int], width: int) -> Tensor:
        """The leading rows, and the leading columns of some sources."""
        parts = [self.linear.weight[:width, self.offsets[s] : self.offsets[s] + w] for s, w in sources.items()]
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def take(self, shared: ElasticLinear) -> None:
        """Copy the weights that this layer's sources and widths use in a shared one."""
        width = self.linear.out_features
        self.linear.weight.copy_(shared.columns(self.sources, width))
        self.linear.bias.copy_(shared.linear.bias[:width])


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
        return functional.layer_norm(features, (width,), self.norm.weight[:width], self.norm.bias[:width])

    @torch.no_grad()
    def take(self, shared: ElasticNorm) -> None:
        """Copy the leading weights of a shared one."""
        width = len(self.norm.weight)
        self.norm.weight.copy_(shared.norm.weight[:width])
        self.norm.bias.copy_(shared.norm.bias[:width])


class ElasticDense(nn.Module):
    """``LayerNorm(W [x_1; …; x_k] + b)``, with a ReLU on request.

    Args:
        sources: largest width of each source.
        width: largest width of the output.
        rectify: whether there is a ReLU behind it.
    """

    def __init__(self, sources: Mapping[int, int], width: int, *, rectify: bool = False) -> None:
        super().__init__()
        self.linear, self.norm, self.rectify = ElasticLinear(sources, width), ElasticNorm(width), rectify

    def forward(self, inputs: Inputs, width: int) -> Tensor:
        """Return ``[…, width]``."""
        normed: Tensor = self.norm(self.linear(inputs, width))
        return torch.relu(normed) if self.rectify else normed


def take_weights(alone: nn.Module, shared: nn.Module) -> None:
    """Give a network that was made for one path the weights that the path uses in the shared network.

    Layers meet by their names; what is not elastic has the same shape in both.
    """
    elastic: set[str] = set()
    for name, layer in alone.named_modules():
        if isinstance(layer, ElasticLinear | ElasticNorm):
            other = shared.get_submodule(name)
            layer.take(other)  # type: ignore[arg-type]
            elastic.update(f"{name}.{weight}" for weight, _ in layer.named_parameters())
    weights = dict(shared.named_parameters())
    with torch.no_grad():
        for name, weight in alone.named_parameters():
            if name not in elastic:
                weight.copy_(weights[name])
