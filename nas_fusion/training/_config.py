"""`TrainConfig`: one recipe for candidates, supernets and final training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from nas_fusion.errors import OptionError

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "64": "64-true"}
"""What `TrainConfig.precision` may be, and Lightning's name for it."""

EMBEDDING_OPTIMIZERS = ("adam", "touched-rows-adam")
"""What `TrainConfig.embedding_optimizer` may be."""


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained.

    The published frappe recipe of the BARS benchmark is ``embedding_l2=0.05, lr_drop=0.1, patience=2``: its L2 loss
    term ``(0.05 / 2) · ||E||²`` over the whole table has the gradient ``0.05 · E``, which is what `embedding_l2` adds.

    Args:
        learning_rate: Adam's, of both groups.
        embedding_learning_rate: of the embeddings, if different.
        embedding_optimizer: ``adam``, or ``touched-rows-adam`` for tables with millions of rows: only the rows in a
            batch are stepped (`TouchedRowsAdam`: not the same algorithm).
        embedding_l2, network_l2: added to the gradient times the weight (Adam's coupled ``weight_decay``), per group.
        batch_size: rows of a batch.
        max_epochs: at most.
        patience: stop after this many epochs in a row without a better validation AUC; 0: never.
        lr_drop: after an epoch without a better validation AUC, learning rates are multiplied by this; 1: never.
        min_improvement: for `patience` and `lr_drop` an epoch is better only if its validation AUC is above the best
            so far by more than this. The model still ends with the weights of the epoch with the very best AUC.
            One-shot searches take zero instead: any gain counts there.
        gradient_clip: largest norm of the gradient; None: no clipping.
        seed: of the batches' order and of dropout.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``32``, ``bf16`` (autocast) or ``64``.
        max_samples: stop, with a last validation, at the first batch that reaches this many training rows; None: no
            such bound.
        max_seconds: the same for wall-clock seconds, validations included; None: no such bound.

    Raises:
        OptionError: a value is out of its range.
    """

    learning_rate: float = 1e-3
    embedding_learning_rate: float | None = None
    embedding_optimizer: str = "adam"
    embedding_l2: float = 0.0
    network_l2: float = 0.0
    batch_size: int = 4096
    max_epochs: int = 20
    patience: int = 2
    lr_drop: float = 1.0
    min_improvement: float = 1e-4
    gradient_clip: float | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "32"
    max_samples: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        self._check("a positive number", lambda x: 0 < x < math.inf, "learning_rate")
        for name in ("embedding_learning_rate", "gradient_clip", "max_seconds"):
            self._check("a positive number or None", lambda x: x is None or 0 < x < math.inf, name)
        self._check(
            "zero or a positive number", lambda x: 0 <= x < math.inf, "embedding_l2", "network_l2", "min_improvement"
        )
        self._check("a positive integer", lambda x: _is_integer(x) and x >= 1, "batch_size", "max_epochs")
        self._check("zero or a positive integer", lambda x: _is_integer(x) and x >= 0, "patience", "seed")
        self._check("a positive integer or None", lambda x: x is None or (_is_integer(x) and x >= 1), "max_samples")
        self._check("in (0, 1]", lambda x: 0 < x <= 1, "lr_drop")
        self._check(f"one of {', '.join(PRECISIONS)}", lambda x: x in PRECISIONS, "precision")
        self._check(
            f"one of {', '.join(EMBEDDING_OPTIMIZERS)}", lambda x: x in EMBEDDING_OPTIMIZERS, "embedding_optimizer"
        )
        self._check("auto, cpu, cuda or cuda:N", _is_device, "device")

    def _check(self, expected: str, allowed: Callable[[Any], bool], *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not allowed(value):
                raise OptionError(name, expected, value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_device(name: str) -> bool:
    kind, _, number = name.partition(":")
    return name in ("auto", "cpu", "cuda") or (kind == "cuda" and number.isdecimal())
