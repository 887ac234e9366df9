"""The model of tuned hyperparameters: the one that its trial trained, or trained again by the same values and seed."""

from __future__ import annotations

import statistics

from nas_fusion.errors import DamagedFileError
from nas_fusion.records import CellRecord
from nas_fusion.search import KeptLimits
from nas_fusion.studies.cells.cell import Trained, write_trained
from nas_fusion.studies.cells.cell_files import CELL, read_cell
from nas_fusion.studies.picking.contest import Standing, Trial
from nas_fusion.studies.picking.tuning_wave import TuningWave
from nas_fusion.studies.setup.hyperparameters import TuningResult


def tuned_model(wave: TuningWave, standing: Standing) -> CellRecord:
    """Write the model of a family's tuned values into the study folder, unless it is there.

    Args:
        wave: that has tuned them; its models are those of the log's own division.
        standing: of the family; it has a trial.

    Raises:
        NasFusionError: whatever ends a training or a test.
        WriteError: the folder cannot be written.
    """
    name, trial = standing.family.name, standing.trial
    assert trial is not None, "the defaults have a cell"
    place = wave.place.folder.tuned_cell(name, wave.place.assembly.settings.seeds[0])
    result = _result(standing, trial)
    try:
        found = read_cell(place) if (place / CELL).exists() else None
    except DamagedFileError:
        found = None  # it is made again
    if found is not None and found.details["tuning"]["values"] == result.values:
        return found
    kept = wave.kept.get(name)
    if kept is None or kept.slot != trial.slot:
        job = wave.job(name, trial.values, "with the tuned values")
        outcome = wave.outcome(job)
        retrained = job.retrain(outcome)
    else:
        job, outcome, retrained = kept.job, kept.outcome, kept.retrained
    trained = Trained(KeptLimits(outcome), retrained)
    return write_trained(place, wave.place.assembly, wave.place.folder, job, trained, result)


def _result(standing: Standing, trial: Trial) -> TuningResult:
    trials = standing.family.trials
    return TuningResult(
        values=dict(trial.values),
        valid_auc=statistics.fmean(trial.scores),
        default_valid_auc=statistics.fmean(standing.family.defaults),
        trials=len(trials),
        pruned=sum(one.ended == "behind" for one in trials),
        failed=sum(one.ended == "failed" for one in trials),
        seconds=standing.family.seconds,
        samples=0,
    )
