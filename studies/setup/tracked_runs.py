"""A search or a re-training by itself, as a run of a tracker."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from pathlib import Path

from nas_fusion.architecture import Found
from nas_fusion.search import Retrained, SearchOutcome
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.jobs import Job, design_context
from nas_fusion.tracking import RETRAIN, SEARCH, TrackedRun, TrackedStudy, parameters_of, tell_once, validations
from nas_fusion.training import Metrics

IDENTIFIER_BYTES = 4


def tell_of_search(assembly: Assembly, job: Job, outcome: SearchOutcome, design_file: Path) -> None:
    """A search has ended, and its design was written; who fails is warned of.

    Args:
        assembly: settings, which name the trackers, and data set.
        job: what was searched.
        outcome: of the search.
        design_file: trackers that keep files keep it and the drawing beside it; so do their own folders lie.
    """
    found = {} if outcome.valid_auc is None else {"valid_auc": outcome.valid_auc}
    run = TrackedRun(
        name=f"search-{job.entry.name}-{job.task.seed}",
        parameters=_parameters(assembly, job, outcome.design),
        figures={**found, "search_seconds": outcome.seconds, "samples": float(outcome.samples)},
        curves={SEARCH: validations(outcome.trace)} if outcome.trace else {},
        ended=time.time(),
        seconds=outcome.seconds,
        tags={"kind": SEARCH},
        files=tuple(place for place in (design_file, design_file.with_suffix(".svg")) if place.is_file()),
    )
    tell_once(assembly.settings.track, _study(assembly, design_file.absolute().parent), run)


def tell_of_training(
    assembly: Assembly, job: Job, design: Found, retrained: Retrained, test: Metrics, place: Path, *, model: bool
) -> None:
    """A design was trained for good and tested; who fails is warned of.

    Args:
        assembly: settings, which name the trackers, and data set.
        job: what was trained.
        design: of the model.
        retrained: the model.
        test: what it says of the test rows.
        place: what TensorBoard's and Weights & Biases' folders lie beside.
        model: whether the place is the folder of the saved model.
    """
    fit = retrained.fit
    further = {f"test_{name}": value for name, value in {**test.told, **test.further}.items()}
    run = TrackedRun(
        name=f"retrain-{job.entry.name}-{job.task.seed}",
        parameters=_parameters(assembly, job, design),
        figures={
            "valid_auc": fit.best_valid_auc, "valid_logloss": fit.best_valid_logloss, "test_auc": test.auc,
            "test_logloss": test.logloss, **further,
            "retrain_seconds": retrained.seconds, "parameters": float(retrained.parameters),
        },
        curves={RETRAIN: validations(retrained.history)},
        ended=time.time(),
        seconds=retrained.seconds,
        tags={"kind": RETRAIN},
        model=place if model else None,
    )  # fmt: skip
    tell_once(assembly.settings.track, _study(assembly, place.absolute().parent), run)


def _parameters(assembly: Assembly, job: Job, design: Found) -> dict[str, object]:
    own: dict[str, object] = {"strategy": job.entry.name, "seed": job.task.seed, "mode": job.entry.mode}
    return {**own, **parameters_of(asdict(design_context(assembly, job)), design)}


def _study(assembly: Assembly, folder: Path) -> TrackedStudy:
    """What stands for a study: one run of a command."""
    dataset = assembly.dataset
    tags = {"log": assembly.settings.source, "fingerprint": dataset.fingerprint}
    return TrackedStudy(dataset.name, secrets.token_hex(IDENTIFIER_BYTES), folder, tags)
