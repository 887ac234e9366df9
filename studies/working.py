"""A worker: does cells and tuning trials of a study that another process coordinates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from optuna.storages import BaseStorage
from rich.console import Console

from nas_fusion.data import EncodedDataset
from nas_fusion.errors import StudyError
from nas_fusion.records import FailedCell
from nas_fusion.studies.queue.cell_loop import run_cells
from nas_fusion.studies.queue.tuning_loop import TuningListener, results_of, run_tunings
from nas_fusion.studies.queue.workplace import Workplace, cell_book, tunings
from nas_fusion.studies.recipe.sweeping import SweepListener, choose_recipe, recipe_sweep, settled
from nas_fusion.studies.setup.announcements import COMPARISON, Announced
from nas_fusion.studies.setup.assembly import assemble
from nas_fusion.studies.setup.jobs import Surroundings
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.threads.study_threads import sharing_cores


def work_on(
    study: Announced,
    storage: BaseStorage,
    dataset: EncodedDataset,
    folder: str | Path,
    *,
    console: Console | None = None,
    cell_listener: Callable[[str], None] | None = None,
    tuning_listener: TuningListener | None = None,
    sweep_listener: SweepListener | None = None,
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
        sweep_listener: told of every training of this worker that chooses the recipe.

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
    home = StudyFolder(folder)
    home.join(study.settings, dataset.fingerprint)
    with sharing_cores(study.threads):
        assembly = assemble(study.settings, dataset, home.latency)
        assembly.limits.remember_in(home.latency)
        place = Workplace(assembly, home, storage, study.name, Surroundings(console))
        if study.purpose == COMPARISON:
            sweep = recipe_sweep(place)
            place = settled(place, sweep, choose_recipe(place, sweep, sweep_listener))
        to_tune = tunings(place)
        run_tunings(place, to_tune, tuning_listener)
        if study.purpose != COMPARISON:
            return ()
        say, book = cell_listener or (lambda words: None), cell_book(place)
        run_cells(place, book, results_of(to_tune), lambda words: say(words) if words else None, remote=True)
        return tuple(FailedCell(cell.strategy, cell.seed, why.reason) for cell, why in book.failures().items())
