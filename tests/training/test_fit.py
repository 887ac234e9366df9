"""The training routine against a loop written by hand, and what decides when it ends."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_fusion.data import Batch, BatchLoader, SearchData, prepare
from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.nn import FieldEmbedding
from nas_fusion.system.files import load_tensors
from nas_fusion.system.interrupts import Terminated, interruptible
from nas_fusion.training import TrainConfig, auc_and_logloss, evaluate, fit, parameter_groups, predict_logits
from tests.command_process import CommandProcess

CONFIG = TrainConfig(learning_rate=0.02, batch_size=256, max_epochs=2, patience=0, device="cpu", precision="64")


class SmallModel(nn.Module):
    """One deep layer on the embeddings."""

    def __init__(self, data: SearchData) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.embedding = FieldEmbedding([f.size for f in data.schema.fields], 3)
        self.hidden = nn.Linear(self.embedding.width, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        out: Tensor = self.head(torch.relu(self.hidden(self.embedding(ids, values)))).squeeze(-1)
        return out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache")).search_view()


def by_hand(data: SearchData, config: TrainConfig) -> SmallModel:
    """All epochs of `config`, as one would write them."""
    model = SmallModel(data).double()
    embedding = model.embedding.table.weight
    rest = [p for p in model.parameters() if p is not embedding]
    rates = config.embedding_learning_rate or config.learning_rate
    groups: list[dict[str, Any]] = [
        {"params": [embedding], "weight_decay": config.embedding_l2, "lr": rates},
        {"params": rest, "weight_decay": config.network_l2},
    ]
    optimiser = torch.optim.Adam(groups, lr=config.learning_rate, foreach=False)
    loader = BatchLoader(data.train, config.batch_size, shuffle=True, seed=config.seed)
    loader.epoch = 1  # as epochs are counted
    for _ in range(config.max_epochs):
        for batch in loader:
            p = torch.sigmoid(model(batch.ids, batch.values))
            y = batch.labels.double()
            loss = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
            optimiser.zero_grad()
            loss.backward()
            if config.gradient_clip:
                norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters() if p.grad is not None))  # type: ignore[arg-type]
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter.grad *= min(1.0, config.gradient_clip / (float(norm) + 1e-6))
            optimiser.step()
    return model


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"embedding_l2": 0.05, "network_l2": 0.01},
        {"embedding_learning_rate": 0.1},
        {"gradient_clip": 0.02},
    ],
)
def test_equals_a_loop_written_by_hand(options: dict[str, Any], data: SearchData) -> None:
    config = dataclasses.replace(CONFIG, **options, max_epochs=1)
    model = SmallModel(data)
    result = fit(model, data, config)
    expected = dict(by_hand(data, config).named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.double(), expected[name].detach(), rtol=1e-9, atol=1e-11)
    assert result.samples == len(data.train)


def test_clipping_and_l2_are_no_empty_words(data: SearchData) -> None:
    plain, others = SmallModel(data), [{"gradient_clip": 0.02}, {"embedding_l2": 0.05}, {"network_l2": 0.05}]
    fit(plain, data, CONFIG)
    for options in others:
        model = SmallModel(data)
        fit(model, data, dataclasses.replace(CONFIG, **options))  # type: ignore[arg-type]
        assert not torch.equal(model.hidden.weight, plain.hidden.weight)


def test_embedding_and_network_have_groups_of_their_own(data: SearchData) -> None:
    model = SmallModel(data)
    config = TrainConfig(learning_rate=0.1, embedding_learning_rate=0.2, embedding_l2=0.3, network_l2=0.4)
    embedding, network = parameter_groups(model, config)
    assert [id(p) for p in embedding["params"]] == [id(model.embedding.table.weight)]
    assert len(network["params"]) == 4
    assert (embedding["lr"], embedding["weight_decay"]) == (0.2, 0.3)
    assert (network["lr"], network["weight_decay"]) == (0.1, 0.4)


def test_the_best_epochs_weights_are_restored_and_saved(data: SearchData, tmp_path: Path) -> None:
    model = SmallModel(data)
    config = dataclasses.replace(CONFIG, max_epochs=12, learning_rate=0.1)
    result = fit(model, data, config, checkpoint=tmp_path / "model.pt")
    assert result.best_epoch < result.history[-1].epoch  # it overfits: the last is not the best
    assert result.best_valid_auc == max(r.valid_auc for r in result.history)
    assert evaluate(model, data.valid, config).auc == pytest.approx(result.best_valid_auc, abs=1e-12)
    saved = load_tensors(tmp_path / "model.pt")
    assert all(torch.equal(saved[name], value) for name, value in model.state_dict().items())


def test_patience_stops_and_min_improvement_decides_what_counts(data: SearchData) -> None:
    config = dataclasses.replace(CONFIG, max_epochs=30, patience=2, learning_rate=0.1)
    result = fit(SmallModel(data), data, config)
    assert result.stopped == "patience"
    aucs = [r.valid_auc for r in result.history]
    since = best = 0.0
    for n, auc in enumerate(aucs):
        since, best = (0, auc) if n == 0 or auc > best + config.min_improvement else (since + 1, max(best, auc))
        assert (since >= 2) == (n == len(aucs) - 1)
    strict = fit(SmallModel(data), data, dataclasses.replace(config, min_improvement=0.9))
    assert len(strict.history) == 3  # the first, and two that cannot be better by so much
    assert fit(SmallModel(data), data, dataclasses.replace(config, patience=0, max_epochs=4)).stopped == "epochs"


def test_the_learning_rate_drops_after_an_epoch_without_improvement(data: SearchData) -> None:
    config = dataclasses.replace(CONFIG, max_epochs=3, min_improvement=0.9)  # no later epoch counts as better
    never, dropped = SmallModel(data), SmallModel(data)
    fit(never, data, config)
    result = fit(dropped, data, dataclasses.replace(config, lr_drop=1e-9))
    # The drop comes after the second epoch: with next to no rate, the third one changes nothing.
    assert result.history[2].valid_auc == pytest.approx(result.history[1].valid_auc, abs=1e-6)
    assert result.history[1].valid_auc != pytest.approx(result.history[0].valid_auc, abs=1e-6)
    expected = by_hand(data, CONFIG)  # two epochs
    torch.testing.assert_close(dropped.hidden.weight, expected.hidden.weight, rtol=1e-6, atol=1e-7)
    assert not torch.allclose(never.hidden.weight, dropped.hidden.weight)


def test_the_budget_of_samples_is_kept_to_a_batch(data: SearchData) -> None:
    result = fit(SmallModel(data), data, dataclasses.replace(CONFIG, max_samples=1000, max_epochs=1))
    assert (result.samples, result.stopped) == (1024, "budget")
    assert len(result.history) == 1  # measured where it stopped


def test_a_loss_that_is_not_finite_is_an_error(data: SearchData) -> None:
    model = SmallModel(data)
    model.head.weight.data[0, 0] = torch.nan
    with pytest.raises(TrainingError, match=r"not finite|nan"):
        fit(model, data, CONFIG)


def test_an_interrupt_interrupts(data: SearchData) -> None:
    class Interrupted(SmallModel):
        def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(data), data, CONFIG)


class Signalled(SmallModel):
    """Is sent a signal in the middle of its training."""

    def __init__(self, data: SearchData, number: int) -> None:
        super().__init__(data)
        self.number = number

    def forward(self, ids: Tensor, values: Tensor | None = None) -> Tensor:
        os.kill(os.getpid(), self.number)
        return super().forward(ids, values)


def test_a_command_that_is_asked_to_end_ends_in_the_middle_of_a_training(data: SearchData) -> None:
    """Lightning takes SIGTERM, and ends with exit code 0, if it is let."""
    for number, error in ((signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)):
        with pytest.raises(error), interruptible():
            fit(Signalled(data, number), data, CONFIG)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handlers_of_a_librarys_user_are_left_alone(data: SearchData) -> None:
    told: list[int] = []

    def handler(number: int, frame: object) -> None:
        told.append(number)
        assert signal.getsignal(signal.SIGTERM) is handler

    before = signal.signal(signal.SIGTERM, handler)
    try:
        assert fit(Signalled(data, signal.SIGTERM), data, dataclasses.replace(CONFIG, max_epochs=1)).history
        assert told
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_training_leaves_no_file(data: SearchData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fit(SmallModel(data), data, dataclasses.replace(CONFIG, max_epochs=1))
    assert list(tmp_path.iterdir()) == []


AGAIN = """
import sys
from pathlib import Path
from test_fit import train_once
print(hash("hash seed"))
print(train_once(Path(sys.argv[1])))
"""


def train_once(cache: Path) -> str:
    data = prepare("synthetic:3000", cache=cache).search_view()
    model = SmallModel(data)
    auc = fit(model, data, CONFIG).best_valid_auc
    return f"{auc!r} {model.hidden.weight.double().sum().item()!r}"


@pytest.mark.slow
def test_a_fresh_process_trains_the_same(tmp_path: Path) -> None:
    """With another hash seed, and without what the tests before this one have left behind."""
    fresh = CommandProcess([str(tmp_path)], tmp_path / "fresh", path=str(Path(__file__).parent), code=AGAIN)
    assert fresh.wait() == 0, fresh.said()
    hash_seed, again = fresh.stdout.splitlines()
    assert hash_seed != str(hash("hash seed"))
    assert again == train_once(tmp_path)


def test_metrics_against_their_definitions() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=60).round(1), rng.integers(2, size=60)  # rounded: there are ties
    pairs = [(p > n) + 0.5 * (p == n) for p in logits[labels == 1] for n in logits[labels == 0]]
    p = 1 / (1 + np.exp(-logits))
    found = auc_and_logloss(logits, labels.astype(float))
    assert found.auc == pytest.approx(float(np.mean(pairs)), abs=1e-12)
    assert found.logloss == pytest.approx(float(-np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))))
    assert auc_and_logloss(np.array([900.0, -900.0]), np.array([0.0, 1.0])).logloss == 900.0
    with pytest.raises(TrainingError, match="both classes"):
        auc_and_logloss(logits, np.ones(60))
    with pytest.raises(TrainingError, match="1 of 60 predictions are not finite"):
        auc_and_logloss(np.where(np.arange(60) == 3, np.inf, logits), labels.astype(float))


def test_logits_under_bfloat16_are_measured_in_float32(data: SearchData) -> None:
    config = dataclasses.replace(CONFIG, precision="bf16")
    model = SmallModel(data)
    fit(model, data, config)
    assert predict_logits(model, data.valid, config).dtype == np.float32


def test_predictions_leave_the_model_in_its_mode(data: SearchData) -> None:
    model = SmallModel(data).train()
    model.hidden.eval()
    predict_logits(model, data.valid, dataclasses.replace(CONFIG, precision="32"))
    assert model.training
    assert not model.hidden.training


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", 0.0), ("batch_size", 0), ("lr_drop", 1.5), ("precision", "16"), ("device", "tpu"),
     ("max_samples", 0), ("embedding_l2", -1.0), ("embedding_optimizer", "sgd")],
)  # fmt: skip
def test_values_out_of_range_are_named(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=name):
        TrainConfig(**{name: value})


def test_a_batch_is_what_the_loader_promises(data: SearchData) -> None:
    batch = next(iter(BatchLoader(data.train, 16)))
    assert isinstance(batch, Batch)
    assert batch.ids.shape == (16, len(data.schema.fields))
