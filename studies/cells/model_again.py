"""`train_again`: the model of an earlier log, trained anew on another one with everything as it was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nas_fusion.architecture import Architecture
from nas_fusion.data import EncodedDataset
from nas_fusion.errors import OptionError
from nas_fusion.search import Retrained, SearchOutcome, retrain
from nas_fusion.serving import ModelManifest, save_model
from nas_fusion.serving.training_profile import profiles
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.dotted_names import settings_from
from nas_fusion.studies.cells.cell_model import model_parts
from nas_fusion.studies.setup.assembly import assemble
from nas_fusion.studies.setup.jobs import Surroundings, make_job
from nas_fusion.studies.setup.tracked_runs import tell_of_training
from nas_fusion.training import Metrics, evaluate

logger = logging.getLogger("nas_fusion")

PLAIN = "parallel"
"""The strategy whose models are those of any design, trained hard and from scratch."""

OWN = ("device", "precision", "track")
"""Settings that say where it runs and who is told, and nothing of the model."""


@dataclass(frozen=True)
class TrainedAgain:
    """A model that was trained anew, and what it says of its log's test rows."""

    retrained: Retrained
    test: Metrics


def again_settings(
    known: ModelManifest, source: str, seed: int | None, given: Mapping[str, object]
) -> ComparisonSettings:
    """The settings by which a saved model is trained anew, as those of a comparison of one strategy with one seed.

    Args:
        known: what the model is.
        source: the new log.
        seed: of everything random; the model's if not given.
        given: what the user says otherwise, by dotted name: of the log, and of where it runs.

    Raises:
        OptionError: something else was given.
    """
    for name, value in given.items():
        if not name.startswith("data.") and name not in OWN:
            raise OptionError(name, "left out where a saved model is trained anew: it is remembered", value)
    options = {f"data.{name}": value for name, value in known.log.reading_options.to_dict().items()}
    model = {f"model.{name}": value for name, value in vars(known.space).items()}
    strategy = known.strategy if isinstance(known.design, Architecture) or known.mode == "hard" else PLAIN
    seeds = (known.seed if seed is None else seed,)
    return settings_from({**options, **model, **given}, source=source, strategies=(strategy,), seeds=seeds)


def train_again(
    known: ModelManifest,
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    out: str | Path,
    surroundings: Surroundings | None = None,
) -> TrainedAgain:
    """Train the design or the architecture of a saved model from scratch, by its recipe, and save what comes of it.

    A soft model is trained hard, with a warning: what its search left is not kept.

    Args:
        known: what the model is.
        settings: `again_settings`.
        dataset: the new log, encoded.
        out: folder of the new model.
        surroundings: what it runs in.

    Raises:
        NasFusionError: whatever ends a training.
        WriteError: the model cannot be written.
    """
    (name,), (seed,) = settings.strategies, settings.seeds
    assembly = assemble(settings, dataset)
    job = make_job(assembly, name, seed, label=f"{known.strategy} again", surroundings=surroundings)
    if known.mode == "soft" and name == PLAIN:
        logger.warning("%s made a soft model, from what its search left: it is now trained hard", known.strategy)
    recipe = replace(known.recipe, seed=seed, device=settings.device, precision=settings.precision)
    outcome = SearchOutcome(known.design, None, (), 0, 0.0, 0)
    retrained = retrain(job.entry, outcome, job.task, recipe)
    test = evaluate(retrained.model, dataset.test, recipe)
    parts = model_parts(assembly, job, outcome, retrained, test, dataset.encoding())
    notes = {**known.notes, "trained_again": {"log": known.log.name, "fingerprint": known.log.fingerprint}}
    manifest = replace(parts.manifest, recipe=recipe, notes=notes)
    save_model(out, replace(parts, manifest=manifest, profiles=profiles(dataset.schema, dataset.train)))
    tell_of_training(assembly, job, known.design, retrained, test, Path(out), model=True)
    return TrainedAgain(retrained, test)
