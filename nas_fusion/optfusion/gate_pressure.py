"""A price on every open connection, added to the gates' gradients.

The loss is raised by ``λ Σ_j p_j m_j``, with gates m (binary, straight-through) and prices p whose mean is 1, so every
gate's α gets ``λ p_j`` beside the gradient of the clicks' loss. Other than a decay of α it does not depend on how far a
gate has gone, so a gate that closed opens again as soon as its connection is worth more than its price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from nas_fusion.measures import CostTable
from nas_fusion.optfusion.cost_penalty import blocks_of, expected_cost, gates_of
from nas_fusion.optfusion.gate_learning import GateLearning
from nas_fusion.optfusion.optfusion_block import OptFusionBlock
from nas_fusion.optfusion.optfusion_node import OptFusionNode
from nas_fusion.training import LightningWatching, SampleMeter


class GatePressure:
    """See this module.

    Args:
        nodes: of one supernet, whose gates are learnt.
        learning: how strong it is.
        costs: multiply-adds of the parts of the space; None where all connections cost the same.
        blocks: those of the supernet that have variants, by name.
    """

    def __init__(
        self,
        nodes: Sequence[OptFusionNode],
        learning: GateLearning,
        costs: CostTable | None,
        blocks: Mapping[str, OptFusionBlock],
    ) -> None:
        self.nodes, self.learning, self.costs = {node.block: node for node in nodes}, learning, costs
        self.blocks = blocks

    @classmethod
    def of(cls, supernet: nn.Module, learning: GateLearning, costs: CostTable | None) -> GatePressure | None:
        """The pressure of a supernet; None without any, or where gates are not learnt."""
        nodes = [m for m in supernet.modules() if isinstance(m, OptFusionNode)]
        is_learnt = any(node.alpha.requires_grad for node in nodes)
        return cls(nodes, learning, costs, blocks_of(supernet)) if is_learnt and learning.pressure else None

    def add(self, share: float) -> None:
        """Add it to the gradients that are there.

        Args:
            share: of the training that is over, from 0 to 1.
        """
        pressure = self.learning.pressure_at(share)
        for node, prices in zip(self.nodes.values(), self.prices(), strict=True):
            if node.alpha.grad is not None:
                node.alpha.grad.add_(prices, alpha=pressure)

    def prices(self) -> list[Tensor]:
        """Of every connection, ``[input]`` for each block; their mean over all connections is 1."""
        alphas = [node.alpha for node in self.nodes.values()]
        if self.costs is None:
            return [torch.ones_like(alpha) for alpha in alphas]
        # What each connection adds to the cost as the supernet is now, and the blocks behind it that only it keeps.
        cost = expected_cost(self.nodes, self.costs, gates_of(self.nodes), self.blocks)
        prices = torch.autograd.grad(cost, alphas)
        mean = torch.cat(prices).mean().clamp_min(1e-12)
        return [price / mean for price in prices]


def share_of_training(trainer: pl.Trainer) -> float:
    """The part of a supernet's training that is over, from 0 to 1, by its budget or else by its epochs."""
    watching = next((one for one in trainer.callbacks if isinstance(one, LightningWatching)), None)
    if watching is not None and (meter := watching.the(SampleMeter)).is_bounded:
        return meter.share
    steps = int(trainer.num_training_batches)
    return (trainer.current_epoch * steps + trainer.fit_loop.epoch_loop.batch_progress.current.processed) / (
        steps * max(trainer.max_epochs or 1, 1)
    )
