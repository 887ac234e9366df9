"""Where a training computes, and in what precision: Lightning Fabric, as a configuration wants it."""

from __future__ import annotations

import logging
from functools import cache

import torch
from lightning_fabric import Fabric

from nas_fusion.bounds import PRECISIONS
from nas_fusion.errors import OptionError
from nas_fusion.settings import TrainConfig
from nas_fusion.training.ranks import ALONE, RankedTeam, Team
from nas_fusion.training.ranks.ddp_fabric import ranks_fabric

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


def fabric_for(config: TrainConfig, team: Team = ALONE) -> Fabric:
    """Fabric on the configuration's device and in its precision; in a team on this process's device of that kind.

    Raises:
        OptionError: there is no such device, or there are not as many as the team has processes here.
    """
    if not isinstance(team, RankedTeam):
        return _fabric(torch_device(config), config.precision)
    if ":" in config.device:
        raise OptionError("device", "auto, cpu or cuda with several devices", config.device)
    kind = torch_device(config).type
    if kind == "cuda" and team.place.kind == "cpu":
        found = torch.cuda.device_count()
        raise OptionError(
            "devices", f"at most {found}, the CUDA devices here, or with --device cpu", team.place.devices
        )
    return ranks_fabric(team.place, kind, PRECISIONS[config.precision])


@cache
def _fabric(device: torch.device, precision: str) -> Fabric:
    # Made once: each time it looks for callbacks among all installed packages, 10 ms.
    on_gpu = device.type == "cuda"
    return Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=[device.index or 0] if on_gpu else 1,
        precision=PRECISIONS[precision],
    )
