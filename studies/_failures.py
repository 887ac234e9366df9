"""What becomes of an error that a cell or a tuning trial ended with."""

from __future__ import annotations

import gc
import traceback

import torch

from nas_fusion.errors import StrategyError, WriteError, is_of_the_machine, words_of
from nas_fusion.files import write_text
from nas_fusion.studies._folder import StudyFolder

LONGEST_TRACEBACK = 20_000
"""Some databases cut longer texts."""


def stops_the_run(error: BaseException) -> bool:
    """Whether an error is not the cell's own, so that the next cell would meet it, too.

    An interrupt, a request to end, and what is the machine's fault; everything else fails the cell alone, whatever a
    plugin raises.
    """
    return not isinstance(error, Exception) or is_of_the_machine(error)


def failure_reason(error: BaseException) -> str:
    """Why a cell failed, in one line that does not say again which strategy it was."""
    return error.reason if isinstance(error, StrategyError) else words_of(error)


def traceback_of(error: BaseException) -> str:
    """Where an error came from, for the log: the last part of it."""
    return "".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:]


def write_failure_log(study: StudyFolder, name: str, text: str) -> str:
    """Keep where a failure came from; gives the log's place in the study folder.

    Args:
        study: the folder.
        name: of the log: which cell, or which tuning trial.
        text: see `traceback_of`.

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
