"""`update`: go on from a model's weights with later rows, and say what they are like and what it gave."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import nn

from nas_fusion.data import EncodedDataset
from nas_fusion.data.encoding.scan import Progress
from nas_fusion.data.further_rows import FurtherRows, encode_further
from nas_fusion.data.sources import Log
from nas_fusion.errors import TrainingError
from nas_fusion.nn import Ensemble
from nas_fusion.serving.model_loading import design_files, model_profiles
from nas_fusion.serving.model_manifest import LogFacts, ModelManifest
from nas_fusion.serving.model_writing import ModelParts, save_model
from nas_fusion.serving.saved_model import SavedModel
from nas_fusion.serving.training_profile import profiles
from nas_fusion.serving.updating.drift import FieldDrift, drift_of
from nas_fusion.serving.updating.grown_weights import grown_manifest, grown_module
from nas_fusion.settings import DataOptions, UpdateSettings
from nas_fusion.system.files import temporary_folder
from nas_fusion.training import Metrics, Rank, TrainConfig, WholeModel, evaluate, fit, member_seed, predictions_of
from nas_fusion.training.quality import auc, grouped_auc, logloss, rank_of


@dataclass(frozen=True)
class Updated:
    """What an update did.

    Args:
        path: the new model's.
        rows: training, validation and test rows of the later log.
        drift: of every field, the strongest first; empty where the model does not say what its training rows were like.
        before, after: metrics on the later log's test rows.
        learnt: whether an epoch was better on the validation rows than the weights as they were; else those stay.
        epochs: how many there were; of an ensemble, those of all its networks.
        encoding_seconds, training_seconds: wall-clock time.
    """

    path: Path
    rows: tuple[int, int, int]
    drift: tuple[FieldDrift, ...]
    before: Metrics
    after: Metrics
    learnt: bool
    epochs: int
    encoding_seconds: float
    training_seconds: float


def update(
    model: SavedModel,
    log: Log,
    out: str | Path,
    settings: UpdateSettings | None = None,
    *,
    options: DataOptions | None = None,
    console: Console | None = None,
    progress: Progress = lambda stage, share: None,
) -> Updated:
    """Go on from the weights of a model with the rows of a later log, and save what comes out.

    The log is split as the model's own log was. Values that its training rows have often enough get ids behind those
    that are there, and begin with the vector of the field's unknown value; ids that are there stay. The validation rows
    choose the epoch, the weights as they were among them; the test rows say what it gave.

    Args:
        model: a network.
        log: with a label; whatever `nas_fusion.data.open_rows` takes.
        out: the new model's folder; the old one's may be replaced.
        settings: how it goes on; as its recipe says if not given.
        options: how the log is split, where it is to be another way than that of the model's own log.
        console: of a progress bar.
        progress: told of stage and share while the log is read.

    Raises:
        TrainingError: the model is none that goes on from weights (boosted trees), or the loss is not finite.
        DataError: the log cannot be used; says file, row and column.
        WriteError: the new model cannot be written.
    """
    if isinstance(model.module, WholeModel):
        raise TrainingError(
            f"{model.manifest.title} is no network that goes on from its weights: "
            "nasfusion retrain fits it anew, on old and new rows together"
        )
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with temporary_folder(target.parent, "update") as place:
        asked = options or model.reading_options
        rows = encode_further(log, model.encoding, model.manifest.log.form, asked, place, progress=progress)
        encoded = time.perf_counter()
        return _update(model, rows, target, settings or UpdateSettings(), console, (start, encoded))


def _update(
    model: SavedModel,
    rows: FurtherRows,
    target: Path,
    settings: UpdateSettings,
    console: Console | None,
    clock: tuple[float, float],
) -> Updated:
    data, schema = rows.dataset, rows.encoding.schema
    module = grown_module(model, schema)
    config = _recipe(model, settings)
    then = model_profiles(model)
    drift = drift_of(then, schema, data.train, rows.added) if then else []
    before = evaluate(module, data.test, model.config)
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    rank = _rank(module, data, config)
    better, epochs = _gone_on(module, data, config, console)
    learnt = better > rank
    if not learnt:
        module.load_state_dict(weights)
    after = evaluate(module, data.test, model.config)
    valid = evaluate(module, data.valid, model.config)
    start, encoded = clock
    trained = time.perf_counter()
    made = Updated(
        target, (len(data.train), len(data.valid), len(data.test)), tuple(drift), before, after, learnt,
        epochs, encoded - start, trained - encoded,
    )  # fmt: skip
    size = sum(weight.numel() for weight in module.parameters())
    manifest = replace(_manifest(model, rows, made, valid), size=size)
    design, drawing = design_files(model)
    save_model(target, ModelParts(manifest, module, rows.encoding, design, drawing, profiles(schema, data.train)))
    return made


def _gone_on(module: nn.Module, data: EncodedDataset, config: TrainConfig, console: Console | None) -> tuple[Rank, int]:
    """Train a network further, or each of an ensemble's: how good it is then, and how many epochs that took."""
    if not isinstance(module, Ensemble):
        result = fit(module, data.search_view(), config, description="update", console=console)
        return result.best_rank, len(result.history)
    epochs = 0
    for index, network in enumerate(module.members):
        alone = replace(config, seed=member_seed(config.seed, index))
        words = f"update {index + 1}/{len(module.members)}"
        epochs += len(fit(network, data.search_view(), alone, description=words, console=console).history)
    return _rank(module, data, config), epochs


def _recipe(model: SavedModel, settings: UpdateSettings) -> TrainConfig:
    recipe = model.config
    return replace(
        recipe,
        seed=settings.seed,
        max_epochs=settings.epochs or recipe.max_epochs,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        embedding_learning_rate=None if settings.learning_rate else recipe.embedding_learning_rate,
        max_samples=None,
        max_seconds=None,
    )


def _rank(module: nn.Module, data: EncodedDataset, config: TrainConfig) -> Rank:
    """How good a model is on the validation rows, by what selects."""
    found = predictions_of(module, data.valid, config)
    return rank_of(config.select, auc(found), logloss(found), grouped_auc(found))


def _manifest(model: SavedModel, rows: FurtherRows, made: Updated, valid: Metrics) -> ModelManifest:
    old, data = model.manifest, rows.dataset
    now = datetime.now(UTC).isoformat(timespec="seconds")
    step: dict[str, Any] = {
        "log": data.name,
        "fingerprint": data.fingerprint,
        "rows": list(made.rows),
        "before": _figures(made.before),
        "after": _figures(made.after),
        "learnt": made.learnt,
        "epochs": made.epochs,
        "drift": [asdict(one) for one in made.drift],
        "added": sum(rows.added),
        "when": now,
    }
    facts = LogFacts(data.name, data.fingerprint, made.rows, data.train.label_rate, old.log.options, old.log.form)
    return replace(
        grown_manifest(old, model.schema, rows.encoding.schema),
        log=facts,
        metrics={"valid": {"auc": valid.auc, "logloss": valid.logloss}, "test": _figures(made.after)},
        notes={**old.notes, "updates": [*old.notes.get("updates", []), step]},
        created=now,
        files={},
    )


def _figures(found: Metrics) -> dict[str, Any]:
    return {"auc": found.auc, "logloss": found.logloss, **found.told, **found.further}
