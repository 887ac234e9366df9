"""Lightning Fabric for several processes: its DDP strategy, by gloo between CPUs and NCCL between GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import ClusterEnvironment
from lightning_fabric.strategies import DDPStrategy

PATIENCE = timedelta(days=365)
"""How long a process waits for the others, who wait for the first one's next training. The dead are noticed."""


@dataclass(frozen=True)
class RanksPlace:
    """Where the processes of a team are.

    Args:
        environment: Fabric's words for who started them: torchrun's, or Slurm's.
        devices: processes of each machine.
        nodes: machines.
        kind: ``cuda``, or ``cpu`` where a machine has fewer GPUs than processes.
    """

    environment: ClusterEnvironment
    devices: int
    nodes: int
    kind: str

    @classmethod
    def of(cls, environment: ClusterEnvironment, devices: int, nodes: int) -> RanksPlace:
        """As many processes on each of so many machines."""
        kind = "cuda" if torch.cuda.is_available() and torch.cuda.device_count() >= devices else "cpu"
        return cls(environment, devices, nodes, kind)

    def connect(self) -> None:
        """Make torch's process group, once."""
        ranks_fabric(self, self.kind, "32-true")


@cache
def ranks_fabric(place: RanksPlace, kind: str, precision: str) -> Fabric:
    """Fabric of this process, on its own device.

    Args:
        place: of all processes.
        kind: ``cuda`` or ``cpu``.
        precision: as Fabric calls it.
    """
    strategy = DDPStrategy(
        cluster_environment=place.environment,
        process_group_backend="cpu:gloo,cuda:nccl" if place.kind == "cuda" else "gloo",
        timeout=PATIENCE,
    )
    fabric = Fabric(
        accelerator=kind, devices=place.devices, num_nodes=place.nodes, strategy=strategy, precision=precision
    )
    fabric.launch()
    return fabric
