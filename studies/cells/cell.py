"""Computing one cell, or one tuning trial: search, limits, re-training, figures, files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas_fusion.data import EncodedDataset
from nas_fusion.design_file import CONTEXT
from nas_fusion.errors import DamagedFileError
from nas_fusion.measures import connection_importance, measure
from nas_fusion.nn import Fields, FusionNetwork
from nas_fusion.records import CellRecord
from nas_fusion.search import LATENCY, KeptLimits, Retrained, SearchOutcome, run_search
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.studies.cells.anytime import (
    SavedIncumbents,
    TestFigures,
    figures_of,
    incumbents_folder,
    with_test_figures,
    without_test_figures,
)
from nas_fusion.studies.cells.cell_files import WEIGHTS, write_cell
from nas_fusion.studies.cells.dashboard_figures import retraining_figures
from nas_fusion.studies.cells.shared_searches import load_search, save_search
from nas_fusion.studies.setup.assembly import Assembly, Job
from nas_fusion.studies.setup.conditions import provenance, with_search
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.files import lock_file, new_folder, save_tensors
from nas_fusion.training import Metrics, TrainConfig, evaluate
from nas_fusion.training_log import LabelledLog, TrainingLog

logger = logging.getLogger("nas_fusion")


@dataclass(frozen=True)
class Trained:
    """A design that was searched and re-trained, with its test figures if they were asked for."""

    kept: KeptLimits
    retrained: Retrained
    test: Metrics | None

    @property
    def outcome(self) -> SearchOutcome:
        """What the search found, within the limits."""
        return self.kept.outcome

    @property
    def samples(self) -> int:
        """Sample passes of search and re-training."""
        return self.outcome.samples + self.retrained.fit.samples


@dataclass
class Computing:
    """Does the jobs of a study.

    Args:
        assembly: of the study.
        folder: where cells, and searches that several cells share, are written.
    """

    assembly: Assembly
    folder: StudyFolder

    def search_and_retrain(self, job: Job, *, with_test: bool = False) -> Trained:
        """Do a job, without what only a cell's record needs."""
        task, kept = job.task, job.keep_limits(self._search(job))
        outcome = kept.outcome
        with task.training_log.training("re-train", outcome.design) as training:
            trained = job.retrain(outcome, lambda record: training.validated(record.valid_auc))
            test = evaluate(trained.model, self.assembly.dataset.test, task.config) if with_test else None
            valid_auc, data = trained.fit.best_valid_auc, self.assembly.dataset
            figures = {} if test is None else retraining_figures(data, valid_auc, test.auc, test.logloss)
            training.result(valid_auc, **figures)
        return Trained(kept, trained, test)

    def compute(self, job: Job, tuned: Mapping[str, Any]) -> CellRecord:
        """Do a cell's job, and write its folder.

        Args:
            job: with the tuned values in it.
            tuned: how they came about; empty without a tuning.
        """
        entry, settings, config = job.entry, job.settings, job.task.config
        with self._keeping_incumbents(job) as (watched, figures):
            found = self.search_and_retrain(watched, with_test=True)
        outcome, trained, test = found.outcome, found.retrained, found.test
        assert test is not None, "asked for"
        schema = self.assembly.dataset.schema
        fields = Fields(tuple(schema.field_sizes), tuple(schema.value_fields), settings.emb_dim)
        cost = measure(trained.model, fields, config, trained.fit)
        limited = found.kept.details(
            {
                LATENCY: cost[f"latency_ms_{settings.limits.latency_batch}"],
                "max-parameters": trained.parameters,
                "max-multiply-adds": cost["multiply_adds"],
            }
        )
        details = {
            **outcome.details,
            CONTEXT: self.assembly.context(job).to_dict(),
            **self._importance(trained, config),
            **({"tuning": dict(tuned)} if tuned else {}),
            **({"limits": limited} if limited else {}),
        }
        record = CellRecord(
            strategy=entry.name,
            seed=config.seed,
            kind=entry.kind,
            design=outcome.design,
            mode=entry.mode,
            search_valid_auc=outcome.valid_auc,
            valid_auc=trained.fit.best_valid_auc,
            valid_logloss=trained.fit.best_valid_logloss,
            test_auc=test.auc,
            test_logloss=test.logloss,
            search_seconds=outcome.seconds - outcome.derive_seconds,
            retrain_seconds=trained.seconds,
            search_samples=outcome.samples - outcome.derive_samples,
            retrain_samples=trained.fit.samples,
            parameters=trained.parameters,
            candidates=outcome.candidates,
            trace=with_test_figures(outcome.trace, figures),
            retrain_history=trained.history,
            shares_search_with=entry.shares_search_with if self._is_shared(entry) else None,
            cost=cost,
            details=details,
            derive_seconds=outcome.derive_seconds + outcome.measure_seconds,
            derive_samples=outcome.derive_samples + outcome.measure_samples,
            tuning_seconds=tuned.get("seconds", 0.0),
            tuning_samples=tuned.get("samples", 0),
            provenance=with_search(provenance(config, self.assembly.dataset), outcome.provenance),
        )
        with new_folder(self.folder.cell(entry.name, config.seed)) as folder:
            save_tensors(folder / WEIGHTS, trained.model.state_dict())
            write_cell(folder, record)
        return record

    def _importance(self, trained: Retrained, config: TrainConfig) -> dict[str, Any]:
        if not self.assembly.settings.importance or not isinstance(trained.model, FusionNetwork):
            return {}
        return {"importance": connection_importance(trained.model, self.assembly.dataset.valid, config)}

    @contextmanager
    def _keeping_incumbents(self, job: Job) -> Iterator[tuple[Job, TestFigures]]:
        """A job whose task keeps its incumbents, and their test AUCs, which are there behind the block."""
        entry, task = job.entry, job.task
        if not self.assembly.settings.anytime_test or entry.kind == "reference":
            yield job, {}
            return
        with incumbents_folder(self.folder.path, f"{entry.name}-{task.seed}") as folder:
            incumbents = SavedIncumbents(folder)
            yield replace(job, task=replace(task, incumbents=incumbents)), incumbents.figures
            incumbents.measure(self.assembly.dataset.test, task.config)

    def _search(self, job: Job) -> SearchOutcome:
        entry, task = job.entry, job.task
        if not self._is_shared(entry):
            return job.search()
        folder = self.folder.search(entry.search_name, task.seed)
        folder.parent.mkdir(exist_ok=True)
        # Processes that share the folder take turns, and the second finds what the first has found.
        with lock_file(folder.parent / f".{folder.name}.lock"):
            outcome = _kept_search(folder)
            if outcome is None:
                outcome = run_search(STRATEGIES.get(entry.search_name), task, job.parameters)
                outcome = replace(outcome, provenance=provenance(task.config, self.assembly.dataset))
                # The search is over, and another process may be the one that uses it next.
                if isinstance(task.incumbents, SavedIncumbents):
                    figures = task.incumbents.measure(self.assembly.dataset.test, task.config)
                    outcome = replace(outcome, trace=with_test_figures(outcome.trace, figures))
                save_search(folder, outcome)
        if isinstance(task.incumbents, SavedIncumbents):
            task.incumbents.figures |= figures_of(outcome.trace)
        # Nobody who trains is told of them.
        return replace(outcome, trace=without_test_figures(outcome.trace))

    def _is_shared(self, entry: StrategyEntry) -> bool:
        """Whether a search of this entry serves, or may serve, another one; tuned strategies search for themselves."""
        if self.assembly.settings.tune or not self._serves(entry):
            return False
        return any(
            e.shares_search_with == entry.search_name and self._serves(e) for e in self.assembly.entries.values()
        )

    def _serves(self, entry: StrategyEntry) -> bool:
        return entry.shares_search_with is None or self.assembly.hyperparameters[entry.name].shares_search


def _kept_search(folder: Path) -> SearchOutcome | None:
    try:
        return load_search(folder)
    except DamagedFileError as error:
        logger.warning("%s: the search is repeated", error)
        return None


def replay(record: CellRecord, log: TrainingLog, dataset: EncodedDataset) -> None:
    """Tell a log of a cell that another process computed."""
    labels = LabelledLog(log, {"strategy": record.strategy, "seed": record.seed})
    if record.kind == "one-shot" and record.shares_search_with is None:
        with labels.training("search", record.design) as training:
            for point in record.trace:
                training.validated(point.valid_auc)
            training.result(record.search_valid_auc)
    with labels.training("re-train", record.design) as training:
        for point in record.retrain_history:
            training.validated(point.valid_auc)
        figures = retraining_figures(dataset, record.valid_auc, record.test_auc, record.test_logloss)
        training.result(record.valid_auc, **figures)
