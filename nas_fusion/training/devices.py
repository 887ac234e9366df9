"""Where a training computes, and in what precision: Lightning Fabric, as a configuration wants it."""

from __future__ import annotations

import logging
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import DoublePrecision, MixedPrecision, Precision

from nas_fusion.bounds import PRECISIONS
from nas_fusion.errors import OptionError
from nas_fusion.settings import TrainConfig

# What Fabric found on the machine and chose there says nothing that a configuration does not.
logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
logging.getLogger("lightning.fabric").setLevel(logging.ERROR)


def torch_device(config: TrainConfig) -> torch.device:
    """The device that a configuration means.

    Raises:
        OptionError: there is no such device.
    """
    if config.device == "cpu" or (config.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise OptionError("device", "cpu on a machine without CUDA", config.device)
    device = torch.device("cuda:0" if config.device in ("auto", "cuda") else config.device)
    if (device.index or 0) >= torch.cuda.device_count():
        raise OptionError("device", f"one of {torch.cuda.device_count()} CUDA devices", config.device)
    return device


def fabric_for(config: TrainConfig) -> Fabric:
    """Fabric on the configuration's device and in its precision.

    Raises:
        OptionError: there is no such device.
    """
    device = torch_device(config)
    on_gpu = device.type == "cuda"
    return Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=[device.index or 0] if on_gpu else 1,
        plugins=_precision(config.precision, device.type),
    )


def _precision(name: str, device: str) -> Precision:
    if name == "bf16":
        return _Autocast(PRECISIONS[name], device)
    return _Double() if name == "64" else Precision()


class _Autocast(MixedPrecision):
    """Fabric's own would round the numbers of a log to bfloat16 before a model sees them."""

    def convert_input(self, data: Any) -> Any:
        """As it is."""
        return data


class _Double(DoublePrecision):
    """Fabric's own would round losses and logits to float32."""

    def convert_output(self, data: Any) -> Any:
        """As it is."""
        return data
