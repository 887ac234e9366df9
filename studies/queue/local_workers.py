"""Worker processes of this machine that help with one comparison as long as it runs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from nas_fusion.studies.storage.database_urls import apart
from nas_fusion.system.cores import THREADS, is_said_by_user, usable_cores
from nas_fusion.system.files import open_new
from nas_fusion.system.interrupts import PARENT

logger = logging.getLogger("nas_fusion")

LAST_SECONDS = 60.0
"""Workers end by themselves when nothing is left to do; one that does not is stopped after so long."""

STOP_SECONDS = 15.0

FAILED_CELLS = 3
"""The exit code of a worker that ended well, but some of the study's cells have failed."""


@contextmanager
def local_workers(count: int, storage: str, study: str, folder: Path) -> Iterator[None]:
    """Start workers that claim cells together with this process, which then has its share of the cores, too.

    Each has as many threads as cores divided by processes, unless ``OMP_NUM_THREADS`` says otherwise. What a worker
    prints is in ``worker-<number>.log`` in the study folder, which stays there until the next start if it
    failed. They end with the block,
    at once if it raises, and with this process if it is killed; a cell that one of them had then claimed waits again.

    Args:
        count: of workers; with none or fewer, nothing changes.
        storage: URL of Optuna's storage, where the study is announced.
        study: its name.
        folder: the study folder.
    """
    for log in folder.glob("worker-*.log"):
        log.unlink()  # of an earlier start; its workers ended with it
    if count < 1:
        yield
        return
    before = torch.get_num_threads()
    threads = before if is_said_by_user() else max(1, usable_cores() // (count + 1))
    workers: list[_Worker] = []
    try:
        torch.set_num_threads(threads)
        workers.extend(_Worker(number, threads, storage, study, folder) for number in range(1, count + 1))
        yield
        for worker in workers:
            worker.end_in(LAST_SECONDS)
    finally:
        for worker in workers:
            worker.ask_to_end()
        for worker in workers:
            worker.stop()
        torch.set_num_threads(before)


class _Worker:
    """One process, and the file that it prints to."""

    def __init__(self, number: int, threads: int, storage: str, study: str, folder: Path) -> None:
        self.log = folder / f"worker-{number}.log"
        url, password = apart(storage)
        asked = ["worker", "--storage", url, "--study", study, "--folder", str(folder)]
        with open_new(self.log) as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "nas_fusion", *asked],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **password, THREADS: str(threads), PARENT: str(os.getpid())},
                start_new_session=True,  # Ctrl-C in a terminal is for this process, which ends the workers then
            )

    def end_in(self, seconds: float) -> None:
        """Wait until it has ended, and say if it did not end well."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            logger.warning("a worker had nothing left to do and did not end; it is stopped (%s)", self.log)
            return
        if code not in (0, FAILED_CELLS):  # the coordinator tells of the cells itself
            logger.warning("a worker ended early, with exit code %d: %s says why", code, self.log)
        else:
            self.log.unlink(missing_ok=True)

    def ask_to_end(self) -> None:
        """Let it give back what it has claimed, if it runs."""
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self) -> None:
        """End it, if it was asked to end."""
        if self.process.poll() is not None:
            return
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.unlink(missing_ok=True)  # it says no more than that
