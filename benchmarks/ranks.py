"""One training by one process and by two on the same machine: seconds, and bytes of gradients that a process sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._harness import Options, Row
from nas_fusion.data import EncodedSplit, Schema, SearchData
from nas_fusion.nn import DeepBlock, FieldEmbedding
from nas_fusion.training import TrainConfig, fit
from nas_fusion.training.ranks import RankedTeam, several_devices
from nas_fusion.training.threads import with_threads

FIELDS, EMB_DIM, BATCH, STEPS, DEVICES = 10, 16, 4096, 8, 2


class Tower(nn.Module):
    """An embedding of all fields, and dense layers as wide as it.

    Args:
        features: of every field.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.embedding = FieldEmbedding([features] * FIELDS, EMB_DIM)
        width = self.embedding.width
        self.blocks = nn.ModuleList(DeepBlock(width) for _ in range(3))
        self.head = nn.Linear(width, 1)

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        """Logits ``[batch]``."""
        hidden = self.embedding(ids)
        for block in self.blocks:
            hidden = block(hidden, hidden)
        return self.head(hidden).squeeze(1)


def run(options: Options) -> Iterator[Row]:
    """Dense and touched-rows Adam, a table of a million features; one thread for each process."""
    features, batch = (1000, 256) if options.quick else (100_000, BATCH)
    data = random_log(features, batch * STEPS)
    config = TrainConfig(batch_size=batch, max_epochs=1, patience=0, device="cpu")
    alone, together, sent = {}, {}, {}
    optimizers = ("adam", "touched-rows-adam")
    with with_threads(1):
        for name in optimizers:
            alone[name] = seconds_of(features, data, replace(config, embedding_optimizer=name), options.repeats)
        with several_devices(DEVICES) as team:
            assert isinstance(team, RankedTeam)
            for name in optimizers:
                before = team.sent
                asked = replace(config, embedding_optimizer=name)
                together[name] = seconds_of(features, data, asked, options.repeats)
                sent[name] = (team.sent - before) // ((options.repeats + 1) * STEPS)
    for name in optimizers:
        details = {"alone ms a step": in_ms(alone[name]), f"{DEVICES} processes ms a step": in_ms(together[name])}
        yield Row(f"one process over {DEVICES}, {name}", alone[name] / together[name], "×", None, details)
    dense, touched = (sent[name] for name in optimizers)
    details = {"dense bytes a step": f"{dense:,}", "touched rows bytes a step": f"{touched:,}"}
    yield Row(
        f"bytes a step, dense over touched rows, {FIELDS * features:,} × {EMB_DIM}", dense / touched, "×", 5.0, details
    )


def random_log(features: int, rows: int) -> SearchData:
    """Ids as uneven as those of logs, labels by chance."""
    rng = np.random.default_rng(0)

    def split(count: int) -> EncodedSplit:
        ids = (features ** rng.random((count, FIELDS))).astype(np.int32)  # Zipf's law
        labels = (rng.random(count) < 0.3).astype(np.float32)
        return EncodedSplit(ids, None, labels, int(labels.sum()))

    return SearchData("random", Schema((), "label"), split(rows), split(256), "random")


def seconds_of(features: int, data: SearchData, config: TrainConfig, repeats: int) -> float:
    """The shortest of several trainings, after one that does not count: what else runs makes them longer only."""
    found = []
    for _ in range(repeats + 1):
        torch.manual_seed(0)
        model = Tower(features)
        start = time.perf_counter()
        fit(model, data, config)
        found.append(time.perf_counter() - start)
    return min(found[1:])


def in_ms(seconds: float) -> str:
    """Of a training, as milliseconds a step."""
    return f"{1e3 * seconds / STEPS:.1f}"
