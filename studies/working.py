"""A worker: does cells and tuning trials of a study that another process coordinates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from optuna.storages import BaseStorage
from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import StudyError
from nas_fusion.records import FailedCell
from nas_fusion.studies.queue.work import TuningListener, Work
from nas_fusion.studies.setup.announcements import COMPARISON, Announced
from nas_fusion.studies.setup.study_folder import StudyFolder


def work_on(
    study: Announced,
    storage: BaseStorage,
    dataset: EncodedDataset,
    folder: str | Path,
    *,
    console: Console | None = None,
    cell_listener: Callable[[str], None] | None = None,
    tuning_listener: TuningListener | None = None,
) -> tuple[FailedCell, ...]:
    """Claim and do what waits, until nothing waits or runs any more.

    A cell that cannot be trained is told to the coordinator and to the listener; the worker goes on with the next.

    Args:
        study: what was announced.
        storage: where.
        dataset: the same data as the coordinator's, from wherever this machine has it.
        folder: for cells and their weights; may be the coordinator's, if this machine sees it.
        console: where progress bars appear; None for none.
        cell_listener: told of every cell of this worker that was done or could not be done, in words.
        tuning_listener: told of every tuning trial of this worker.

    Returns:
        The cells of the study that have failed, whoever tried them.

    Raises:
        StudyError: the data are not the coordinator's, or the folder belongs to something else.
    """
    if dataset.fingerprint != study.fingerprint:
        raise StudyError(
            f"the data differ from those of study {study.name!r}: fingerprint {dataset.fingerprint[:12]} here, "
            f"{study.fingerprint[:12]} there; is it the same file?"
        )
    place = StudyFolder(folder)
    place.join(study.settings, dataset.fingerprint)
    work = Work(study.settings, dataset, place, study.name, console=console, remote=True)
    work.connect(storage)
    tunings = work.tune(tuning_listener or (lambda strategy, done, total, words: None))
    if study.purpose != COMPARISON:
        return ()
    work.adopt(tunings)
    say, book = cell_listener or (lambda words: None), work.book()
    work.run_cells(book, lambda words: say(words) if words else None)
    return tuple(FailedCell(cell.strategy, cell.seed, why.reason) for cell, why in book.failures().items())
