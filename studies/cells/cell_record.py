"""What is kept of a cell."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nas_fusion.architecture import Found
from nas_fusion.data import PlantedLog
from nas_fusion.design import FusionDesign
from nas_fusion.design_file import CONTEXT
from nas_fusion.measures import connection_importance, connection_shares, has_connections, measure
from nas_fusion.records import CONNECTIONS, GENERAL, CellRecord
from nas_fusion.search import LATENCY, KeptLimits, Retrained
from nas_fusion.settings import is_planted
from nas_fusion.studies.cells.anytime import TestFigures, with_test_figures
from nas_fusion.studies.cells.shared_searches import is_shared
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.conditions import provenance, with_search
from nas_fusion.studies.setup.hyperparameters import TuningResult
from nas_fusion.studies.setup.jobs import Job, design_context
from nas_fusion.studies.setup.study_space import fields_of
from nas_fusion.training import Metrics


def cell_record(
    assembly: Assembly,
    job: Job,
    kept: KeptLimits,
    retrained: Retrained,
    test: Metrics,
    test_figures: TestFigures,
    tuned: TuningResult | None,
) -> CellRecord:
    """The record of a cell; measures what the re-trained model costs, and what its connections are worth.

    Args:
        assembly: of the study.
        job: the cell's.
        kept: what its search found, within the limits.
        retrained: its model.
        test: of the model on test rows.
        test_figures: of the search's incumbents.
        tuned: how its hyperparameters came about; None without a tuning.
    """
    entry, config, outcome = job.entry, job.task.config, kept.outcome
    settings = job.settings
    fields = fields_of(settings, assembly.dataset)
    cost = measure(retrained.model, fields, config, retrained.fit)
    limited = kept.details(
        {
            LATENCY: cost.get(f"latency_ms_{settings.limits.latency_batch}"),
            "max-parameters": retrained.parameters,
            "max-multiply-adds": cost.get("multiply_adds"),
        }
    )
    details = {
        **outcome.details,
        **({GENERAL: True} if entry.fit_model is not None else {}),
        CONTEXT: design_context(assembly, job).to_dict(),
        **_shares(assembly, outcome.design),
        **_importance(assembly, job, retrained),
        **({} if tuned is None else {"tuning": asdict(tuned)}),
        **({"limits": limited} if limited else {}),
        **({"metrics": dict(test.further)} if test.further else {}),
    }
    return CellRecord(
        strategy=entry.name,
        seed=config.seed,
        kind=entry.kind,
        design=outcome.design,
        mode=entry.mode,
        search_valid_auc=outcome.valid_auc,
        valid_auc=retrained.fit.best_valid_auc,
        valid_logloss=retrained.fit.best_valid_logloss,
        test_auc=test.auc,
        test_logloss=test.logloss,
        search_seconds=outcome.seconds - outcome.derive_seconds,
        retrain_seconds=retrained.seconds,
        search_samples=outcome.samples - outcome.derive_samples,
        retrain_samples=retrained.fit.samples,
        parameters=retrained.parameters,
        candidates=outcome.candidates,
        trace=with_test_figures(outcome.trace, test_figures),
        retrain_history=retrained.history,
        shares_search_with=entry.shares_search_with if is_shared(assembly, entry) else None,
        cost=cost,
        details=details,
        derive_seconds=outcome.derive_seconds + outcome.measure_seconds,
        derive_samples=outcome.derive_samples + outcome.measure_samples,
        tuning_seconds=0.0 if tuned is None else tuned.seconds,
        tuning_samples=0 if tuned is None else tuned.samples,
        provenance=with_search(provenance(config, assembly.dataset), outcome.provenance),
        test_metrics=test.told,
        reliability=test.reliability,
        valid_gauc=retrained.fit.best_valid_gauc,
    )


def _shares(assembly: Assembly, found: Found) -> dict[str, Any]:
    """How many connections were closed, and rightly; nothing of what is no point of the fusion space."""
    if not isinstance(found, FusionDesign):
        return {}
    source = assembly.settings.source
    teacher = PlantedLog.named(source).teacher_at(found.levels) if is_planted(source) else None
    return {CONNECTIONS: connection_shares(found, teacher)}


def _importance(assembly: Assembly, job: Job, retrained: Retrained) -> dict[str, Any]:
    model = retrained.model
    if not assembly.settings.importance or not has_connections(model):
        return {}
    return {"importance": connection_importance(model, assembly.dataset.valid, job.task.config)}
