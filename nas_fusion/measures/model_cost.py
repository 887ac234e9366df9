"""What a trained model costs, for a cell's record."""

from __future__ import annotations

from torch import nn

from nas_fusion.bounds import LATENCY_BATCHES
from nas_fusion.measures.counting import multiply_adds
from nas_fusion.measures.latency import latency_ms
from nas_fusion.nn import Fields
from nas_fusion.training import FitResult, TrainConfig, WholeModel


def measure(
    model: nn.Module, fields: Fields, config: TrainConfig, training: FitResult | None = None
) -> dict[str, float]:
    """What a model costs, with the keys of `CellRecord.cost`; its number of weights is `CellRecord.parameters`.

    Args:
        model: called with ids and values.
        fields: of the data.
        config: says device and precision.
        training: how the model was trained.

    Returns:
        ``multiply_adds`` per row; ``latency_ms_1`` and ``latency_ms_4096``, milliseconds per batch; with `training`
        also ``training_rows_per_second``: training rows over the whole of the training's wall-clock time, so with
        batches, optimiser, and the validation after every epoch. Of a `WholeModel` only that: it takes no batches.
    """
    cost: dict[str, float] = {}
    if not isinstance(model, WholeModel):
        cost["multiply_adds"] = multiply_adds(model, fields)
        cost |= {f"latency_ms_{batch}": latency_ms(model, fields, batch, config) for batch in LATENCY_BATCHES}
    if training is not None:
        cost["training_rows_per_second"] = training.samples / training.seconds
    return cost
