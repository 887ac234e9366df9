"""The model that `fit` hands out: of the chosen strategy and values, and of several networks where there is time."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nas_fusion.design_file import CONTEXT
from nas_fusion.errors import DamagedFileError
from nas_fusion.nn import Ensemble
from nas_fusion.records import CellRecord
from nas_fusion.search import KeptLimits, Retrained, SearchOutcome
from nas_fusion.studies.cells.cell import Trained, write_trained
from nas_fusion.studies.cells.cell_files import CELL, read_cell
from nas_fusion.studies.picking.contest import Standing
from nas_fusion.studies.queue.workplace import Workplace
from nas_fusion.studies.setup.hyperparameters import TuningResult
from nas_fusion.studies.setup.jobs import Job, make_job
from nas_fusion.system.deadline import Deadline, TimeIsUp, ending_by, until
from nas_fusion.system.told import tell

logger = logging.getLogger("nas_fusion")


@dataclass(frozen=True)
class Kept:
    """A trained model that may be the one that is taken.

    Args:
        slot: of its trial.
        job: that trained it.
        outcome: of its search.
        retrained: the model.
    """

    slot: int
    job: Job
    outcome: SearchOutcome
    retrained: Retrained


@dataclass(frozen=True)
class FinalModel:
    """What is trained for good.

    Args:
        place: where it works.
        cell: of the strategy with its defaults, a single network; its seed is the model's.
        networks: that are averaged.
        pace: seconds of one training.
        standing: what tuning has found; None where nothing was tuned.
        kept: the model of the tuned values, where this process has trained it.
    """

    place: Workplace
    cell: CellRecord
    networks: int
    pace: float
    standing: Standing | None = None
    kept: Kept | None = None

    @property
    def values(self) -> Mapping[str, Any]:
        """That are tuned; none for the defaults."""
        return {} if self.standing is None or self.standing.trial is None else self.standing.trial.values

    @property
    def is_the_cells(self) -> bool:
        """Whether it is just the cell's model."""
        return self.networks == 1 and not self.values

    def title(self, record: CellRecord) -> str:
        """What a page calls the model.

        Args:
            record: of it.
        """
        networks = record.details[CONTEXT]["recipe"]["members"]
        several = f", {networks} networks" if networks > 1 else ""
        return f"{record.strategy}{', tuned' if self.values else ''}{several}"

    def trained(self, deadline: Deadline) -> CellRecord | None:
        """Write the model into the study folder, unless it is there; its record.

        Of several networks as many as there is time for; with too little time for one, what a trial has trained, and
        None if that is not there either.

        Args:
            deadline: when it has to be trained.

        Raises:
            NasFusionError: whatever ends a training or a test.
            WriteError: the folder cannot be written.
        """
        if (found := self._written()) is not None:
            return found
        networks = self.networks
        if deadline.is_set:
            networks = min(networks, int(max(deadline.left, 0.0) / max(self.pace, 1e-9)))
        if networks < self.networks:
            logger.warning("there was time for %d of %d networks", max(1, networks), self.networks)
        if networks > 1 or (networks == 1 and self.kept is None and self.values):
            try:
                with until(deadline), ending_by(deadline):
                    return self._write(self._train(networks))
            except TimeIsUp:
                logger.warning("the time was up before the model was trained for good")
        return None if self.kept is None else self._write(self.kept)

    def _written(self) -> CellRecord | None:
        folder = self.place.folder.tuned_cell(self.cell.strategy, self.cell.seed)
        if not (folder / CELL).exists():
            return None
        try:
            found = read_cell(folder)
        except DamagedFileError:
            return None  # it is made again
        values = found.details.get("tuning", {}).get("values", {})
        is_it = values == dict(self.values) and found.details[CONTEXT]["recipe"]["members"] == self.networks
        return found if is_it else None

    def _train(self, networks: int) -> Kept:
        what = f"{networks} networks" if networks > 1 else "with the tuned values"
        tell(f"{self.cell.strategy}, {what}: the training for good begins")
        job = of_networks(job_of(self.place, self.cell, self.values, what), networks)
        outcome = outcome_of(job, self.cell)
        retrained = job.retrain(outcome)
        model = retrained.model
        trained = len(model.members) if isinstance(model, Ensemble) else 1
        if trained < networks:
            logger.warning("there was time for %d of %d networks", trained, networks)
            job = of_networks(job, trained)
        return Kept(0, job, outcome, retrained)

    def _write(self, kept: Kept) -> CellRecord:
        folder = self.place.folder
        trained = Trained(KeptLimits(kept.outcome), kept.retrained)
        place = folder.tuned_cell(self.cell.strategy, self.cell.seed)
        return write_trained(place, self.place.assembly, folder, kept.job, trained, self._result())

    def _result(self) -> TuningResult | None:
        if self.standing is None or self.standing.trial is None:
            return None
        trials = self.standing.family.trials
        return TuningResult(
            values=dict(self.values),
            valid_auc=statistics.fmean(self.standing.scores),
            default_valid_auc=statistics.fmean(self.standing.family.defaults),
            trials=len(trials),
            pruned=sum(one.ended == "behind" for one in trials),
            failed=sum(one.ended == "failed" for one in trials),
            seconds=self.standing.family.seconds,
            samples=0,
        )


def job_of(place: Workplace, cell: CellRecord, values: Mapping[str, Any], what: str = "", **told: object) -> Job:
    """A strategy with values, and the seed of its cell.

    Args:
        place: where it works.
        cell: of the strategy.
        values: that are tuned.
        what: is done, for progress bars.
        told: for whoever is told of trainings.
    """
    around = place.surroundings.labelled(strategy=cell.strategy, seed=cell.seed, **told)
    label = f"{cell.strategy} {what}".strip()
    around = replace(around, engine=None)
    return make_job(place.assembly, cell.strategy, cell.seed, values, label=label, surroundings=around)


def of_networks(job: Job, networks: int) -> Job:
    """The same job, whose model is the mean of so many networks."""
    settings = replace(job.settings, recipe=replace(job.settings.recipe, members=networks))
    return replace(job, settings=settings, task=replace(job.task, config=replace(job.task.config, members=networks)))


def outcome_of(job: Job, cell: CellRecord) -> SearchOutcome:
    """The design of a reference, made by hand for a job's values; or the one that the search of a cell has found."""
    if job.entry.kind == "reference":
        return job.search()
    return SearchOutcome(cell.design, None, (), 0, 0.0, 0)
