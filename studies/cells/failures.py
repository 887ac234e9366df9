"""What becomes of an error that a cell or a tuning trial ended with."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from nas_fusion.errors import StrategyError, StudyError, WriteError, is_of_the_machine, words_of
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.files import write_text

LONGEST_TRACEBACK = 20_000
"""Some databases cut longer texts."""


def stops_the_run(error: BaseException) -> bool:
    """Whether an error is not the cell's own, so that the next cell would meet it, too.

    An interrupt, a request to end, and what is the machine's fault; everything else fails the cell alone, whatever a
    plugin raises.
    """
    return not isinstance(error, Exception) or is_of_the_machine(error)


@dataclass(frozen=True)
class Failure:
    """Why a cell or a tuning trial has no result.

    Args:
        reason: in one line, which does not say again which strategy it was.
        traceback: the last part of where its error came from; empty if it did not raise one.
        lost_device: whether a GPU cannot be used any more by this process. Out of memory is none of these errors: what
            is freed can be used again.
    """

    reason: str
    traceback: str = ""
    lost_device: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """What an error comes to; nothing of it is kept alive."""
        reason = error.reason if isinstance(error, StrategyError) else words_of(error)
        text = "".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:]
        return cls(reason, text, any(isinstance(e, torch.AcceleratorError) for e in _chain(error)))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def write_failure_log(study: StudyFolder, name: str, text: str) -> str:
    """Keep where a failure came from; gives the log's place in the study folder.

    Args:
        study: the folder.
        name: of the log: which cell, or which tuning trial.
        text: of a `Failure`.

    Raises:
        WriteError: it cannot be written.
    """
    path = study.failure(name)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise WriteError(path.parent, error.strerror or error) from error
    write_text(path, text)
    return path.relative_to(study.path).as_posix()


def give_memory_back() -> None:
    """Free what a failed cell has left behind, so that the next one has room."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def clear_up(study: StudyFolder, what: str, log: str, failure: Failure, tell: Callable[[], None]) -> str:
    """Keep where a failure came from, tell whoever waits for a result, and free the memory; gives it in words.

    Args:
        study: the folder.
        what: a cell or a tuning trial, for people.
        log: its name, for a file.
        failure: how it ended.
        tell: tells the storage.

    Raises:
        StudyError: this process cannot go on: its device is lost.
        WriteError: the log cannot be written.
    """
    words = f"failed: {failure.reason} ({write_failure_log(study, log, failure.traceback)})"
    tell()
    if failure.lost_device:
        raise StudyError(f"{what}: {words}; this process cannot use the device any more, the same command goes on")
    give_memory_back()
    return words
