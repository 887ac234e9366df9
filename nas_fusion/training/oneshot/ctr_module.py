"""The Lightning module that NNI's one-shot strategies wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nas_fusion.nni_bridge import LightningModule, nni
from nas_fusion.settings import TrainConfig
from nas_fusion.training.losses import full_precision, mean_loss
from nas_fusion.training.optimizers import clip_gradient, weights_optimizer

if TYPE_CHECKING:
    from nas_fusion.data import Batch


@nni.trace
class CTRModule(LightningModule):
    """Binary cross-entropy on whole batches; nothing is logged per step.

    Metrics, early stopping and everything else that looks at an epoch is the business of callbacks: they work on
    this module and on NNI's one-shot modules around it alike.

    Args:
        config: the recipe.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config

    def set_model(self, model: nn.Module) -> None:
        """Set the model to train; one in evaluation mode is put into training mode, as Lightning leaves modes alone."""
        super().set_model(model)
        if not model.training:
            model.train()

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        """Logits of the model that is set."""
        logits: Tensor = self.model(ids, values)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        return mean_loss(full_precision(self(batch.ids, batch.values)), batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> tuple[Tensor, Tensor]:
        """Logits and labels, for `ValidationMonitor`."""
        return full_precision(self(batch.ids, batch.values)).detach(), batch.labels

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One Adam with a group for the embeddings and one for the rest."""
        return weights_optimizer(self.model, self.config)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the gradient of all groups together.

        Lightning's own clipping refuses a fused optimiser under autocast, and one-shot modules call this without a
        value unless their strategy was given one: the recipe's holds then.
        """
        limit = gradient_clip_val or self.config.gradient_clip
        if limit:
            clip_gradient([p for group in optimizer.param_groups for p in group["params"]], limit)
