"""The trainer of supernets leaves out what nobody uses: it does what Lightning's own does, for whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from nas_fusion.baselines import FusionDARTS, FusionGumbelDARTS, FusionRandomOneShot
from nas_fusion.data import BatchLoader, SearchData
from nas_fusion.nni_bridge import Lightning, RawFormatModelSpace, SequentialExecutionEngine, Trainer
from nas_fusion.optfusion import OptFusion
from nas_fusion.testing import tiny_data, tiny_space
from nas_fusion.training import (
    CTRModule,
    LightningWatching,
    SampleMeter,
    TrainConfig,
    ValidationMonitor,
    make_trainer,
)

CONFIG = TrainConfig(batch_size=256, max_epochs=2, patience=0, device="cpu")

STRATEGIES: dict[str, Callable[[], Any]] = {
    "optfusion": lambda: OptFusion(gradient_clip=0.5),
    "darts": lambda: FusionDARTS(0.1),
    "gumbel-darts": lambda: FusionGumbelDARTS(0.1),
    "random-oneshot": lambda: FusionRandomOneShot(1, 0),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(Path(tmp_path_factory.mktemp("nas-fusion")))


def lightnings_own(config: TrainConfig, callbacks: Sequence[pl.Callback]) -> Any:
    return Trainer(
        accelerator="cpu", min_epochs=0, max_epochs=config.max_epochs, callbacks=list(callbacks),
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0,
    )  # fmt: skip


def ours(config: TrainConfig, callbacks: Sequence[pl.Callback]) -> Any:
    return make_trainer(config, callbacks, max_epochs=config.max_epochs)


def search(
    strategy: Any, data: SearchData, trainer_of: Any, module: Any = None, *more: pl.Callback, samples: int | None = None
) -> tuple[Any, ValidationMonitor]:
    torch.manual_seed(0)
    meter = SampleMeter(samples)
    monitor = ValidationMonitor(CONFIG, meter, data.valid, keep_best=False)
    trainer = trainer_of(CONFIG, [LightningWatching([meter, monitor]), *more])
    loaders = BatchLoader(data.train, CONFIG.batch_size, shuffle=True), BatchLoader(data.valid, CONFIG.batch_size)
    evaluator = Lightning(module or CTRModule(CONFIG), trainer, *loaders)
    strategy(RawFormatModelSpace(tiny_space(data), evaluator), SequentialExecutionEngine())
    return strategy, monitor


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*gradient_clip.*")
@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("samples", [None, 3 * 256])
def test_a_supernet_ends_bit_for_bit_as_with_lightnings_own_loop(
    name: str, samples: int | None, data: SearchData
) -> None:
    (first, plain), (second, lean) = (
        search(STRATEGIES[name](), data, trainer, samples=samples) for trainer in (lightnings_own, ours)
    )
    assert lean.meter.samples == plain.meter.samples > 0
    assert len(lean.history) == (2 if samples is None else 1)
    for a, b in zip(plain.history, lean.history, strict=True):
        assert (a.epoch, a.samples, a.valid_auc, a.valid_logloss, a.train_loss) == (
            b.epoch, b.samples, b.valid_auc, b.valid_logloss, b.train_loss,
        )  # fmt: skip
    expected = first.supernet.state_dict()
    for key, value in second.supernet.state_dict().items():
        assert torch.equal(value, expected[key]), key


HOOKS = (
    "on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_before_backward", "on_after_backward",
    "on_before_optimizer_step", "on_train_batch_end", "on_validation_start", "on_validation_epoch_end",
    "on_validation_end", "on_train_epoch_end", "on_train_end",
)  # fmt: skip


def listening(base: type, hooks: Sequence[str]) -> Any:
    """An instance of a class under `base` that has these hooks and notes each call."""
    told: list[str] = []

    def noting(hook: str) -> Any:
        return lambda self, *args, **kwargs: told.append(hook)

    found = type("Listening", (base,), {hook: noting(hook) for hook in hooks})
    made = found(CONFIG) if base is CTRModule else found()
    return made, told


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
@pytest.mark.parametrize("hooks", [HOOKS, HOOKS[:3], ("on_train_batch_end",)])
def test_whoever_listens_is_called_as_by_lightnings_own_loop(hooks: Sequence[str], data: SearchData) -> None:
    heard = []
    for trainer in (lightnings_own, ours):
        (module, inner), (callback, outer) = listening(CTRModule, hooks), listening(pl.Callback, hooks)
        search(OptFusion(), data, trainer, module, callback)
        heard.append((inner, outer))
    assert heard[0] == heard[1]
    assert set(heard[1][1]) == set(hooks)


class Logging(CTRModule):
    """Logs its loss, and skips the rest of an epoch after so many steps."""

    def __init__(self, most: int = 10**9) -> None:
        super().__init__(CONFIG)
        self.most = most

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        return -1 if batch_idx >= self.most else None

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(batch.labels))
        return loss


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
@pytest.mark.parametrize("most", [10**9, 2])
def test_a_module_may_log_and_end_an_epoch(most: int, data: SearchData) -> None:
    found = []
    for trainer_of in (lightnings_own, ours):
        made: list[Any] = []
        _, monitor = search(
            OptFusion(), data, lambda *given, of=trainer_of, to=made: to.append(of(*given)) or to[0], Logging(most)
        )
        figures = {name: float(value) for name, value in made[0].callback_metrics.items()}
        found.append((figures, monitor.meter.samples, len(monitor.history)))
    assert found[0] == found[1]
    assert {"train_loss_step", "train_loss_epoch"} <= set(found[1][0])
    assert (found[1][1] == 2 * 2 * 256) == (most == 2)
