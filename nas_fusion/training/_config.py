"""`TrainConfig`: one recipe for candidates, supernets and final training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas_fusion.errors import OptionError

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "64": "64-true"}
"""What `TrainConfig.precision` may be, and Lightning's name for it."""


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained.

    The published frappe recipe of the BARS benchmark is ``embedding_l2=0.05, lr_drop=0.1, patience=2``: its L2 loss
    term ``(0.05 / 2) · ||E||²`` over the whole table has the gradient ``0.05 · E``, which is what `embedding_l2` adds.

    Args:
        learning_rate: Adam's, of both groups.
        embedding_learning_rate: of the embeddings, if different.
        embedding_l2, network_l2: added to the gradient times the weight (Adam's coupled ``weight_decay``), per group.
        batch_size: rows of a batch.
        max_epochs: at most.
        patience: stop after this many epochs in a row without a better validation AUC; 0: never.
        lr_drop: after an epoch without a better validation AUC, learning rates are multiplied by this; 1: never.
        gradient_clip: largest norm of the gradient; None: no clipping.
        seed: of the batches' order and of dropout.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``32``, ``bf16`` (autocast) or ``64``.
        max_samples: stop, with a last validation, at the first batch that reaches this many training rows; None: no
            such bound.

    Raises:
        OptionError: a value is out of its range.
    """

    learning_rate: float = 1e-3
    embedding_learning_rate: float | None = None
    embedding_l2: float = 0.0
    network_l2: float = 0.0
    batch_size: int = 4096
    max_epochs: int = 20
    patience: int = 2
    lr_drop: float = 1.0
    gradient_clip: float | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "32"
    max_samples: int | None = None

    def __post_init__(self) -> None:
        for name in ("learning_rate", "embedding_learning_rate", "gradient_clip"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise OptionError(name, "a positive number", value)
        for name in ("embedding_l2", "network_l2"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise OptionError(name, "zero or a positive number", getattr(self, name))
        for name in ("batch_size", "max_epochs"):
            if getattr(self, name) < 1:
                raise OptionError(name, "a positive integer", getattr(self, name))
        if self.patience < 0:
            raise OptionError("patience", "zero or a positive integer", self.patience)
        if not 0 < self.lr_drop <= 1:
            raise OptionError("lr_drop", "in (0, 1]", self.lr_drop)
        if self.max_samples is not None and self.max_samples < 1:
            raise OptionError("max_samples", "a positive integer", self.max_samples)
        if self.precision not in PRECISIONS:
            raise OptionError("precision", f"one of {', '.join(PRECISIONS)}", self.precision)
        kind, _, number = self.device.partition(":")
        if self.device not in ("auto", "cpu", "cuda") and not (kind == "cuda" and number.isdecimal()):
            raise OptionError("device", "auto, cpu, cuda or cuda:N", self.device)
