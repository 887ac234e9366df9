"""A block with variants in OptFusion's supernet; the published space has none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nas_fusion.nn.blocks import Features
from nas_fusion.optfusion.optfusion_node import SupernetOptions
from nas_fusion.search_spaces import MixedBlock, VariantBlock


class OptFusionBlock(MixedBlock):
    """``Σ_v softmax(γ)_v · block_v(f, e)``: variants are searched as the operations are, by a mixture.

    The ablations, which search connections or operations alone, have the first variant everywhere.

    Args:
        block: the one to replace.
        memo: NNI's memo of the mutation.
        options: how to start, and what to learn.
    """

    def __init__(self, block: VariantBlock, memo: dict[str, Any], options: SupernetOptions) -> None:
        super().__init__(block, memo)
        self.only = next(iter(self.variants)) if options.search != "both" else None
        # As the operations' β start.
        start = torch.empty(1, len(self.variants))
        nn.init.xavier_normal_(start)
        if options.mixture_start == "uniform":
            start.zero_()
        if self.only is not None:
            start.fill_(-torch.inf)[0, 0] = 0.0
        self.gamma = nn.Parameter(start.squeeze(0), requires_grad=self.only is None)

    def arch_parameters(self) -> Iterator[nn.Parameter]:
        """γ, where it is learned."""
        yield from [self.gamma] if self.only is None else []

    def shares(self) -> Float[Tensor, " variant"]:
        """``softmax(γ)``."""
        return torch.softmax(self.gamma, dim=0)

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Mix the variants, ``[batch, width]`` all, or compute the only one that is not searched."""
        if self.only is not None:
            return self.variants[self.only](fused, embedding)
        return super().forward(fused, embedding)

    def export_probs(self, memo: dict[str, Any]) -> dict[str, Any]:
        """``softmax(γ)`` by variant."""
        values = torch.softmax(self.gamma.detach().double(), dim=0).tolist()
        return {self.variant_choice.label: dict(zip(self.variants, values, strict=True))}
