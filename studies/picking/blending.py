"""Several models of a `fit` as one: a network and boosted trees err in different ways, and their mean is better.

On four public logs, three seeds each, the mean of the logits of the best network, LightGBM and CatBoost had a higher
test AUC than any of the three (docs/benchmarks.md). So the mean of all is taken unless the validation rows speak
against it; that it has to be the best there would be unfair to it, since the single model was chosen by them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from nas_fusion.design_file import CONTEXT, design_text
from nas_fusion.records import GENERAL, CellRecord
from nas_fusion.serving import BLEND, ModelParts, blend_of, keep_encoding, load, save_model
from nas_fusion.statistics import difference_error, paired_error
from nas_fusion.studies.cells.cell_files import MODEL, PREDICTIONS, write_cell
from nas_fusion.studies.cells.kept_predictions import write_predictions
from nas_fusion.studies.picking.contest import LOGLOSS, REACH
from nas_fusion.studies.queue.workplace import Workplace
from nas_fusion.system.files import new_folder
from nas_fusion.training import Metrics, Predictions, metrics_of, predictions_of
from nas_fusion.training.quality import auc, grouped_auc, logloss, logloss_error, rank_of


@dataclass(frozen=True)
class Candidate:
    """A trained model that may be blended.

    Args:
        record: of it.
        place: folder of its cell.
        title: what pages call it.
    """

    record: CellRecord
    place: Path
    title: str


@dataclass(frozen=True)
class Blended:
    """The blend that is taken.

    Args:
        record: of it.
        place: its folder, like a cell's.
        title: its parts.
        network: the folder of the model of the network among them; None where there is none.
    """

    record: CellRecord
    place: Path
    title: str
    network: Path | None = None


def blended(place: Workplace, candidates: Sequence[Candidate]) -> Blended | None:
    """Blend models, as many as the validation rows allow, and write the model; None if the first is better alone.

    Args:
        place: where `fit` works.
        candidates: the one that would be taken alone, and what may be blended with it.

    Raises:
        NasFusionError: whatever ends a test.
        WriteError: the folder cannot be written.
    """
    if len(candidates) < 2:
        return None
    dataset, select = place.assembly.dataset, place.assembly.settings.recipe.select
    models = [load(one.place / MODEL) for one in candidates]
    valid = [predictions_of(model.module, dataset.valid, model.config) for model in models]
    chosen = best_blend(valid, select)
    if len(chosen) < 2:
        return None
    blend, manifest = blend_of([models[index] for index in chosen])
    of_valid = _measured(mean_of([valid[index] for index in chosen]))
    predictions = predictions_of(blend, dataset.test, models[0].config)
    test = metrics_of(predictions)
    metrics = {"valid": of_valid, "test": {"auc": test.auc, "logloss": test.logloss, **test.told, **test.further}}
    manifest = replace(manifest, metrics=metrics)
    parts = [candidates[index] for index in chosen]
    record = replace(_record(parts, manifest.size, of_valid, test), design=manifest.design)
    folder = place.folder.tuned_cell(BLEND, record.seed)
    with new_folder(folder) as new:
        text = design_text(record.design, record.details.get(CONTEXT))
        encoding = keep_encoding(place.folder.encoding, dataset)
        save_model(new / MODEL, ModelParts(manifest, blend, encoding, text))
        if place.assembly.settings.predictions:
            write_predictions(new / PREDICTIONS, predictions, dataset.test.rows)
        write_cell(new, record)
    network = next((part.place / MODEL for part in parts if GENERAL not in part.record.details), None)
    return Blended(record, folder, " + ".join(part.title for part in parts), network)


def best_blend(valid: Sequence[Predictions], select: str) -> tuple[int, ...]:
    """Which models to blend, by what they say of the validation rows.

    Of the blends of most models the best that is not clearly worse than the first model alone; else of fewer.

    Args:
        valid: of every model; the first one would be taken alone.
        select: by what validation chooses.

    Returns:
        Their places; the first model's alone if every blend is worse.
    """
    alone, margin = _score(valid[0], select), REACH * _error(valid[0], select)
    for size in range(len(valid), 1, -1):
        blends = {places: _score(mean_of([valid[p] for p in places]), select) for places in _sets(len(valid), size)}
        best = max(blends, key=lambda places: blends[places])
        if blends[best] >= alone - margin:
            return best
    return (0,)


def mean_of(predictions: Sequence[Predictions]) -> Predictions:
    """The mean of models' logits for the same rows."""
    return replace(predictions[0], logits=np.mean([one.logits for one in predictions], axis=0))


def _sets(count: int, size: int) -> list[tuple[int, ...]]:
    return list(combinations(range(count), size))


def _score(found: Predictions, select: str) -> float:
    return rank_of(select, auc(found), logloss(found), grouped_auc(found)).score


def _error(found: Predictions, select: str) -> float:
    """The standard error of a difference to these predictions, as far as one of them alone tells it."""
    if select == LOGLOSS:
        return paired_error(logloss_error(found))
    positives = float(found.labels.sum())
    return difference_error(auc(found), positives, len(found) - positives)


def _measured(found: Predictions) -> dict[str, float]:
    metrics = {"auc": auc(found), "logloss": logloss(found)}
    within = grouped_auc(found)
    return metrics if within is None else {**metrics, "gauc": within}


def _record(parts: Sequence[Candidate], size: int, valid: Mapping[str, float], test: Metrics) -> CellRecord:
    """Like a cell's: what it has cost is what its parts have."""
    records = [part.record for part in parts]
    first = records[0]
    return replace(
        first,
        strategy=BLEND,
        kind="reference",
        mode="hard",
        search_valid_auc=None,
        valid_auc=valid["auc"],
        valid_logloss=valid["logloss"],
        valid_gauc=valid.get("gauc"),
        test_auc=test.auc,
        test_logloss=test.logloss,
        search_seconds=math.fsum(one.search_seconds for one in records),
        derive_seconds=math.fsum(one.derive_seconds for one in records),
        tuning_seconds=math.fsum(one.tuning_seconds for one in records),
        retrain_seconds=math.fsum(one.retrain_seconds for one in records),
        search_samples=sum(one.search_samples for one in records),
        derive_samples=sum(one.derive_samples for one in records),
        tuning_samples=sum(one.tuning_samples for one in records),
        retrain_samples=sum(one.retrain_samples for one in records),
        parameters=size,
        candidates=0,
        trace=(),
        retrain_history=(),
        shares_search_with=None,
        cost={},
        details={CONTEXT: first.details[CONTEXT], "parts": [part.title for part in parts]},
        test_metrics=test.told,
        reliability=test.reliability,
    )
