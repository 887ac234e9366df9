"""Averaged weights: which average it is, that it is what is validated and kept, and that no step is changed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from nas_fusion.baselines.models import MODELS
from nas_fusion.data import SearchData, prepare
from nas_fusion.errors import OptionError
from nas_fusion.training import TrainConfig, evaluate_auc, fit
from nas_fusion.training.watching import AveragedWeights
from nas_fusion.training.watching.averaged_weights import UPDATES_PER_EPOCH

CONFIG = TrainConfig(learning_rate=3e-3, batch_size=64, max_epochs=3, patience=0, device="cpu", averaging=1.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return prepare("synthetic:3000", cache=tmp_path_factory.mktemp("cache")).search_view()


def model_of(data: SearchData, *, batch_norm: bool = False) -> nn.Module:
    torch.manual_seed(1)
    return MODELS["fnn"].for_schema(data.schema, 4, hidden_width=16, hidden_layers=1, batch_norm=batch_norm)


def averages(steps: int, epochs: float, numbers: list[float]) -> list[float]:
    """What the model holds at a validation after each of the numbers, which its one weight is set to step by step."""
    model = nn.Linear(1, 1, bias=False)
    training: Any = SimpleNamespace(model=model, steps_per_epoch=steps)
    averaged = AveragedWeights(epochs)
    averaged.begin(training)
    found = []
    for number in numbers:
        averaged.before_epoch(training)
        nn.init.constant_(model.weight, number)
        averaged.after_step(training, None, None)
        averaged.before_validation(training)
        found.append(model.weight.item())
    return found


def test_it_is_the_mean_at_first_and_then_forgets() -> None:
    # Half an epoch of four steps: the third number is the first one of which the average takes half.
    assert averages(4, 0.5, [1.0, 3.0, 6.0, 0.0]) == pytest.approx([1.0, 2.0, 4.0, 2.0])
    assert averages(4, 1.0, [1.0, 3.0, 5.0, 7.0, 8.0]) == pytest.approx([1.0, 2.0, 3.0, 4.0, 5.0])


def test_long_epochs_are_averaged_over_some_of_their_steps() -> None:
    numbers = [1.0, 2.0, 3.0, 4.0]
    # Every second step counts; before the first of those, the weights as they are.
    assert averages(2 * UPDATES_PER_EPOCH, 1.0, numbers)[1:] == pytest.approx([1.5, 1.5, 7 / 3])


def test_without_averaging_the_model_is_left_alone() -> None:
    assert averages(4, 0.0, [1.0, 3.0, 6.0]) == [1.0, 3.0, 6.0]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "touched-rows-adam"])
def test_no_step_is_changed_and_what_was_validated_is_kept(data: SearchData, batch_norm: bool, optimizer: str) -> None:
    results = {}
    for averaging in (0.0, 1.0):
        config = replace(CONFIG, averaging=averaging, embedding_optimizer=optimizer)
        model = model_of(data, batch_norm=batch_norm)
        results[averaging] = fit(model, data, config)
        assert evaluate_auc(model, data.valid, config) == pytest.approx(results[averaging].best_valid_auc, abs=1e-9)
    plain, averaged = results[0.0].history, results[1.0].history
    assert [r.train_loss for r in plain] == [r.train_loss for r in averaged]
    assert all(a.valid_auc != b.valid_auc for a, b in zip(plain, averaged, strict=True))


def test_a_training_that_is_not_to_keep_its_best_epoch_ends_with_the_last_average(data: SearchData) -> None:
    model = model_of(data)
    result = fit(model, data, CONFIG, keep_best=False)
    assert evaluate_auc(model, data.valid, CONFIG) == pytest.approx(result.history[-1].valid_auc, abs=1e-9)


def test_a_training_that_is_ended_within_an_epoch_is_averaged_so_far(data: SearchData) -> None:
    config = replace(CONFIG, max_samples=5 * 64)
    model = model_of(data)
    result = fit(model, data, config)
    assert evaluate_auc(model, data.valid, config) == pytest.approx(result.best_valid_auc, abs=1e-9)


def test_epochs_are_not_negative() -> None:
    with pytest.raises(OptionError, match="averaging"):
        replace(CONFIG, averaging=-1.0)
