"""OptFusion's training step inside NNI's one-shot wrapping."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nas_fusion.measures import DEFAULT_COST_PENALTY
from nas_fusion.nni_bridge import BaseOneShotLightningModule, LightningModule, MendedModule
from nas_fusion.optfusion.cost_penalty import CostPenalty


class OptFusionModule(MendedModule, BaseOneShotLightningModule):
    """Single-level search: one batch, one backward, then a step of the weights and one of the architecture.

    Unlike DARTS there is no second batch and no split of the training data (Zhang et al., WSDM 2025).

    Args:
        training_module: the evaluator's Lightning module, which trains the weights.
        arch_learning_rate: of the Adam that trains α and β, without decay.
        gradient_clip: clip the norm of the weights' gradient; None for no clipping.
        warm_up: samples on which the weights are trained before the architecture moves.
        cost_penalty: weight of the penalty above a limit of the space (`CostPenalty`).
    """

    def __init__(
        self,
        training_module: LightningModule,
        arch_learning_rate: float,
        gradient_clip: float | None = None,
        warm_up: int = 0,
        cost_penalty: float = DEFAULT_COST_PENALTY,
    ) -> None:
        super().__init__(training_module)
        self.warm_up, self._seen = warm_up, 0
        self.arch_learning_rate, self.gradient_clip = arch_learning_rate, gradient_clip
        self.cost_penalty = cost_penalty

    def configure_architecture_optimizers(self) -> torch.optim.Optimizer:
        """Adam without decay on α and β."""
        # Decay would pull α towards the threshold and close gates that nothing speaks against. Fused: many small
        # tensors.
        return torch.optim.Adam(self.arch_parameters(), lr=self.arch_learning_rate, fused=True)

    @cached_property
    def _penalty(self) -> CostPenalty | None:
        # Looked for once: it walks through all modules.
        return CostPenalty.of(self, self.cost_penalty)

    def training_step(self, batch: Any, batch_idx: int) -> Float[Tensor, ""]:
        """Step weights and architecture on the same batch.

        Args:
            batch: a `nas_fusion.data` batch: ids ``[batch, id column]``, values, labels ``[batch]``.
            batch_idx: its number in the epoch.

        Returns:
            The loss in nats a row, the penalty on cost included.
        """
        architecture = self.architecture_optimizers()
        # NNI's wrapper clears and steps the weights' optimisers only.
        architecture.zero_grad()
        loss: Tensor = self.training_module.training_step(batch, batch_idx)
        if self._penalty is not None:
            loss = loss + self._penalty()
        # One backward for both; it clips and steps the weights, and leaves α's and β's gradients for the step below.
        self.advance_optimization(loss, batch_idx, self.gradient_clip)
        if self._seen >= self.warm_up:
            architecture.step()
        self._seen += len(batch.labels)
        return loss
