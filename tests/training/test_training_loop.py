"""The training loop, bit for bit, against the obvious loop and against Lightning's trainer with the same watchers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_fusion.baselines.models import MODELS
from nas_fusion.data import Batch, BatchLoader, EncodedSplit, SearchData, prepare
from nas_fusion.errors import TrainingError
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.training import (
    AveragedWeights,
    CTRModule,
    EpochRecord,
    LightningWatching,
    RunningTraining,
    SampleMeter,
    TrainConfig,
    TrainingLoop,
    ValidationMonitor,
    Watcher,
    auc_and_logloss,
    fit,
    make_trainer,
)
from nas_fusion.training.batch_norm import FreshStatistics, estimate_statistics, norms_of
from nas_fusion.training.losses import mean_loss
from nas_fusion.training.optimizers import clip_gradient, weights_optimizer
from tests.serving.clicks_log import OPTIONS, clicks

CONFIG = TrainConfig(learning_rate=0.01, batch_size=64, max_epochs=3, patience=0, lr_drop=0.3, device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    """Categories, scaled and interpolated numbers, times, lists, hashed texts."""
    return prepare(clicks(), OPTIONS, cache=tmp_path_factory.mktemp("cache")).search_view()


def weighted(data: SearchData) -> SearchData:
    return replace(data, train=_weighted(data.train), valid=_weighted(data.valid))


def _weighted(split: EncodedSplit) -> EncodedSplit:
    weights: Any = np.random.default_rng(3).exponential(5.0, len(split)).astype(np.float32)
    return replace(split, weights=weights)


def normed_tower(data: SearchData) -> nn.Module:
    tower = {"hidden_width": 8, "hidden_layers": 2, "dropout": 0.3, "batch_norm": True}
    return MODELS["fnn"].for_schema(data.schema, 4, **tower)


def derived(data: SearchData) -> nn.Module:
    space = FusionSpace.for_schema(data.schema, levels=2, emb_dim=4)
    return space.derive(space.designs.sample(np.random.default_rng(5)), weights=False)


def made(make: Callable[[SearchData], nn.Module], data: SearchData) -> nn.Module:
    torch.manual_seed(1)
    return make(data)


class Trained(NamedTuple):
    """Validation AUC, logloss and training loss of every epoch, and the model's state."""

    epochs: list[tuple[float, float, float]]
    state: Mapping[str, Tensor]


def by_fit(model: nn.Module, data: SearchData, config: TrainConfig) -> Trained:
    return Trained([_figures(record) for record in fit(model, data, config).history], model.state_dict())


def by_lightning(model: nn.Module, data: SearchData, config: TrainConfig) -> Trained:
    torch.manual_seed(config.seed)
    meter = SampleMeter()
    monitor = ValidationMonitor(config, meter, data.valid, report=False)
    watching = LightningWatching([meter, AveragedWeights(config.averaging), FreshStatistics(), monitor])
    module = CTRModule(config)
    module.set_model(model)
    loaders = BatchLoader(data.train, config.batch_size, shuffle=True, seed=config.seed), BatchLoader(data.valid, 64)
    make_trainer(config, [watching], max_epochs=config.max_epochs).fit(module, *loaders)
    return Trained([_figures(record) for record in monitor.history], model.state_dict())


def plainly(model: nn.Module, data: SearchData, config: TrainConfig) -> Trained:
    """As one would write it, for an epoch of fewer steps than averaging looks at, and fewer rows than batch norm."""
    torch.manual_seed(config.seed)
    if config.precision == "64":
        model.double()
    optimiser = weights_optimizer(model, config)
    train = BatchLoader(data.train, config.batch_size, shuffle=True, seed=config.seed)
    weights = list(model.parameters())
    means = [torch.zeros_like(weight) for weight in weights]
    epochs, seen, best, best_state, updates = [], [], -math.inf, {}, 0
    for epoch in range(1, config.max_epochs + 1):
        train.set_epoch(epoch)
        losses = []
        for batch in map(_as_wide_as(model), train):
            optimiser.zero_grad()
            loss = mean_loss(model(batch.ids, batch.values), batch)
            loss.backward()
            if config.gradient_clip:
                clip_gradient(weights, config.gradient_clip)
            optimiser.step()
            losses.append(loss.item())
            seen.append(batch)
            updates += 1
            share = 1 / max(1.0, min(updates, config.averaging * len(train)))
            with torch.no_grad():
                for mean, weight in zip(means, weights, strict=True):
                    mean.copy_(weight) if share == 1 else mean.lerp_(weight, share)
        trained = [weight.detach().clone() for weight in weights]
        if config.averaging:
            _set(weights, means)
        if norms_of(model):
            estimate_statistics(model, seen)
        model.eval()
        with torch.no_grad():
            logits = torch.cat([model(b.ids, b.values) for b in map(_as_wide_as(model), BatchLoader(data.valid, 64))])
        model.train()
        found = auc_and_logloss(logits.numpy(), data.valid.labels, data.valid.weights)
        epochs.append((found.auc, found.logloss, float(torch.tensor(losses, dtype=torch.float64).mean())))
        if found.auc > best:
            best_state = {name: value.clone() for name, value in model.state_dict().items()}
        if found.auc <= best + config.min_improvement:
            for group in optimiser.param_groups:
                group["lr"] *= config.lr_drop
        best = max(best, found.auc)
        _set(weights, trained)
    return Trained(epochs, best_state)


def _figures(record: EpochRecord) -> tuple[float, float, float]:
    return record.valid_auc, record.valid_logloss, record.train_loss


def _as_wide_as(model: nn.Module) -> Callable[[Batch], Batch]:
    width = next(model.parameters()).dtype
    return lambda batch: batch._replace(values=None if batch.values is None else batch.values.to(width))


def _set(weights: list[nn.Parameter], values: list[Tensor]) -> None:
    with torch.no_grad():
        for weight, value in zip(weights, values, strict=True):
            weight.copy_(value)


CASES: dict[str, tuple[Callable[[SearchData], nn.Module], dict[str, Any]]] = {
    "batch norm and dropout": (normed_tower, {}),
    "averaged": (normed_tower, {"averaging": 0.5}),
    "a derived design": (derived, {"embedding_l2": 0.01, "network_l2": 0.001}),
    "touched rows": (derived, {"embedding_optimizer": "touched-rows-adam", "averaging": 1.0, "gradient_clip": 0.5}),
}


@pytest.mark.parametrize("precision", ["32", "64"])
@pytest.mark.parametrize("case", CASES)
def test_every_bit_is_that_of_the_obvious_loop_and_of_lightnings(case: str, precision: str, data: SearchData) -> None:
    make, options = CASES[case]
    config = replace(CONFIG, precision=precision, **options)
    rows = weighted(data) if case == "averaged" else data
    found, plain, lightning = (train(made(make, data), rows, config) for train in (by_fit, plainly, by_lightning))
    assert len(found.epochs) == config.max_epochs
    assert found.epochs == plain.epochs == lightning.epochs
    for name, value in found.state.items():
        assert value.dtype == plain.state[name].dtype
        assert torch.equal(value, plain.state[name]), name
        assert torch.equal(value, lightning.state[name]), name


def test_a_model_that_learns_nothing_would_show(data: SearchData) -> None:
    """The comparison above compares something."""
    model = made(derived, data)
    before = [weight.detach().clone() for weight in model.parameters()]
    found = by_fit(model, data, CONFIG)
    assert len({auc for auc, *_ in found.epochs}) == CONFIG.max_epochs
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


class Told(Watcher):
    """Writes down what it is told; stops or fails where it should."""

    def __init__(self, stop_at: str = "", fail_at: str = "") -> None:
        self.told: list[str] = []
        self._stop_at, self._fail_at = stop_at, fail_at

    def _hear(self, word: str, training: RunningTraining | None = None) -> None:
        self.told.append(word)
        if word == self._fail_at:
            raise TrainingError(word)
        if word == self._stop_at:
            assert training is not None
            training.stop()

    def begin(self, training: RunningTraining) -> None:
        self._hear(f"begin {training.steps_per_epoch}", training)

    def before_epoch(self, training: RunningTraining) -> None:
        self._hear(f"epoch {training.epoch}", training)

    def before_step(self, training: RunningTraining, batch: Any) -> None:
        assert training.model.training
        self._hear("step", training)

    def after_step(self, training: RunningTraining, batch: Any, loss: Tensor | None) -> None:
        assert loss is not None
        assert not loss.requires_grad
        self._hear(f"{len(batch.labels)} rows", training)

    def before_validation(self, training: RunningTraining) -> None:
        self._hear("validation", training)

    def after_validation_batch(self, training: RunningTraining, logits: Tensor, labels: Tensor) -> None:
        assert not training.model.training
        assert logits.shape == labels.shape
        self._hear(f"{len(labels)} validated", training)

    def after_validation(self, training: RunningTraining) -> None:
        self._hear("validated", training)

    def end(self, training: RunningTraining) -> None:
        self._hear("end")

    def close(self) -> None:
        self._hear("close")


VALIDATION = ["validation", "60 validated", "30 validated", "validated"]
STEP = ["step", "400 rows"]


def told(data: SearchData, epochs: int, **options: str) -> list[str]:
    train, valid = _first(data.train, 800), _first(data.valid, 90)
    watcher, model = Told(**options), made(derived, data)
    loop = TrainingLoop(model, CONFIG, [watcher])
    loop.run(BatchLoader(train, 400), BatchLoader(valid, 60), epochs)
    return watcher.told


def _first(split: Any, rows: int) -> Any:
    return replace(
        split,
        ids=np.resize(split.ids, (rows, split.ids.shape[1])),
        values=None if split.values is None else np.resize(split.values, (rows, split.values.shape[1])),
        labels=np.resize(split.labels, rows),
    )


def test_watchers_are_told_everything_in_order(data: SearchData) -> None:
    epoch = [*STEP, *STEP, *VALIDATION]
    assert told(data, 2) == ["begin 2", "epoch 1", *epoch, "epoch 2", *epoch, "end", "close"]


def test_one_that_is_stopped_within_an_epoch_is_validated_once_more(data: SearchData) -> None:
    assert told(data, 5, stop_at="400 rows") == ["begin 2", "epoch 1", *STEP, *VALIDATION, "end", "close"]


def test_one_that_is_stopped_after_a_validation_ends_there(data: SearchData) -> None:
    assert told(data, -1, stop_at="validated") == ["begin 2", "epoch 1", *STEP, *STEP, *VALIDATION, "end", "close"]


@pytest.mark.parametrize("word", ["begin 2", "step", "60 validated", "end"])
def test_whatever_fails_everything_is_closed_and_the_model_left_in_its_mode(word: str, data: SearchData) -> None:
    watcher, model = Told(fail_at=word), made(derived, data)
    loop = TrainingLoop(model, CONFIG, [watcher])
    with pytest.raises(TrainingError, match=word):
        loop.run(BatchLoader(_first(data.train, 800), 400), BatchLoader(_first(data.valid, 90), 60), 2)
    assert watcher.told[-2:] == [word, "close"]
    assert model.training


def test_parts_that_are_kept_in_evaluation_mode_stay_in_it(data: SearchData) -> None:
    model = made(normed_tower, data).train()
    dropout = next(part for part in model.modules() if isinstance(part, nn.Dropout))
    dropout.eval()
    fit(model, data, replace(CONFIG, max_epochs=1))
    assert model.training
    assert not dropout.training


def test_a_training_inside_no_grad_learns_all_the_same(data: SearchData) -> None:
    first, second = made(derived, data), made(derived, data)
    fit(first, data, CONFIG)
    with torch.no_grad():
        fit(second, data, CONFIG)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
