"""What NNI's one-shot wrapping leaves out: each is still left out, and put back by ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from nas_fusion.baselines import FusionDARTS, FusionGumbelDARTS, FusionRandomOneShot
from nas_fusion.data import SearchData
from nas_fusion.nni_bridge import (
    DARTS,
    BaseOneShotLightningModule,
    DartsLightningModule,
    GumbelDARTS,
    RawFormatModelSpace,
    SequentialExecutionEngine,
)
from nas_fusion.optfusion import OptFusion
from nas_fusion.search_spaces import FusionSpace, SupernetNode
from nas_fusion.testing import tiny_data, tiny_space
from nas_fusion.training import CTRModule, OneShotRun, TrainConfig, oneshot_evaluator

CONFIG = TrainConfig(batch_size=512, max_epochs=2, device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(Path(tmp_path_factory.mktemp("nas-fusion")))


def search(strategy: Any, data: SearchData, *callbacks: pl.Callback) -> OneShotRun:
    run = oneshot_evaluator(data, CONFIG, keep_best=False, callbacks=callbacks)
    strategy(RawFormatModelSpace(tiny_space(data), run.evaluator), SequentialExecutionEngine())
    return run


def wrapped(strategy: Any) -> Any:
    """The strategy's Lightning module around a supernet, without training."""
    space = FusionSpace(field_sizes=[3, 4, 5], levels=2, emb_dim=2)
    module = CTRModule(TrainConfig(device="cpu"))
    module.set_model(strategy.mutate_model(space))
    return strategy.configure_oneshot_module(module)


def in_module_order(module: Any) -> list[int]:
    nodes = [m for m in module.modules() if isinstance(m, SupernetNode)]
    return [id(p) for node in nodes for p in node.arch_parameters()]


# Order of the architecture parameters ------------------------------------------------------------------------------


def test_nni_alone_shuffles_the_architecture_parameters() -> None:
    """If this fails, `MendedModule.arch_parameters` is not needed any more."""
    modules = [wrapped(DARTS()) for _ in range(5)]
    assert any([id(p) for p in m.arch_parameters()] != in_module_order(m) for m in modules)


@pytest.mark.parametrize("strategy", [FusionDARTS(0.1), FusionGumbelDARTS(0.1), OptFusion()])
def test_architecture_parameters_stand_in_the_order_of_the_modules(strategy: Any) -> None:
    module = wrapped(strategy)
    expected = in_module_order(module)
    assert len(expected) == len(set(expected)) > 10
    assert [id(p) for p in module.arch_parameters()] == expected


def test_an_architecture_optimisers_state_fits_another_run() -> None:
    """The reason for the order: Adam's state is saved by position."""

    def moments(module: nn.Module) -> list[tuple[int, ...]]:
        optimizer = torch.optim.Adam(module.arch_parameters())  # type: ignore[operator]
        for parameter in module.arch_parameters():  # type: ignore[operator]
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        return [tuple(s["exp_avg"].shape) for s in optimizer.state_dict()["state"].values()]

    first, second = wrapped(FusionDARTS(0.1)), wrapped(FusionDARTS(0.1))
    assert moments(first) == moments(second)
    assert len(set(moments(first))) == 2  # connections and operations differ in size, so a wrong order would show


# Who trains the architecture ---------------------------------------------------------------------------------------


def optimised(optimizer: torch.optim.Optimizer) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def test_nni_alone_trains_the_architecture_with_the_weights_too() -> None:
    """If this fails, OptFusion needs no `MendedModule.postprocess_weight_optimizers` any more."""
    module = wrapped(OptFusion())
    optimizer = module.training_module.configure_optimizers()
    unchanged = BaseOneShotLightningModule.postprocess_weight_optimizers(module, optimizer)
    assert optimised(unchanged) >= set(in_module_order(module))


@pytest.mark.parametrize("strategy", [FusionDARTS(0.1), FusionGumbelDARTS(0.1), OptFusion()])
def test_every_parameter_has_one_optimiser(strategy: Any) -> None:
    module = wrapped(strategy)
    weights, architecture = module.configure_optimizers()
    assert architecture.is_arch_optimizer
    assert optimised(architecture) == set(in_module_order(module))
    everything = {id(p) for p in module.parameters() if p.requires_grad}
    assert optimised(weights) == everything - optimised(architecture)


# Validation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [DARTS(), GumbelDARTS()])
def test_nni_alone_never_validates_darts(strategy: Any, data: SearchData) -> None:
    """If this fails, `MendedStrategy.val_dataloader` is not needed any more."""
    assert strategy.val_dataloader(lambda: "train", lambda: "valid") is None
    assert search(strategy, data).monitor.history == []


def test_nni_alone_does_not_forward_the_validation_step() -> None:
    """If this fails, `MendedModule.validation_step` is not needed any more."""
    assert wrapped(DARTS()).validation_step("batch", 0) is None


@pytest.mark.parametrize("strategy", [FusionDARTS(0.1), FusionGumbelDARTS(0.1), OptFusion(), FusionRandomOneShot(2, 0)])
def test_every_epoch_is_validated_on_the_validation_rows(strategy: Any, data: SearchData) -> None:
    class Rows(pl.Callback):
        seen = 0

        def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
            Rows.seen += len(args[2][1])

    history = search(strategy, data, Rows()).monitor.history
    assert [record.epoch for record in history] == [1, 2]
    assert Rows.seen == 2 * len(data.valid)


class Told(CTRModule):
    def __init__(self) -> None:
        super().__init__(TrainConfig(device="cpu"))
        self.told: list[str] = []

    def on_validation_epoch_start(self) -> None:
        self.told.append("start")

    def on_validation_epoch_end(self) -> None:
        self.told.append("end")


def test_validation_hooks_reach_the_evaluators_module_only_through_ours() -> None:
    """If the first half fails, `MendedModule` need not forward these hooks any more."""
    inner = Told()
    stock = DartsLightningModule(inner)
    stock.on_validation_epoch_start()
    stock.on_validation_epoch_end()
    assert inner.told == []
    ours = FusionDARTS(0.1).configure_oneshot_module(inner)
    ours.on_validation_epoch_start()
    ours.on_validation_epoch_end()
    assert inner.told == ["start", "end"]


# Logging -----------------------------------------------------------------------------------------------------------


def test_probabilities_are_logged_by_nni_alone_and_not_by_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the first half fails, `MendedModule.log_probs` is not needed any more."""
    logged: list[Any] = []
    monkeypatch.setattr(pl.LightningModule, "log_dict", lambda self, values: logged.append(values))
    stock = wrapped(DARTS())
    stock.log_probs(stock.export_probs())
    assert len(logged) == 1
    ours = wrapped(FusionDARTS(0.1))
    ours.log_probs(ours.export_probs())
    assert len(logged) == 1
