"""What a supernet's choices look like after every epoch."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from nas_fusion.design import OPERATION_KEY
from nas_fusion.nni_bridge import learners
from nas_fusion.search_spaces import SupernetNode


class ChoiceRecorder(pl.Callback):
    """Record, once an epoch, how much each connection wants to be open and how the operations are weighed.

    For OptFusion a connection's score is its gate's α, for DARTS the log-odds of being open; both are open above 0.
    """

    def __init__(self) -> None:
        self.scores: list[dict[str, float]] = []
        self.operations: list[dict[str, dict[str, float]]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take one record."""
        nodes = [m for m in learners(pl_module) if isinstance(m, SupernetNode)]
        if not nodes:
            return
        self.scores.append(
            {
                choice.label: score
                for node in nodes
                for choice, score in zip(node.connection_choices, node.connection_scores(), strict=True)
            }
        )
        weights: dict[str, Any] = {}
        for node in nodes:
            weights.update((k, v) for k, v in node.export_probs({}).items() if k.endswith(f"/{OPERATION_KEY}"))
        self.operations.append({label.rpartition("/")[0]: dict(values) for label, values in weights.items()})

    def details(self) -> dict[str, Any]:
        """The records, for `SearchOutcome.details`."""
        return {"gates": self.scores, "operations": self.operations} if self.scores else {}
