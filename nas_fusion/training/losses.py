"""The loss of a training, and the precision that logits are measured in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from nas_fusion.data import Batch


def full_precision(logits: Tensor) -> Tensor:
    """Logits in float32 at least: under autocast a network's are bfloat16, too coarse for a loss or an AUC."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def mean_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Binary cross-entropy of logits ``[batch]`` in nats a row; every row counts by its weight, if there are weights.

    Weights have the mean 1 over the split and not over each batch: the mean of all batches' losses is then that of the
    rows, and a batch of light rows moves the model less. Of a share of a batch it is the rows' part of the whole
    batch's mean: those of all shares add up to it.
    """
    labels = batch.labels.to(logits.dtype)
    weights = None if batch.weights is None else batch.weights.to(logits.dtype)
    if batch.whole is None:
        return functional.binary_cross_entropy_with_logits(logits, labels, weights)
    return functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="sum") / batch.whole
