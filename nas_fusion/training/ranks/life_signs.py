"""Which process of a team is alive: every one counts up a number of its own, once a second, in torch's store."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import torch.distributed as dist
from torch._C._distributed_c10d import TCPStore

from nas_fusion.errors import LostRankError, words_of

BEAT_SECONDS = 0.5

SILENT_SECONDS = 3.0
"""A process that does not count up in this time is gone."""

CONNECT_SECONDS = 60.0

_GONE_WORDS = "nothing unfinished was kept; the same command goes on"


class LifeSigns:
    """Counts up this process's number, and reads the others'.

    Args:
        rank, count: of this process.
        host, port: where the store is.
        how: says how a process of this machine has ended, if this one has started it and it has.
    """

    def __init__(
        self, rank: int, count: int, host: str, port: int, how: Callable[[int], str | None] = lambda rank: None
    ) -> None:
        self.rank, self.count, self._how = rank, count, how
        self._host, self._port = host, port
        self._store = self._connected()
        self._store.set(f"who/{rank}", f"process {os.getpid()} on {socket.gethostname()}")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._count_up, name="nas-fusion rank", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Count no more."""
        self._ended.set()
        self._thread.join()

    def who(self, rank: int) -> str:
        """Which process it is, and where."""
        return self._told(f"who/{rank}") or "a process"

    def who_is_lost(self, error: BaseException) -> LostRankError:
        """Find out what a failed exchange, or another error, comes from; takes `SILENT_SECONDS`.

        Args:
            error: what this process met.
        """
        try:
            silent = self._silent()
        except dist.DistError:
            return LostRankError(f"rank 0 of {self.count} has ended, and this process with it; {_GONE_WORDS}")
        if not silent:
            self._store.set(f"failed/{self.rank}", words_of(error))
            return LostRankError(f"rank {self.rank} of {self.count} failed: {words_of(error)}; {_GONE_WORDS}")
        return LostRankError("; ".join([self._words(rank) for rank in silent] + [_GONE_WORDS]))

    def _words(self, rank: int) -> str:
        why = self._told(f"failed/{rank}") or self._how(rank) or "killed, or out of memory?"
        return f"rank {rank} of {self.count} ({self.who(rank)}) has ended: {why}"

    def _told(self, key: str) -> str | None:
        return self._store.get(key).decode() if self._store.check([key]) else None

    def _silent(self) -> list[int]:
        before = [self._told(f"beat/{rank}") for rank in range(self.count)]
        time.sleep(SILENT_SECONDS)
        after = [self._told(f"beat/{rank}") for rank in range(self.count)]
        return [rank for rank in range(self.count) if before[rank] == after[rank] and rank != self.rank]

    def _count_up(self) -> None:
        # A connection of its own: the other one may be in use.
        store, beats = self._connected(), 0
        while not self._ended.wait(BEAT_SECONDS):
            beats += 1
            try:
                store.set(f"beat/{self.rank}", str(beats))
            except dist.DistError:  # the store has ended: exchanges fail, and say so
                return

    def _connected(self) -> TCPStore:
        return TCPStore(self._host, self._port, timeout=timedelta(seconds=CONNECT_SECONDS))
