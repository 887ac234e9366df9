"""How much validation AUC a trained model loses when one of its connections is closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn

from nas_fusion.data import EncodedSplit
from nas_fusion.design import EMBEDDING, OUTPUT, Connection
from nas_fusion.errors import OptionError
from nas_fusion.nn import Ensemble, FusionNetwork, HardFusion, PassThrough, SoftFusion
from nas_fusion.nn.blocks import Features
from nas_fusion.nn.operations import FusionOperation
from nas_fusion.training import TrainConfig, auc_and_logloss, predict_logits

IMPORTANCE_ROWS = 50_000
"""Validation rows at most: enough for losses of a thousandth, and the time stays bounded on any log."""


def connection_importance(
    model: FusionNetwork | Ensemble, split: EncodedSplit, config: TrainConfig, rows: int = IMPORTANCE_ROWS
) -> dict[str, float]:
    """AUC of a trained model less its AUC with one connection closed, by ``"source -> target"``.

    Nothing is trained again, so a number says what the trained model makes of a connection, not what a model without
    it could reach; below zero where the model is better without. One pass over the rows, in which every connection's
    target, and what comes after it, is computed once more: about half of a pass for each connection. A connection
    without which a prediction is not finite is left out.

    Args:
        model: a derived model, hard or soft, or an ensemble of one design, all of whose networks lose the connection
            at once; left as it was.
        split: the validation rows; evenly spaced ones, if there are more than `rows`.
        config: device, precision and batch size.
        rows: at most.

    Raises:
        OptionError: `rows` is less than 1, or a node of the model is none of a derived model.
        TrainingError: a prediction of the model itself is not finite, or the rows have one class only.
    """
    if rows < 1:
        raise OptionError("rows", "a positive integer", rows)
    some = spaced(split, rows)
    closed = [_EachClosed(network) for network in _networks(model)]
    logits = np.mean([predict_logits(each, some, config) for each in closed], axis=0)
    labels = np.asarray(some.labels)
    whole = auc_and_logloss(logits[:, 0], labels, some.weights).auc
    losses = {}
    for column, (source, target) in enumerate(closed[0].connections, start=1):
        if np.isfinite(logits[:, column]).all():
            losses[f"{source} -> {target}"] = whole - auc_and_logloss(logits[:, column], labels, some.weights).auc
    return losses


def has_connections(model: nn.Module) -> TypeGuard[FusionNetwork | Ensemble]:
    """Whether a model, or each of an ensemble's, is one whose connections can be closed."""
    return all(isinstance(one, FusionNetwork) for one in _networks(model))


def _networks(model: nn.Module) -> list[Any]:
    return list(model.members) if isinstance(model, Ensemble) else [model]


def spaced(split: EncodedSplit, rows: int) -> EncodedSplit:
    """The split, or `rows` evenly spaced rows of it."""
    if len(split) <= rows:
        return split
    chosen = np.linspace(0, len(split) - 1, rows).round().astype(np.int64)
    names = ("ids", "values", "labels", "numbers", "weights", "groups")
    arrays = {name: getattr(split, name) for name in names}
    taken: dict[str, Any] = {name: None if array is None else array[chosen] for name, array in arrays.items()}
    return EncodedSplit(**taken, positives=int(taken["labels"].sum()))


@contextmanager
def without_connection(model: FusionNetwork, connection: Connection) -> Iterator[None]:
    """Inside the block the connection is closed, all weights staying as they are.

    The input is left out as by a closed gate in the supernet: it adds nothing to a sum, a concatenation or an
    attention, and is no factor of a product (under the published rule a product would become zero as a whole).

    Raises:
        OptionError: the model has no such connection, or the target's node is none of a derived model.
    """
    closed, target = _closed(model, connection), connection[1]
    model.nodes[target] = closed
    try:
        yield
    finally:
        model.nodes[target] = closed.node


def _closed(model: FusionNetwork, connection: Connection) -> _Without:
    source, target = connection
    if source not in model.sources.get(target, ()):
        raise OptionError("connection", "an open one of the model", f"{source} -> {target}")
    node = model.nodes[target]
    if not isinstance(node, PassThrough | HardFusion | SoftFusion):
        raise OptionError("model", "a derived one, with PassThrough, HardFusion or SoftFusion", type(node).__name__)
    return _Without(node, model.sources[target].index(source))


class _EachClosed(nn.Module):
    """A model whose output has a column of logits for the model itself, and one for each closed connection.

    Args:
        model: a derived one.
    """

    def __init__(self, model: FusionNetwork) -> None:
        super().__init__()
        self.model = model
        self.connections: list[Connection] = [(s, t) for t, sources in model.sources.items() for s in sources]
        self.closed = nn.ModuleList([_closed(model, connection) for connection in self.connections])

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        """Logits ``[batch, 1 + connections]``."""
        outputs: dict[str, Features] = {EMBEDDING: self.model.embedding(ids, values)}
        # Fills `outputs`, from which every other column starts.
        logits = [self._continued(outputs, list(self.model.nodes), None)]
        order = list(self.model.nodes)
        for (_, target), node in zip(self.connections, self.closed, strict=True):
            # Only the target and what comes after it are computed again.
            logits.append(self._continued(dict(outputs), order[order.index(target) :], node))
        return torch.stack(logits, dim=1)

    def _continued(self, outputs: dict[str, Features], blocks: Sequence[str], first: nn.Module | None) -> Tensor:
        """Logits from the outputs of earlier blocks; the first of `blocks` merges its inputs by the node `first`."""
        model, embedding = self.model, outputs[EMBEDDING]
        for number, block in enumerate(blocks):
            node = model.nodes[block] if number or first is None else first
            fused = node([outputs[source] for source in model.sources[block]], embedding)
            outputs[block] = fused if block == OUTPUT else model.blocks[block](fused, embedding)
        return model.head(outputs[OUTPUT]).squeeze(-1)


class _Without(nn.Module):
    """A derived model's node without one of its inputs.

    Args:
        node: the node.
        closed: index of the input.
    """

    def __init__(self, node: PassThrough | HardFusion | SoftFusion, closed: int) -> None:
        super().__init__()
        self.node, self.closed = node, closed

    def forward(self, inputs: Sequence[Features], embedding: Features) -> Features:
        """Merge the other inputs."""
        kept = [j for j in range(len(inputs)) if j != self.closed]
        if isinstance(self.node, HardFusion):
            return _merge(self.node.operation, inputs, kept, embedding)
        if isinstance(self.node, PassThrough):
            return self.node([inputs[j] for j in kept], embedding)
        mixed = torch.zeros_like(embedding)
        operations = self.node.operations.all().values()
        for probability, operation in zip(self.node.probabilities, operations, strict=True):
            mixed = mixed + probability * _merge(operation, inputs, kept, embedding)
        return mixed


def _merge(
    operation: FusionOperation, inputs: Sequence[Features], kept: Sequence[int], embedding: Features
) -> Features:
    return operation.on(inputs, kept) if kept else operation.constant(embedding)
