"""`Team`: the processes that train one model together, one a device; alone, unless several were started.

Every training step ends with a word of every process on whether to go on, so that one that has to stop (its time is up,
somebody watching raised an error) stops all of them behind the same step, and the next training finds all of them
ready. The first process decides whatever a clock or a file can tell; the others hear of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn

from nas_fusion.data import Share
from nas_fusion.errors import LostRankError
from nas_fusion.system.told import tell
from nas_fusion.training.optimizers import summed_rows
from nas_fusion.training.ranks.ddp_fabric import RanksPlace
from nas_fusion.training.ranks.life_signs import LifeSigns
from nas_fusion.training.ranks.order_packing import PackedOrder, pack

Said = TypeVar("Said")


class Abandoned(Exception):
    """Ends a training of this process since another one has ended it; that one says why."""


class _Word(IntEnum):
    """What a process says behind a step; the largest one counts."""

    GO_ON = 0
    STOP = 1
    FAILED = 2


class Team:
    """A process that trains alone, and what several do in the same places (`RankedTeam`).

    Attributes:
        rank: the number of this process, from 0. The first one runs the command, and it alone writes.
        count: how many there are.
    """

    rank = 0
    count = 1

    @property
    def here(self) -> int:
        """How many of them share this machine's memory."""
        return 1

    @property
    def share(self) -> Share:
        """Which part of every batch this process trains on."""
        return Share(self.rank, self.count)

    def order(self, order: Callable[[], object]) -> None:
        """Let the others do something; of the first process."""

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Around a training; what ends one process alone breaks the team.

        Raises:
            LostRankError: a process is gone, or it failed alone.
        """
        yield

    @contextmanager
    def trying(self) -> Iterator[None]:
        """What the block raises is raised by the next `settled`, when all know of it."""
        yield

    def settled(self, stops: bool) -> bool:
        """Whether anybody wants to stop.

        Raises:
            Abandoned: another process has failed.
        """
        return stops

    def first_says(self, compute: Callable[[], Said]) -> Said:
        """What the first process computes, which alone does so.

        Raises:
            Abandoned: it failed.
        """
        return compute()

    def joined(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Numbers of all processes' rows, in the order of the processes; of the others than the first their own."""
        return rows

    def summed(self, numbers: Tensor) -> Tensor:
        """The sum over all processes; no gradient passes."""
        return numbers

    def shared_module(self, module: nn.Module, strategy: Any, output: Callable[[], Tensor]) -> nn.Module:
        """A module as a Fabric strategy sets it up: its gradients are the sum over all processes behind `backward`.

        Args:
            module: on its device.
            strategy: Fabric's.
            output: the module's, for some rows; weights that it does not depend on get no gradient.
        """
        set_up: nn.Module = strategy.setup_module(module)
        return set_up

    def share_rows(self, tables: Sequence[Tensor]) -> None:
        """Add up the gradients of tables of which only some rows have one."""


ALONE = Team()


def tell_of_supernet() -> None:
    """Say that a supernet is trained by this process alone, where that is not what somebody may expect."""
    count = current_team().count
    if count > 1:
        tell(f"a supernet is trained on one of the {count} devices; candidates and re-trainings on all of them")


class RankedTeam(Team):
    """This process and others, connected by torch's process group.

    Args:
        place: where all of them are.
        rank, count: as of `Team`.
        connect: meets the others, and gives what tells who is alive; called once, before the first exchange.

    Attributes:
        sent: bytes of gradients that this process has put into exchanges.
    """

    def __init__(self, place: RanksPlace, rank: int, count: int, connect: Callable[[], LifeSigns]) -> None:
        self.place, self.rank, self.count, self._connect = place, rank, count, connect
        self._signs: LifeSigns | None = None
        self.sent = 0
        self._failed: BaseException | None = None
        self._known: BaseException | None = None
        self._broken: LostRankError | None = None

    @property
    def signs(self) -> LifeSigns:
        """Tell who is alive."""
        assert self._signs is not None
        return self._signs

    @property
    def is_connected(self) -> bool:
        """Whether it has met the others."""
        return self._signs is not None

    def connect(self) -> None:
        """Meet the others, if that was not done yet.

        Raises:
            LostRankError: one did not start.
        """
        if self._signs is None:
            self._signs = self._connect()

    @property
    def here(self) -> int:
        """See `Team.here`: GPUs have a memory each."""
        return self.place.devices if self.place.kind == "cpu" else 1

    @property
    def is_broken(self) -> bool:
        """Whether a process was lost, or has left the others in the middle of a training."""
        return self._broken is not None

    def order(self, order: Callable[[], object]) -> None:
        """Send something that all others then do; a model's tensors go one by one."""
        if self._broken is not None:
            raise self._broken
        self.connect()
        with self.guarding():
            packed, tensors = pack(order)
            dist.broadcast_object_list([packed], 0, device=_CPU)
            for tensor in tensors:
                dist.broadcast(tensor.detach().to(_CPU).contiguous(), 0)

    def next_order(self) -> Callable[[], object]:
        """Wait for the first process to want something; of the others."""
        received: list[Any] = [None]
        dist.broadcast_object_list(received, 0, device=_CPU)
        packed: PackedOrder = received[0]
        order, tensors = packed.unpack()
        for tensor in tensors:
            dist.broadcast(tensor.detach(), 0)
        made: Callable[[], object] = order
        return made

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """See `Team.guarding`."""
        try:
            yield
        except BaseException as error:
            if error is self._known or isinstance(error, LostRankError):
                raise
            if not isinstance(error, Exception):  # asked to end: the command does, and its processes with it
                self._broken = LostRankError("the training was ended in the middle of a step")
                raise
            self._broken = self.signs.who_is_lost(error)
            raise self._broken from error
        finally:
            self._failed = self._known = None

    @contextmanager
    def trying(self) -> Iterator[None]:
        """See `Team.trying`."""
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - `settled` raises it
            self._failed = self._failed or error

    def settled(self, stops: bool) -> bool:
        """See `Team.settled`."""
        word = _Word.FAILED if self._failed is not None else _Word.STOP if stops else _Word.GO_ON
        said = torch.tensor([word], dtype=torch.uint8)
        dist.all_reduce(said, op=dist.ReduceOp.MAX)
        if said.item() == _Word.FAILED:
            self._leave()
        return bool(said.item() == _Word.STOP)

    def _leave(self) -> None:
        self._known = self._failed or Abandoned("another process has ended the training")
        raise self._known

    def first_says(self, compute: Callable[[], Said]) -> Said:
        """See `Team.first_says`."""
        said: list[Any] = [None]
        if self.rank == 0:
            with self.trying():
                if self._failed is None:
                    said = [(compute(),)]
        dist.broadcast_object_list(said, 0, device=_CPU)
        if said[0] is None or self._failed is not None:
            self._leave()
        (found,) = said[0]
        heard: Said = found
        return heard

    def joined(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """See `Team.joined`."""
        parts: list[Any] | None = [None] * self.count if self.rank == 0 else None
        dist.gather_object(rows, parts)
        return rows if parts is None else np.concatenate(parts)

    def summed(self, numbers: Tensor) -> Tensor:
        """See `Team.summed`."""
        total = numbers.detach().clone()
        dist.all_reduce(total)
        return total

    def shared_module(self, module: nn.Module, strategy: Any, output: Callable[[], Tensor]) -> nn.Module:
        """See `Team.shared_module`: torch's DistributedDataParallel, but for tables with sparse gradients."""
        sparse = {id(p.weight) for p in module.modules() if isinstance(p, nn.Embedding) and p.sparse}
        dense = _reached(output()) - sparse
        if not dense:
            return module
        # A design may have weights that nothing depends on. Found once, they cost no look at every step.
        others = {name for name, weight in module.named_parameters() if id(weight) not in dense}
        parallel = nn.parallel.DistributedDataParallel
        # Buffers are the same everywhere, and need not be sent before every step.
        buffers = {name for name, _ in module.named_buffers()}
        parallel._set_params_and_buffers_to_ignore_for_model(module, others | buffers)
        wrapped: nn.Module = strategy.setup_module(module)
        # torch looks at what a hook's parameters are called and annotated with.
        hook = lambda team, bucket: _sum_of_bucket(team, bucket)  # noqa: E731, PLW0108
        wrapped.register_comm_hook(self, hook)  # type: ignore[operator]
        return wrapped

    def share_rows(self, tables: Sequence[Tensor]) -> None:
        """See `Team.share_rows`: the numbers of the rows and their gradients go round, and not the tables."""
        for table in tables:
            if table.grad is not None and table.grad.is_sparse:
                table.grad = self._all_rows(table, table.grad)

    def _all_rows(self, table: Tensor, gradient: Tensor) -> Tensor:
        # Summed before they are sent: a batch has a frequent row many times.
        found, values = summed_rows(gradient)
        rows = found.to(_small_integer(len(table)))
        counts = self._counts(len(rows))
        longest = max(counts)
        all_rows = self._gathered(_padded(rows, longest), counts)
        all_values = self._gathered(_padded(values, longest), counts)
        return torch.sparse_coo_tensor(all_rows[None].long(), all_values, table.shape, check_invariants=False)

    def _counts(self, rows: int) -> list[int]:
        mine = torch.tensor([rows])
        every = [torch.empty_like(mine) for _ in range(self.count)]
        dist.all_gather(every, mine)
        return [int(one) for one in every]

    def _gathered(self, padded: Tensor, counts: Sequence[int]) -> Tensor:
        self.sent += padded.nbytes
        every = [torch.empty_like(padded) for _ in range(self.count)]
        dist.all_gather(every, padded)
        return torch.cat([part[:count] for part, count in zip(every, counts, strict=True)])


def _reached(output: Tensor) -> set[int]:
    """Identities of the weights that an output depends on."""
    found: set[int] = set()
    seen: set[Any] = set()
    to_see: list[Any] = [output.grad_fn]
    while to_see:
        function = to_see.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        if hasattr(function, "variable"):
            found.add(id(function.variable))
        to_see.extend(earlier for earlier, _ in function.next_functions)
    return found


_CPU = torch.device("cpu")


def _small_integer(rows: int) -> torch.dtype:
    """The smaller of the types that can count so many rows."""
    return torch.int32 if rows <= torch.iinfo(torch.int32).max else torch.int64


def _padded(rows: Tensor, count: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(count - len(rows), *rows.shape[1:])])


def _sum_of_bucket(team: RankedTeam, bucket: Any) -> torch.futures.Future[Tensor]:
    """Add up a bucket of gradients: losses are shares of the whole batch's mean, so there is nothing to divide by."""
    gradient = bucket.buffer()
    team.sent += gradient.nbytes
    work = dist.all_reduce(gradient, async_op=True)
    return work.get_future().then(lambda done: done.value()[0])


def seed_of_rank(seed: int, rank: int) -> int:
    """The seed of what a process draws (dropout); the first one's is that of a process alone."""
    return seed if rank == 0 else int(np.random.SeedSequence([seed, rank, _RANKS]).generate_state(1)[0])


_RANKS = 0x72616E6B
"""Keeps these seeds apart from those of an ensemble's members."""


_teams: list[Team] = []


def current_team() -> Team:
    """The team that trainings of this process belong to."""
    return _teams[-1] if _teams else ALONE


@contextmanager
def being_in(team: Team) -> Iterator[Team]:
    """Trainings inside the block are the team's."""
    _teams.append(team)
    try:
        yield team
    finally:
        _teams.pop()
