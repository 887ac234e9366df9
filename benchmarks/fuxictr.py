"""DCNv2 and FNN beside the same models of FuxiCTR: steps alone, and trainings with loader and validation.

FuxiCTR runs in a process and an environment of its own (``make fuxictr``); the two sides take turns. Both get the same
encoded rows, batch size, width of embeddings, layers, dropout, learning rate, largest norm of the gradient and number
of epochs, Adam, and as many threads. Everything else is each side's own: first weights, loader, Adam's implementation,
how the best epoch's weights are kept.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks._harness import Options, Row, Skipped, quartiles_ms
from benchmarks._workload import built_in
from benchmarks.peers import fuxictr_environment, fuxictr_side_path
from nas_fusion.baselines.models.dcn import DCNv2Parallel
from nas_fusion.baselines.models.fnn import FNN
from nas_fusion.baselines.models.model_shape import ModelShape
from nas_fusion.data import BatchLoader, EncodedDataset, EncodedSplit
from nas_fusion.field_shapes import FieldForm
from nas_fusion.nn import Fields
from nas_fusion.settings import TrainConfig
from nas_fusion.training import evaluate_auc, fit
from nas_fusion.training.losses import mean_loss
from nas_fusion.training.optimizers import weights_optimizer

STEP_TURNS, STEPS_A_TURN = 5, 8
SEEDS = 3

MAKERS: dict[str, Callable[[ModelShape], nn.Module]] = {
    "FNN": FNN,
    "DCNv2": lambda shape: DCNv2Parallel(shape, cross_layers=3),
}


@dataclass(frozen=True)
class Work:
    """What both sides are told."""

    field_sizes: tuple[int, ...]
    threads: int
    emb_dim: int = 10
    hidden: tuple[int, ...] = (400, 400, 400)
    cross_layers: int = 3
    dropout: float = 0.2
    batch_norm: bool = True
    learning_rate: float = 1e-3
    batch_size: int = 4096
    epochs: int = 3
    gradient_clip: float = 10.0


def run(options: Options) -> Iterator[Row]:
    """Steps, then trainings over seeds, of both models."""
    python = fuxictr_environment.python()
    if python is None:
        raise Skipped("no environment with FuxiCTR's exact versions; `make fuxictr` makes it")
    data = built_in(options.quick, options.folder)
    shapes = data.schema.field_shapes
    if any(shape.form is not FieldForm.ID for shape in shapes):
        raise Skipped("the log has fields that are not ids, which the two sides read differently")
    work = Work(tuple(shape.size for shape in shapes), torch.get_num_threads())
    if options.quick:
        work = replace(work, hidden=(16, 16), batch_size=256, epochs=1)
    for split in ("train", "valid", "test"):
        _write_split(getattr(data, split), options.folder / f"{split}.npz")
    (options.folder / "work.json").write_text(json.dumps(asdict(work)), "utf-8")
    with _fuxictr(python, options.folder) as ask:
        for model in MAKERS:
            yield _steps(model, work, data, ask, options)
        for model in MAKERS:
            yield from _trainings(model, work, data, ask, 1 if options.quick else SEEDS)


def _write_split(split: EncodedSplit, path: Path) -> None:
    columns = {f"f{number}": np.asarray(split.ids[:, number]) for number in range(split.ids.shape[1])}
    np.savez(path, label=np.asarray(split.labels), **columns)  # type: ignore[arg-type]


Ask = Callable[[dict[str, Any]], dict[str, Any]]


@contextmanager
def _fuxictr(python: Path, folder: Path) -> Iterator[Ask]:
    """FuxiCTR's process, which answers one question after the other."""
    command = [str(python), "-W", "ignore", str(fuxictr_side_path()), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        into, out = process.stdin, process.stdout

        def answer() -> dict[str, Any]:
            for line in out:
                # Libraries may print what is not for us.
                if line.startswith("{"):
                    return dict(json.loads(line))
            raise RuntimeError(f"FuxiCTR's process ended with {process.wait()}; what it printed says why")

        def ask(asked: dict[str, Any]) -> dict[str, Any]:
            into.write(json.dumps(asked) + "\n")
            into.flush()
            return answer()

        answer()
        yield ask
        into.close()


def _model(name: str, work: Work, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    fields = Fields.of(list(work.field_sizes), work.emb_dim)
    return MAKERS[name](ModelShape(fields, work.hidden, work.batch_norm, work.dropout))


def _config(work: Work, seed: int) -> TrainConfig:
    return TrainConfig(
        learning_rate=work.learning_rate,
        batch_size=work.batch_size,
        max_epochs=work.epochs,
        patience=0,
        gradient_clip=work.gradient_clip,
        seed=seed,
    )


def _steps(name: str, work: Work, data: EncodedDataset, ask: Ask, options: Options) -> Row:
    """One batch in memory: forward, loss, backward, clipping, Adam."""
    model, config = _model(name, work, 0), _config(work, 0)
    optimizer = weights_optimizer(model, config)
    batch = next(iter(BatchLoader(data.train, work.batch_size)))

    def step() -> float:
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = mean_loss(model(batch.ids, batch.values), batch)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), work.gradient_clip)
        optimizer.step()
        loss.item()
        return time.perf_counter() - start

    theirs: list[float] = []
    ours: list[float] = []
    for _ in range(min(STEP_TURNS, options.repeats)):
        # The first two of a turn warm up: FuxiCTR makes its model anew for each.
        theirs += ask({"do": "steps", "model": name, "count": STEPS_A_TURN + 2})["seconds"][2:]
        ours += [step() for _ in range(STEPS_A_TURN + 2)][2:]
    details = {"FuxiCTR ms": quartiles_ms(theirs), "ours ms": quartiles_ms(ours)}
    case = f"{name}: a step, batch {work.batch_size}"
    return Row(case, statistics.median(theirs) / statistics.median(ours), "×", None, details)


def _trainings(name: str, work: Work, data: EncodedDataset, ask: Ask, seeds: int) -> Iterator[Row]:
    """Whole trainings in turns, a seed each, then what they are worth."""
    theirs: list[dict[str, Any]] = []
    ours: list[dict[str, Any]] = []
    for seed in range(seeds):
        theirs.append(ask({"do": "fit", "model": name, "seed": seed}))
        model = _model(name, work, seed)
        start = time.perf_counter()
        fit(model, data.search_view(), _config(work, seed))
        seconds = time.perf_counter() - start
        ours.append({"seconds": seconds, "auc": evaluate_auc(model, data.test, _config(work, seed))})
    medians = [statistics.median(side["seconds"] for side in sides) for sides in (theirs, ours)]
    case = f"{name}: training with loader and validation, {work.epochs} epochs of {len(data.train):,} rows"
    details = {"FuxiCTR s": _told(theirs, "seconds", ".1f"), "ours s": _told(ours, "seconds", ".1f")}
    yield Row(case, medians[0] / medians[1], "×", None, details)
    means = [statistics.mean(side["auc"] for side in sides) for sides in (theirs, ours)]
    aucs = {"FuxiCTR": _told(theirs, "auc", ".4f"), "ours": _told(ours, "auc", ".4f")}
    yield Row(f"{name}: test AUC, ours less FuxiCTR's, {seeds} seeds", means[1] - means[0], "", None, aucs)


def _told(results: list[dict[str, Any]], what: str, form: str) -> str:
    return " ".join(format(result[what], form) for result in results)
