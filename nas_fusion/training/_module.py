"""The Lightning module that trains any CTR model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_fusion.nn.embedding import FieldEmbedding
from nas_fusion.nni_bridge import LightningModule, nni
from nas_fusion.training._config import TrainConfig


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Two groups for Adam: the weights inside a `FieldEmbedding`, and all others."""
    embedding = {id(p) for m in model.modules() if isinstance(m, FieldEmbedding) for p in m.parameters()}
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {
            "name": "embedding",
            "params": [p for p in parameters if id(p) in embedding],
            "lr": config.embedding_learning_rate or config.learning_rate,
            "weight_decay": config.embedding_l2,
        },
        {
            "name": "network",
            "params": [p for p in parameters if id(p) not in embedding],
            "lr": config.learning_rate,
            "weight_decay": config.network_l2,
        },
    ]


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

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        """Logits of the model that is set."""
        logits: Tensor = self.model(ids, values)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Mean loss of a batch."""
        logits = self(batch.ids, batch.values)
        return functional.binary_cross_entropy_with_logits(logits, batch.labels.to(logits.dtype))

    def validation_step(self, batch: Any, batch_idx: int) -> tuple[Tensor, Tensor]:
        """Logits and labels, for `ValidationMonitor`."""
        return self(batch.ids, batch.values).detach(), batch.labels

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One fused Adam with a group for the embeddings and one for the rest."""
        return torch.optim.Adam(parameter_groups(self.model, self.config), fused=True)
