"""What `fit` and a supernet's training take beside a plain loop of the same steps on the same batches.

The plain side is what one would write by hand: batches from the same loader, forward, loss, backward, the same fused
optimisers, and scikit-learn's AUC on the validation rows after each epoch. Ours keeps the best weights, counts rows,
looks at the clock, and so on, too. Both begin with a fresh model; what setting up takes is part of both.

Seconds are those of the process on one thread, so that a busy machine moves them little.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from benchmarks._harness import Options, Row
from benchmarks._workload import built_in, default_settings, task
from nas_fusion.data import BatchLoader, SearchData
from nas_fusion.nni_bridge import RawFormatModelSpace, SequentialExecutionEngine
from nas_fusion.optfusion import OptFusion
from nas_fusion.search import SearchTask
from nas_fusion.strategy import STRATEGIES
from nas_fusion.training import TrainConfig, fit, oneshot_evaluator
from nas_fusion.training.losses import mean_loss
from nas_fusion.training.optimizers import weights_optimizer

EPOCHS = 2
VALID_ROWS = 1024
"""So few that validation, which is not part of a step, hardly counts."""

AIM = 1.05


def run(options: Options) -> Iterator[Row]:
    """The default workload on the built-in log: a derived design, the same with averaged weights, the supernet."""
    work = task(built_in(options.quick, options.folder), default_settings(), budget=f"{EPOCHS}x")
    work = replace(work, data=_little_validation(work.data))
    config = replace(work.config, max_epochs=EPOCHS, patience=0, averaging=0.0)
    steps = EPOCHS * len(BatchLoader(work.data.train, config.batch_size))
    design = STRATEGIES.get("parallel").reference_design(work.make_space().designs)

    def model() -> nn.Module:
        torch.manual_seed(config.seed)
        return work.make_space().derive(design, weights=False)

    for name, recipe in (("training (parallel design)", config), ("the same, averaging", replace(config, averaging=1))):
        plain, ours = (lambda: _plain(model(), work.data, config)), (lambda r=recipe: fit(model(), work.data, r))
        yield _compare(name, plain, ours, steps, options)
    yield _compare(
        "search (supernet)",
        lambda: _plain_supernet(work, config),
        lambda: _search(work, config),
        steps,
        options,
    )


def _compare(case: str, plain: Callable[[], object], ours: Callable[[], object], steps: int, options: Options) -> Row:
    first, second = _take_turns([plain, ours], options.repeats)
    over = 1e3 * (statistics.median(second) - statistics.median(first)) / steps
    details = {
        "steps": steps,
        "plain ms per step": _quartiles(first, steps),
        "ours ms per step": _quartiles(second, steps),
        "difference ms per step": f"{over:.2f}",
    }
    ratio = statistics.median(second) / statistics.median(first)
    return Row(f"ours over a plain loop: {case}", ratio, "×", AIM, details, at_most=True)


def _take_turns(sides: Sequence[Callable[[], object]], repeats: int) -> list[list[float]]:
    """The process's seconds of every turn of every side, on one thread; each side runs once before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times: list[list[float]] = [[] for _ in sides]
    for turn in range(repeats + 1):
        for side, seconds in zip(sides, times, strict=True):
            start = time.process_time()
            side()
            if turn:
                seconds.append(time.process_time() - start)
    torch.set_num_threads(threads)
    return times


def _quartiles(seconds: Sequence[float], steps: int) -> str:
    """``median (lower quartile … upper quartile)`` in milliseconds a step."""
    low, middle, high = (1e3 * value / steps for value in statistics.quantiles(seconds, n=4))
    return f"{middle:.2f} ({low:.2f} … {high:.2f})"


def _plain(model: nn.Module, data: SearchData, config: TrainConfig) -> None:
    _train(model, data, config, [weights_optimizer(model, config)])


def _plain_supernet(work: SearchTask, config: TrainConfig) -> None:
    torch.manual_seed(config.seed)
    strategy = _strategy(config)
    supernet = strategy.mutate_model(work.make_space())
    architecture = {id(p): p for m in supernet.modules() if hasattr(m, "arch_parameters") for p in m.arch_parameters()}
    weights = weights_optimizer(supernet, config)
    for group in weights.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in architecture]
    choices = torch.optim.Adam(architecture.values(), lr=strategy.arch_learning_rate, fused=True)
    _train(supernet, work.data, config, [weights, choices])


def _train(model: nn.Module, data: SearchData, config: TrainConfig, optimizers: list[torch.optim.Optimizer]) -> None:
    train = BatchLoader(data.train, config.batch_size, shuffle=True, seed=config.seed)
    for _ in range(EPOCHS):
        model.train()
        for batch in train:
            for optimizer in optimizers:
                optimizer.zero_grad()
            mean_loss(model(batch.ids, batch.values), batch).backward()
            for optimizer in optimizers:
                optimizer.step()
        model.eval()
        with torch.inference_mode():
            logits = [model(batch.ids, batch.values) for batch in BatchLoader(data.valid, config.batch_size)]
        roc_auc_score(data.valid.labels, torch.cat(logits).numpy())


def _search(work: SearchTask, config: TrainConfig) -> None:
    torch.manual_seed(config.seed)
    run = oneshot_evaluator(work.data, config, keep_best=False)
    _strategy(config)(RawFormatModelSpace(work.make_space(), run.evaluator), SequentialExecutionEngine())


def _strategy(config: TrainConfig) -> OptFusion:
    return OptFusion(gradient_clip=config.gradient_clip)


def _little_validation(data: SearchData) -> SearchData:
    valid = data.valid
    labels = cast("Any", valid.labels[:VALID_ROWS])
    values = None if valid.values is None else cast("Any", valid.values[:VALID_ROWS])
    ids = cast("Any", valid.ids[:VALID_ROWS])
    return replace(data, valid=replace(valid, ids=ids, values=values, labels=labels, positives=int(labels.sum())))
