"""A cell: one strategy with one seed is searched, held against the limits, re-trained, tested and written.

``search`` does the first half of it, `find_design`, and ``retrain`` the second, `train_design`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas_fusion.architecture import Found
from nas_fusion.records import CellRecord
from nas_fusion.search import KeptLimits, Retrained, SearchOutcome, faults_of
from nas_fusion.studies.cells.anytime import keeping_incumbents
from nas_fusion.studies.cells.cell_files import MODEL, PREDICTIONS, write_cell
from nas_fusion.studies.cells.cell_model import write_cell_model
from nas_fusion.studies.cells.cell_record import cell_record
from nas_fusion.studies.cells.dashboard_figures import retraining_figures
from nas_fusion.studies.cells.kept_predictions import write_predictions
from nas_fusion.studies.cells.shared_searches import is_shared, shared_search
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.hyperparameters import TuningResult
from nas_fusion.studies.setup.jobs import Job, Surroundings, make_job
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.files import new_folder
from nas_fusion.system.told import tell
from nas_fusion.training import EpochRecord, Metrics, Predictions, evaluate, metrics_of, predictions_of

logger = logging.getLogger("nas_fusion")


@dataclass(frozen=True)
class Trained:
    """A design that was searched and re-trained.

    Args:
        kept: what the search found, within the limits.
        retrained: the model.
    """

    kept: KeptLimits
    retrained: Retrained

    @property
    def samples(self) -> int:
        """Sample passes of search and re-training."""
        return self.kept.outcome.samples + self.retrained.fit.samples


def run_cell(
    assembly: Assembly,
    folder: StudyFolder,
    strategy: str,
    seed: int,
    tuned: TuningResult | None = None,
    surroundings: Surroundings | None = None,
) -> CellRecord:
    """Compute a cell, and write its folder.

    Args:
        assembly: settings and data set.
        folder: where cells, and searches that several cells share, are written.
        strategy: one of the assembly's.
        seed: of search and re-training.
        tuned: the hyperparameters that a tuning has found, and how; those of the settings if not given.
        surroundings: what it runs in, and who is told.

    Raises:
        NasFusionError: whatever ends a search or a training.
        WriteError: the folder cannot be written.
    """
    around = (surroundings or Surroundings()).labelled(strategy=strategy, seed=seed)
    values = None if tuned is None else tuned.values
    job = make_job(assembly, strategy, seed, values, label=f"{strategy} seed {seed}", surroundings=around)
    with keeping_incumbents(assembly, folder, job) as (watched, test_figures):
        kept = find_design(assembly, watched, folder)
        retrained, predictions, test = _retrain_and_test(assembly, watched, kept.outcome)
    record = cell_record(assembly, job, kept, retrained, test, test_figures, tuned)
    _write(folder.cell(strategy, seed), assembly, folder, job, Trained(kept, retrained), record, predictions, test)
    return record


def write_trained(
    place: Path, assembly: Assembly, folder: StudyFolder, job: Job, trained: Trained, tuned: TuningResult | None
) -> CellRecord:
    """Test a model that a tuning has trained, and write it as a cell is written.

    Args:
        place: the folder that it gets; an older one is replaced.
        assembly: of the study.
        folder: where the encoding is kept that all models of the study share.
        job: that trained it.
        trained: the model.
        tuned: its hyperparameters, and how they came about; None for the defaults.

    Raises:
        NasFusionError: whatever ends a test.
        WriteError: the folder cannot be written.
    """
    predictions = predictions_of(trained.retrained.model, assembly.dataset.test, job.task.config)
    test = metrics_of(predictions)
    record = cell_record(assembly, job, trained.kept, trained.retrained, test, {}, tuned)
    _write(place, assembly, folder, job, trained, record, predictions, test)
    return record


def _write(
    place: Path,
    assembly: Assembly,
    folder: StudyFolder,
    job: Job,
    trained: Trained,
    record: CellRecord,
    predictions: Predictions,
    test: Metrics,
) -> None:
    with new_folder(place) as new:
        write_cell_model(new / MODEL, folder, assembly, job, trained.kept.outcome, trained.retrained, test)
        if assembly.settings.predictions:
            write_predictions(new / PREDICTIONS, predictions, assembly.dataset.test.rows)
        write_cell(new, record)


def search_and_retrain(assembly: Assembly, job: Job, listener: Callable[[EpochRecord], None] | None = None) -> Trained:
    """What a tuning trial does: a cell without what only its record needs, so without test rows.

    Args:
        assembly: of the study.
        job: one of its jobs.
        listener: told of every epoch of the re-training, beside the job's training log.
    """
    kept = find_design(assembly, job)
    with job.task.training_log.training("re-train", kept.outcome.design) as training:

        def validated(record: EpochRecord) -> None:
            training.validated(record.valid_auc)
            if listener is not None:
                listener(record)

        retrained = job.retrain(kept.outcome, validated)
        training.result(retrained.fit.best_valid_auc)
    return Trained(kept, retrained)


def find_design(assembly: Assembly, job: Job, folder: StudyFolder | None = None) -> KeptLimits:
    """Search a design, and hold it against the limits.

    Args:
        assembly: of the study.
        job: one of its jobs.
        folder: where a search that several cells share is kept; each job searches for itself if not given.

    Raises:
        NasFusionError: whatever ends a search.
    """
    if folder is not None and is_shared(assembly, job.entry):
        return job.keep_limits(shared_search(assembly, job, folder))
    return job.keep_limits(job.search())


def train_design(assembly: Assembly, job: Job, design: Found) -> tuple[Retrained, Metrics]:
    """Train a design that somebody has found for good, and test it.

    Args:
        assembly: of the study.
        job: one of its jobs, of any strategy whose models are the design's.
        design: what is trained.

    Raises:
        NasFusionError: whatever ends a training.
    """
    retrained = job.retrain(SearchOutcome(design, None, (), 0, 0.0, 0))
    with faults_of(job.entry):
        test = evaluate(retrained.model, assembly.dataset.test, job.recipe)
    _warn_of_squashed(job, test)
    return retrained, test


def _retrain_and_test(assembly: Assembly, job: Job, outcome: SearchOutcome) -> tuple[Retrained, Predictions, Metrics]:
    data = assembly.dataset
    if job.entry.kind != "reference":
        tell(f"{job.task.label} is re-trained")
    with job.task.training_log.training("re-train", outcome.design) as training:
        retrained = job.retrain(outcome, lambda record: training.validated(record.valid_auc, **_figures(record)))
        predictions = predictions_of(retrained.model, data.test, job.task.config)
        test = metrics_of(predictions)
        valid_auc = retrained.fit.best_valid_auc
        training.result(valid_auc, **retraining_figures(data, valid_auc, test.auc, test.logloss))
    _warn_of_squashed(job, test)
    return retrained, predictions, test


def _figures(record: EpochRecord) -> dict[str, float]:
    """What is told of an epoch beside its validation AUC."""
    rate = record.samples / record.seconds if record.seconds else 0.0
    return {"valid_logloss": record.valid_logloss, "train_loss": record.train_loss, "samples_per_second": rate}


def _warn_of_squashed(job: Job, test: Metrics) -> None:
    if test.is_worse_than_a_constant:
        logger.warning(
            "%s: its test logloss is %.4f, that of a constant %.4f: its ranking may be good (AUC %.4f), its "
            "probabilities are not",
            job.task.label, test.logloss, test.constant_logloss, test.auc,
        )  # fmt: skip
