"""`several_devices`: trainings on several devices, by one process for each.

The first process runs the command, or the notebook; it decides, reads and writes as if it were alone. The others wait
for trainings, take their share of each, and know nothing else. So nothing outside of a training has to be done in step
by many processes. It starts them on its own machine; under torchrun and Slurm all run the same command, and all but the
first wait for trainings as soon as they come here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments import ClusterEnvironment, SLURMEnvironment, TorchElasticEnvironment
from torch._C._distributed_c10d import TCPStore

from nas_fusion.bounds import DEVICES, NODES
from nas_fusion.errors import LostRankError, OptionError
from nas_fusion.settings import DeviceSettings
from nas_fusion.system.cores import THREADS, is_said_by_user, usable_cores
from nas_fusion.system.interrupts import PARENT
from nas_fusion.training.ranks.ddp_fabric import RanksPlace
from nas_fusion.training.ranks.life_signs import LifeSigns
from nas_fusion.training.ranks.rank_team import ALONE, Abandoned, RankedTeam, Team, being_in, current_team

START_SECONDS = 300.0
"""A process that has not come to the meeting place by then does not come."""

END_SECONDS = 15.0

POLL_SECONDS = 0.05

LOCAL = "127.0.0.1"
LOOPBACKS, GLOO_INTERFACE = ("lo", "lo0"), "GLOO_SOCKET_IFNAME"


@contextmanager
def several_devices(devices: int = DeviceSettings.devices, nodes: int = DeviceSettings.nodes) -> Iterator[Team]:
    """Train on several devices inside the block.

    Under torchrun, and under Slurm if several devices are asked for, processes that are not the first one stay here and
    leave by `SystemExit` when the first one leaves the block.

    Args:
        devices: of each machine; 1: this process alone, or what torchrun says.
        nodes: machines; more than one only under torchrun or Slurm.

    Raises:
        OptionError: not what torchrun or Slurm has started, or more machines than one without them.
        LostRankError: a process did not start, or is gone.
    """
    DEVICES.check("devices", devices)
    NODES.check("nodes", nodes)
    around = current_team()
    if around is not ALONE:
        if devices * nodes not in (1, around.count):
            raise OptionError("devices", f"left out, or {around.count} with nodes, as outside", devices)
        yield around
        return
    environment = given_processes(devices, nodes)
    if environment is None and devices == 1:
        yield around
        return
    with _started(devices) if environment is None else _joined(environment, nodes) as team:
        if team.rank:
            serve(team)
            raise SystemExit(0)
        with being_in(team):
            yield team


def given_processes(devices: int, nodes: int) -> ClusterEnvironment | None:
    """Who has started the processes, if somebody has.

    Raises:
        OptionError: other numbers of them than asked for, or nobody, where several machines are asked for.
    """
    asked = devices * nodes
    if TorchElasticEnvironment.detect() and int(os.environ["WORLD_SIZE"]) > 1:
        environment: ClusterEnvironment = TorchElasticEnvironment()
        if asked not in (1, environment.world_size()):
            raise OptionError(
                "devices", f"left out, or {environment.world_size()} with --nodes, as torchrun says", asked
            )
        return environment
    if asked > 1 and int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        environment = SLURMEnvironment(auto_requeue=False)
        if asked != environment.world_size():
            expected = f"with --nodes {environment.world_size()}, as srun has started so many tasks"
            raise OptionError("devices", expected, asked)
        return environment
    if nodes > 1:
        raise OptionError(
            "nodes", "1, or how many machines torchrun (--nnodes) or srun (--nodes) starts this command on", nodes
        )
    return None


def _processes_here(environment: ClusterEnvironment, nodes: int) -> int:
    """How many processes a machine has."""
    if isinstance(environment, TorchElasticEnvironment):
        return int(os.environ["LOCAL_WORLD_SIZE"])
    return environment.world_size() // nodes


class Helpers:
    """The processes that this one has started, by their ranks."""

    def __init__(self, processes: Mapping[int, subprocess.Popen[bytes]]) -> None:
        self._processes = processes

    def how_ended(self, rank: int) -> str | None:
        """How one has ended, in words; None if it has not, or is none of these."""
        code = self._processes[rank].poll() if rank in self._processes else None
        if code is None:
            return None
        return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

    def check(self) -> None:
        """Look whether all live.

        Raises:
            LostRankError: one does not.
        """
        for rank in self._processes:
            words = self.how_ended(rank)
            if words is not None:
                raise LostRankError(f"rank {rank} (process {self._processes[rank].pid}) did not start: {words}")

    def end(self) -> None:
        """Wait until they have ended; what has not is ended."""
        for process in self._processes.values():
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask_to_end(self) -> None:
        """Let them end."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()


def loopback_store() -> TCPStore:
    """The store by which processes of this machine find each other; torch's own would listen on every interface."""
    with socket.socket() as listener:
        # The system gives the port, and nobody else can take it in between.
        listener.bind((LOCAL, 0))
        listener.listen()
        port = listener.getsockname()[1]
        return TCPStore(LOCAL, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach())


def _gloo_on_loopback() -> dict[str, str]:
    """Where gloo listens, unless somebody has said it: else it takes the interface that the machine's name leads to."""
    names = [name for _, name in socket.if_nameindex() if name in LOOPBACKS]
    return {GLOO_INTERFACE: names[0]} if names and GLOO_INTERFACE not in os.environ else {}


@contextmanager
def _started(devices: int) -> Iterator[RankedTeam]:
    """This process and others on this machine, told by environment variables as torchrun tells them.

    They load their libraries while this one reads its log; it waits for them before the first training.
    """
    before, threads = dict(os.environ), torch.get_num_threads()
    each = threads if is_said_by_user() else max(1, usable_cores() // devices)
    store = loopback_store()
    common = {
        "MASTER_ADDR": LOCAL, "MASTER_PORT": str(store.port), "WORLD_SIZE": str(devices), "GROUP_RANK": "0",
        "LOCAL_WORLD_SIZE": str(devices), "TORCHELASTIC_USE_AGENT_STORE": "True", **_gloo_on_loopback(),
    }  # fmt: skip
    processes: dict[int, subprocess.Popen[bytes]] = {}
    helpers = Helpers(processes)
    try:
        for rank in range(1, devices):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank), THREADS: str(each), PARENT: str(os.getpid())}
            processes[rank] = _start({**common, **own})
        os.environ.update(common, RANK="0", LOCAL_RANK="0")
        torch.set_num_threads(each)
        place = RanksPlace.of(TorchElasticEnvironment(), devices, 1)

        def connect() -> LifeSigns:
            _wait_for_all(store, helpers, devices)
            return _connect(place, 0, devices, helpers)

        team = RankedTeam(place, 0, devices, connect)
        with _leaving(team):
            yield team
        if not team.is_connected:
            helpers.ask_to_end()
    except BaseException:
        helpers.ask_to_end()
        raise
    finally:
        helpers.end()
        torch.set_num_threads(threads)
        for name in (*common, "RANK", "LOCAL_RANK"):
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]
        del store


def _start(variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    quiet = {"TORCH_CPP_LOG_LEVEL": "ERROR"}  # a connection that ends is told of by the first process
    found = [str(Path(__file__).parents[3]), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "nas_fusion.training.ranks.rank_process"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**quiet, **os.environ, **variables, "PYTHONPATH": os.pathsep.join(dict.fromkeys(found))},
        start_new_session=True,  # Ctrl-C in a terminal is for this process, which ends the others then
    )


def _wait_for_all(store: TCPStore, helpers: Helpers, devices: int) -> None:
    """Wait until every process has its libraries: an exchange with one that failed to start would wait for long."""
    deadline = time.monotonic() + START_SECONDS
    while not store.check([here(rank) for rank in range(1, devices)]):
        helpers.check()
        if time.monotonic() > deadline:
            raise LostRankError(f"the processes of {devices} devices did not start within {START_SECONDS:.0f} seconds")
        time.sleep(POLL_SECONDS)


def here(rank: int) -> str:
    """The store's key by which a process says that it has started."""
    return f"here/{rank}"


def say_here() -> None:
    """This process has its libraries."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, timeout=timedelta(seconds=START_SECONDS))
    store.set(here(int(os.environ["RANK"])), "")


def _connect(place: RanksPlace, rank: int, count: int, helpers: Helpers) -> LifeSigns:
    place.connect()
    return LifeSigns(rank, count, os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), helpers.how_ended)


@contextmanager
def _leaving(team: RankedTeam) -> Iterator[None]:
    """Behind the block the others end, and so does the connection to them."""
    try:
        yield
        if team.rank == 0 and team.is_connected and not team.is_broken:
            team.order(_end)
    finally:
        if team.is_connected:
            team.signs.close()
            if not team.is_broken or team.place.kind == "cpu":  # NCCL would wait for the dead
                dist.destroy_process_group()


@contextmanager
def _joined(environment: ClusterEnvironment, nodes: int) -> Iterator[RankedTeam]:
    """This process and others, which somebody has started; all come here at once, so that none waits for ever."""
    count, here = environment.world_size(), _processes_here(environment, nodes)
    place, rank = RanksPlace.of(environment, here, count // here), environment.global_rank()
    team = RankedTeam(place, rank, count, partial(_connect, place, rank, count, Helpers({})))
    team.connect()
    with _leaving(team):
        yield team


def joined_team() -> AbstractContextManager[RankedTeam]:
    """The team of a process that `several_devices` has started."""
    return _joined(TorchElasticEnvironment(), 1)


class _Ended(Exception):
    """Ends a process that waits for trainings."""


def _end() -> None:
    raise _Ended


def serve(team: RankedTeam) -> None:
    """Do what the first process wants, until it wants nothing more.

    Raises:
        LostRankError: a process is gone.
    """
    with being_in(team):
        while True:
            try:
                with team.guarding():
                    order = team.next_order()
                order()
            except Abandoned:
                continue
            except _Ended:
                return
