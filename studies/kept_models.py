"""The models that a study has kept: the best one, and those of cells that were computed before cells kept models."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from nas_fusion.data import EncodedDataset
from nas_fusion.design_file import CONTEXT, DesignContext
from nas_fusion.errors import DamagedFileError, StudyError
from nas_fusion.records import CellRecord
from nas_fusion.report import Decision
from nas_fusion.search import SearchOutcome, load_search
from nas_fusion.serving import SavedModel, check_model, copy_model, keep_encoding, load, save_model
from nas_fusion.serving.model_files import MANIFEST
from nas_fusion.serving.model_writing import ModelParts
from nas_fusion.serving.module_rebuilding import rebuilt
from nas_fusion.settings import ComparisonSettings, ModelSettings, RecipeSettings
from nas_fusion.settings.study_toml import read_settings
from nas_fusion.studies.cells.cell_files import AGAIN, BARE_WEIGHTS, CHECKED_WHOLE, MODEL, read_cell
from nas_fusion.studies.cells.cell_model import model_manifest
from nas_fusion.studies.setup.assembly import assemble
from nas_fusion.studies.setup.jobs import Job, make_job
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.files import load_tensors, remove_folder

OPERATIONS = "operations"
"""Of a context's model; a list where they are the space's own, and no setting."""


def write_best_model(study: StudyFolder, decision: Decision) -> None:
    """Let ``best/`` be the model of the best seed of the best strategy by validation; of an earlier one nothing stays.

    Its files are those of the cell, under a second name, so that they take no room. Where the cell was computed on
    another machine, or before cells kept models, there is none.

    Raises:
        WriteError: it cannot be written.
    """
    source = _best_place(study, decision)
    if source is None or not (source / MANIFEST).is_file():
        remove_folder(study.best)
        return
    if not _is_same(source, study.best):
        copy_model(source, study.best)


def best_model(study: StudyFolder, decision: Decision) -> SavedModel:
    """The best model of a comparison by validation, opened.

    Raises:
        StudyError: there is none, or it lies on the machine that computed its cell.
    """
    source = _best_place(study, decision)
    if source is None:
        raise StudyError(f"{study.path} has no best model: no cell is finished")
    return open_cell(source.parent)


def open_cell(folder: Path) -> SavedModel:
    """The model of a cell, by the cell's folder.

    Raises:
        StudyError: it has none: it was computed elsewhere, or by an earlier version (`save_older_model`).
        DamagedFileError: it is damaged.
    """
    place = folder / MODEL
    if place.exists():
        return load(place)
    if (folder / BARE_WEIGHTS).exists():
        problem = (
            f"an earlier version wrote bare weights ({BARE_WEIGHTS}): studies.save_older_model makes a model of them"
        )
        raise StudyError(f"{folder}: {problem}")
    raise StudyError(f"{folder} has no model: it stayed on the machine that computed the cell")


def save_older_model(
    study: StudyFolder, strategy: str, seed: int, dataset: EncodedDataset, target: str | Path | None = None
) -> Path:
    """Make a model of the bare weights that an earlier version has kept of a cell.

    Args:
        study: the folder.
        strategy, seed: of the cell.
        dataset: the encoded log of the study; vocabularies lie nowhere else.
        target: where the model goes; into the cell's folder, where others have theirs, if not given.

    Returns:
        The model's folder.

    Raises:
        StudyError: another log, a soft model whose search is gone, or weights of another model.
        DamagedFileError: the record or the weights cannot be read.
        WriteError: it cannot be written.
    """
    folder = study.cell(strategy, seed)
    record = read_cell(folder, AGAIN)
    settings, fingerprint = read_settings(study.settings)
    if fingerprint != dataset.fingerprint:
        raise StudyError(
            f"{study.path} is of another log: fingerprint {fingerprint[:12]}, not {dataset.fingerprint[:12]}"
        )
    job, outcome = _job_of(record, ComparisonSettings.from_dict(settings), dataset), _outcome_of(study, record)
    manifest = model_manifest(job, outcome, dataset, _metrics_of(record), record.parameters)
    manifest = replace(
        manifest,
        passes=record.retrain_samples // len(dataset.train),
        versions=record.provenance.get("versions", {}),
        notes={"made_from": BARE_WEIGHTS},
    )
    module = rebuilt(manifest, dataset.schema, load_tensors(folder / BARE_WEIGHTS))
    place = folder / MODEL if target is None else Path(target)
    save_model(place, ModelParts(manifest, module, keep_encoding(study.encoding, dataset)))
    return place


def _job_of(record: CellRecord, settings: ComparisonSettings, dataset: EncodedDataset) -> Job:
    """The job of a cell, with the space and the recipe that its record says."""
    content = record.details.get(CONTEXT)
    if content is not None:
        context = DesignContext.from_dict(content)
        own = {n: v for n, v in context.model.items() if n != OPERATIONS or isinstance(v, str)}
        model = ModelSettings(**own)
        recipe = RecipeSettings(**{**asdict(settings.recipe), **context.recipe})
        settings = replace(settings, model=model, recipe=recipe)
    settings = replace(settings, strategies=(record.strategy,), tune=0)
    return make_job(assemble(settings, dataset), record.strategy, record.seed)


def _outcome_of(study: StudyFolder, record: CellRecord) -> SearchOutcome:
    found = SearchOutcome(record.design, None, (), 0, 0.0, 0)
    if record.mode == "hard":
        return found
    kept = load_search(study.search(record.shares_search_with or record.strategy, record.seed))
    if kept is None or kept.soft is None:
        raise StudyError(f"{record.strategy}, seed {record.seed}: its mixture is gone with its search")
    return replace(found, soft=kept.soft)


def _metrics_of(record: CellRecord) -> dict[str, dict[str, float]]:
    valid = {"auc": record.valid_auc, "logloss": record.valid_logloss}
    if record.valid_gauc is not None:
        valid["gauc"] = record.valid_gauc
    return {"valid": valid, "test": {"auc": record.test_auc, "logloss": record.test_logloss, **record.test_metrics}}


def _best_place(study: StudyFolder, decision: Decision) -> Path | None:
    if decision.best is None:
        return None
    cell = decision.best.best
    return study.cell(cell.strategy, cell.seed) / MODEL


def _is_same(source: Path, copy: Path) -> bool:
    try:
        if (source / MANIFEST).read_bytes() != (copy / MANIFEST).read_bytes():
            return False
        check_model(copy, largest=CHECKED_WHOLE)
    except (OSError, DamagedFileError):
        return False
    return True
