"""A training step of two hand-made networks with torch's own embedding gradient and dropout, and with ours."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks._harness import Options, Row, compare_times
from benchmarks._steps import FEATURES_PER_FIELD, FIELDS, random_batch, training_step
from nas_fusion.baselines.models.dcn import DCNv2Parallel
from nas_fusion.baselines.models.fnn import FNN
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.nn import Fields
from nas_fusion.nn.kernels import ByteDropout, EmbeddingTable

EMB_DIM = 10
DROPOUT = {"FNN": 0.2, "DCNv2": 0.4}
"""As BARS has them on frappe."""

STEP_AIM = 1.25
"""Of the whole step, both kernels against torch's."""


def run(options: Options) -> Iterator[Row]:
    """Step by step: both kernels against torch's, then each alone; one thread."""
    batch, hidden = (256, (32, 32)) if options.quick else (4096, (400, 400, 400))
    makers: dict[str, Callable[[ModelShape], nn.Module]] = {"FNN": FNN, "DCNv2": DCNv2Parallel}
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, make in makers.items():
            fields = Fields.of([FEATURES_PER_FIELD] * FIELDS, EMB_DIM)
            ours = make(ModelShape(fields, hidden, dropout=DROPOUT[name]))
            for plain, what in (
                (_plain(ours), "both"),
                (_plain_dropout(ours), "dropout"),
                (_plain_tables(ours), "table"),
            ):
                aim = STEP_AIM if what == "both" else None
                yield _compare(f"{name}, batch {batch}, torch's own: {what}", plain, ours, batch, aim, options)
    finally:
        torch.set_num_threads(before)


def _compare(case: str, plain: nn.Module, ours: nn.Module, batch: int, aim: float | None, options: Options) -> Row:
    ids, labels = random_batch(batch, "cpu")
    sides = [training_step(model, ids, labels) for model in (plain, ours)]
    return compare_times(case, sides[0], sides[1], options, aim=aim)


def _plain(model: nn.Module) -> nn.Module:
    return _plain_tables(_plain_dropout(model))


def _plain_dropout(model: nn.Module) -> nn.Module:
    """A copy that drops by torch's own numbers."""
    return _as(model, ByteDropout, nn.Dropout)


def _plain_tables(model: nn.Module) -> nn.Module:
    """A copy whose tables have torch's own gradient."""
    return _as(model, EmbeddingTable, nn.Embedding)


def _as(model: nn.Module, ours: type[nn.Module], torchs: type[nn.Module]) -> nn.Module:
    # Ours are subclasses without attributes of their own.
    copied = copy.deepcopy(model)
    for module in copied.modules():
        if type(module) is ours:
            module.__class__ = torchs
    return copied
