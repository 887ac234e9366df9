"""How many cores a process may use: what it is bound to, and what its control groups are given."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from nas_fusion.errors import OptionError
from nas_fusion.system import cores
from nas_fusion.system.cores import is_said_by_user, take_threads, usable_cores, wait_without_spinning


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 16 cores without control groups; returns where they would be mounted."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    monkeypatch.setattr(cores, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "_MOUNT", tmp_path / "mount")
    return tmp_path / "mount"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_all_that_the_process_is_bound_to(groups: Path) -> None:
    assert usable_cores() == 16


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [
        ("max 100000", "max 100000", 16),
        ("200000 100000", "max 100000", 2),
        ("max 100000", "350000 100000", 3),
        ("800000 100000", "400000 100000", 4),
        ("50000 100000", "max 100000", 1),
        ("6400000 100000", "max 100000", 16),
    ],
)
def test_groups_of_the_second_version(groups: Path, own: str, above: str, expected: int) -> None:
    write(groups.parent / "cgroup", "0::/pod/container\n")
    write(groups / "pod/container/cpu.max", f"{own}\n")
    write(groups / "pod/cpu.max", f"{above}\n")
    assert usable_cores() == expected


def test_a_container_that_sees_its_own_group_as_the_root(groups: Path) -> None:
    write(groups.parent / "cgroup", "0::/\n")
    write(groups / "cpu.max", "150000 50000\n")
    assert usable_cores() == 3


@pytest.mark.parametrize(("quota", "expected"), [("-1", 16), ("250000", 2)])
def test_groups_of_the_first_version(groups: Path, quota: str, expected: int) -> None:
    write(groups.parent / "cgroup", "4:memory:/jobs\n3:cpu,cpuacct:/jobs\n0::/\n")
    write(groups / "cpu/jobs/cpu.cfs_quota_us", f"{quota}\n")
    write(groups / "cpu/jobs/cpu.cfs_period_us", "100000\n")
    assert usable_cores() == expected


def test_what_the_user_asks_for_is_taken(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    take_threads("auto", 2)
    assert not is_said_by_user()
    take_threads("8", 2)
    assert (os.environ["OMP_NUM_THREADS"], asked, is_said_by_user()) == ("8", [8], True)
    monkeypatch.delitem(sys.modules, "torch")
    take_threads("3")
    assert (os.environ["OMP_NUM_THREADS"], asked) == ("3", [8])


@pytest.mark.parametrize(
    ("asked", "processes", "message"),
    [
        ("17", 1, "threads must be auto, or at most 16 on 16 cores, got '17'"),
        ("6", 3, "threads must be auto, or at most 5 on 16 cores and 3 processes, got '6'"),
        ("2", 0, "threads must be auto, or at most 1 on 16 cores and 16 processes, got '2'"),
        ("2", 20, "threads must be auto, or at most 1 on 16 cores and 20 processes, got '2'"),
    ],
)
def test_never_more_than_there_are_cores(
    groups: Path, monkeypatch: pytest.MonkeyPatch, asked: str, processes: int, message: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.raises(OptionError, match=message):
        take_threads(asked, processes)
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_waiting_is_passive_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_without_spinning()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    wait_without_spinning()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
