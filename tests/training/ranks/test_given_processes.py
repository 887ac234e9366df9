"""Who has started the processes: nobody, torchrun or Slurm; what was asked for has to agree."""

from __future__ import annotations

import pytest
from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

from nas_fusion.errors import OptionError
from nas_fusion.training.ranks import ALONE, current_team, several_devices
from nas_fusion.training.ranks.rank_processes import given_processes


def test_one_device_is_this_process_alone() -> None:
    with several_devices() as team:
        assert team is ALONE is current_team()


@pytest.mark.parametrize(
    ("devices", "nodes", "words"),
    [(0, 1, "devices must be .*1"), (1, 0, "nodes must be .*1"), (2, 2, "nodes must be 1, or how many .*torchrun")],
)
def test_what_cannot_be_is_refused(devices: int, nodes: int, words: str) -> None:
    with pytest.raises(OptionError, match=words), several_devices(devices, nodes):
        pass


def test_torchrun_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert isinstance(given_processes(1, 1), TorchElasticEnvironment)
    assert isinstance(given_processes(2, 2), TorchElasticEnvironment)
    with pytest.raises(OptionError, match=r"devices must be left out, or 4 with --nodes.*got 3"):
        given_processes(3, 1)


def test_tasks_of_slurm_are_devices_only_if_several_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    assert given_processes(1, 1) is None  # four workers that have nothing to do with each other
    assert isinstance(given_processes(2, 2), SLURMEnvironment)
    with pytest.raises(OptionError, match=r"devices must be .*4.*got 2"):
        given_processes(2, 1)
