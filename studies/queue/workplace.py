"""A study that this process works on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from optuna.storages import BaseStorage

from nas_fusion.strategy import StrategyEntry
from nas_fusion.studies.cells.written_cells import WrittenCells
from nas_fusion.studies.queue.cell_book import Cell, CellBook
from nas_fusion.studies.queue.tuning_trials import Tuning
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.jobs import Surroundings
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.storage.leases import Watch
from nas_fusion.studies.storage.optuna_storage import open_storage
from nas_fusion.studies.threads.study_threads import deciding_threads
from nas_fusion.system.told import kept_in

POLL_SECONDS = 0.5
"""How long a process waits before it looks again for what others have done."""

MANY_EPOCHS = 1_000_000
"""More than a supernet is trained for in a budget of seconds; tuning counts the steps of a re-training after them."""


@dataclass(frozen=True)
class Workplace:
    """A study that this process works on, alone or with others.

    Args:
        assembly: settings and data set.
        folder: where cells are written; it is there.
        storage: where cells and tuning trials are claimed.
        name: of the study in the storage.
        surroundings: what the trainings of this process run in.
        watch: notices dead processes.
    """

    assembly: Assembly
    folder: StudyFolder
    storage: BaseStorage
    name: str
    surroundings: Surroundings = field(default_factory=Surroundings)
    watch: Watch = field(default_factory=Watch)

    @cached_property
    def written(self) -> WrittenCells:
        """The cells in the folder."""
        return WrittenCells(self.folder)

    def completed(self, assembly: Assembly) -> Workplace:
        """The same place with settings that are complete now; what was read, and warned of, of its cells stays."""
        place = replace(self, assembly=assembly)
        vars(place)["written"] = self.written  # as the property itself keeps it
        return place


@contextmanager
def coordinating(
    assembly: Assembly, folder: StudyFolder, storage: str | None, name: str | None = None
) -> Iterator[Workplace]:
    """Hold a study for this process, which coordinates it; its folder is there inside the block.

    The trainings inside the block take as many threads as `deciding_threads` says.

    Args:
        assembly: settings and data set.
        folder: of the study.
        storage: URL of Optuna's storage, which workers may share; in the folder if not given.
        name: of the study in the storage; the folder's if not given.

    Raises:
        StudyError: another process holds it, or the folder cannot be written.
        StorageError: the storage cannot be reached; the folder is as it was then.
    """
    shared = None if storage is None else open_storage(storage)
    with folder.locked(assembly.settings, assembly.dataset.fingerprint):
        opened = shared or open_storage(folder.storage_url)
        assembly.limits.remember_in(folder.latency)
        with kept_in(folder.log), deciding_threads(folder):
            yield Workplace(assembly, folder, opened, name or folder.name)


def cell_book(place: Workplace) -> CellBook:
    """The cells in the storage, in the order in which they run: seed by seed, so that all soon have a first row."""
    cells = [Cell(name, seed) for seed in place.assembly.settings.seeds for name in place.assembly.entries]
    return CellBook(place.storage, place.name, cells, place.folder.artifacts, place.watch)


def tunings(place: Workplace) -> list[Tuning]:
    """The tunings that come before the cells."""
    settings = place.assembly.settings
    if not settings.tune:
        return []
    return [
        Tuning(
            place.storage, place.name, name, h.distributions(), h.defaults(), settings.tune, settings.seeds[0],
            _search_steps(place.assembly, place.assembly.entries[name]), place.watch,
            settings.recipe.select,
        )
        for name, h in place.assembly.hyperparameters.items()
    ]  # fmt: skip


def _search_steps(assembly: Assembly, entry: StrategyEntry) -> int:
    if entry.kind == "multi-trial":
        return assembly.budget.candidates or assembly.settings.candidates
    if entry.kind == "reference":
        return 0
    samples = assembly.budget.samples
    return MANY_EPOCHS if samples is None else math.ceil(samples / len(assembly.dataset.train))
