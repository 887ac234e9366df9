"""OptFusion's training step inside NNI's one-shot wrapping."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nas_fusion.measures import DEFAULT_COST_PENALTY, CostTable
from nas_fusion.nni_bridge import BaseOneShotLightningModule, LightningModule, MendedModule
from nas_fusion.optfusion.cost_penalty import CostPenalty
from nas_fusion.optfusion.gate_learning import GateLearning
from nas_fusion.optfusion.gate_pressure import GatePressure, share_of_training
from nas_fusion.optfusion.optfusion_node import OptFusionNode


class OptFusionModule(MendedModule, BaseOneShotLightningModule):
    """Single-level search: one batch, one backward, then a step of the weights and one of the architecture.

    Unlike DARTS there is no second batch and no split of the training data (Zhang et al., WSDM 2025), unless
    `GateLearning.held_out` asks for one.

    Args:
        training_module: the evaluator's Lightning module, which trains the weights.
        arch_learning_rate: of the Adam that trains α and β, without decay.
        gradient_clip: clip the norm of the weights' gradient; None for no clipping.
        warm_up: samples on which the weights are trained before the architecture moves.
        cost_penalty: weight of the penalty above a limit of the space (`CostPenalty`).
        learning: how gates are learnt; as published if not given.
        costs: multiply-adds of the space's parts, where connections are priced by them.

    Attributes:
        has_levelled: whether gates need not wait any more for the supernet to learn (`GateLearning.waits`).
    """

    def __init__(
        self,
        training_module: LightningModule,
        arch_learning_rate: float,
        gradient_clip: float | None = None,
        warm_up: int = 0,
        cost_penalty: float = DEFAULT_COST_PENALTY,
        learning: GateLearning | None = None,
        costs: CostTable | None = None,
    ) -> None:
        super().__init__(training_module)
        self.warm_up, self._seen = warm_up, 0
        self.arch_learning_rate, self.gradient_clip = arch_learning_rate, gradient_clip
        self.cost_penalty = cost_penalty
        self.learning, self._costs = learning or GateLearning(), costs
        self.has_levelled = not self.learning.waits

    def configure_architecture_optimizers(self) -> torch.optim.Optimizer:
        """Adam without decay on α and β."""
        # Decay would pull α towards the threshold and close gates that nothing speaks against. Fused: many small
        # tensors.
        return torch.optim.Adam(self.arch_parameters(), lr=self.arch_learning_rate, fused=True)

    @cached_property
    def _penalty(self) -> CostPenalty | None:
        # Looked for once: it walks through all modules.
        return CostPenalty.of(self, self.cost_penalty)

    @cached_property
    def _pressure(self) -> GatePressure | None:
        return GatePressure.of(self, self.learning, self._costs)

    @cached_property
    def _nodes(self) -> list[OptFusionNode]:
        return [module for module in self.modules() if isinstance(module, OptFusionNode)]

    def training_step(self, batch: Any, batch_idx: int) -> Float[Tensor, ""]:
        """Step weights and architecture, on the same batch or, with held-out rows, on one each.

        Args:
            batch: a `nas_fusion.data` batch: ids ``[batch, id column]``, values, labels ``[batch]``; or two, as of
                `nas_fusion.optfusion.held_out_rows.TwoLevels`.
            batch_idx: its number in the epoch.

        Returns:
            The loss of the weights' rows in nats a row, the penalty on cost included.
        """
        train, held_out = (batch["train"], batch["held_out"]) if isinstance(batch, dict) else (batch, None)
        architecture = self.architecture_optimizers()
        # NNI's wrapper clears and steps the weights' optimisers only.
        architecture.zero_grad()
        loss: Tensor = self._loss(train, batch_idx)
        # One backward for both; it clips and steps the weights, and leaves α's and β's gradients for the step below.
        self.advance_optimization(loss, batch_idx, self.gradient_clip)
        if self._seen >= self.warm_up:
            if held_out is not None:
                # The weights' gradients that come with it are cleared at the next step.
                architecture.zero_grad()
                self.manual_backward(self._loss(held_out, batch_idx))
            self._press()
            architecture.step()
        self._seen += len(train.labels)
        return loss

    def _loss(self, batch: Any, batch_idx: int) -> Float[Tensor, ""]:
        loss: Tensor = self.training_module.training_step(batch, batch_idx)
        return loss if self._penalty is None else loss + self._penalty()

    def _press(self) -> None:
        """Add the pressure to the gates' gradients; drop these as long as gates do not move."""
        if self.has_levelled and not self.learning.late_start and self._pressure is None:
            return
        share = share_of_training(self.trainer)
        if not self.has_levelled or share < self.learning.late_start:
            for node in self._nodes:
                # Without a gradient Adam leaves α, and its own memory of it, as they are.
                node.alpha.grad = None
        elif self._pressure is not None:
            self._pressure.add(share)
