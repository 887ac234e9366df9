"""Lightning's trainer, as quiet and as lean as it goes: NNI's one-shot strategies need it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch

from nas_fusion.bounds import PRECISIONS
from nas_fusion.nni_bridge import nni
from nas_fusion.settings import TrainConfig
from nas_fusion.training.batch_norm import spare_single_rows
from nas_fusion.training.devices import torch_device
from nas_fusion.training.oneshot.lean_lightning import LeanEpochLoop, LeanStrategy

# "GPU available: …", "max_epochs reached" and the like say nothing that the progress bar does not.
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class _Interrupted(BaseException):
    """Carries a Ctrl-C through Lightning, which would end the process at one and leave further ones ignored."""


@nni.trace
class QuietTrainer(pl.Trainer):
    """Lightning's trainer, traced as NNI wants it, without warnings that are none of ours; it leaves signals alone.

    Its loop of an epoch is `LeanEpochLoop`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        steps = self.fit_loop.epoch_loop
        self.fit_loop.epoch_loop = LeanEpochLoop(self, steps.min_steps, steps.max_steps)

    def fit(self, model: pl.LightningModule, train_dataloaders: Any = None, *args: Any, **kwargs: Any) -> None:
        """Train; batch norm never on a single row (`spare_single_rows`, whose errors this raises).

        Raises:
            KeyboardInterrupt: Ctrl-C, as everywhere.
        """
        spare_single_rows(model, train_dataloaders)
        # Lightning would take SIGTERM: a command ends with exit code 0 then, or in the middle of a training.
        self._signal_connector.register_signal_handlers = lambda: None
        with warnings.catch_warnings():
            # Lightning 2.6 with torch 2.13.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            try:
                super().fit(model, train_dataloaders, *args, **kwargs)
            except _Interrupted:
                raise KeyboardInterrupt from None

    def _fit_impl(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._fit_impl(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            raise _Interrupted from interrupt


def make_trainer(config: TrainConfig, callbacks: Sequence[pl.Callback], *, max_epochs: int) -> Any:
    """A trainer without logger, checkpoints, summary, sanity check or bar of its own.

    Args:
        config: device and precision; the module clips.
        callbacks: all of them.
        max_epochs: at most.

    Raises:
        OptionError: there is no such device.
    """
    device = torch_device(config)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="GPU available but not used")  # as the configuration wants it
        return _make_trainer(config, device, callbacks, max_epochs)


def _make_trainer(config: TrainConfig, device: torch.device, callbacks: Sequence[pl.Callback], max_epochs: int) -> Any:
    return QuietTrainer(
        strategy=LeanStrategy(device),
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=[device.index or 0] if device.type == "cuda" else 1,
        precision=PRECISIONS[config.precision],
        min_epochs=0,  # else Lightning finishes an epoch before it stops
        max_epochs=max_epochs,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
