"""A cell's model as a folder that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from nas_fusion.data import EncodedDataset
from nas_fusion.data.encoding import FittedEncoding
from nas_fusion.design import FusionDesign
from nas_fusion.design_file import design_text
from nas_fusion.report import draw_design
from nas_fusion.search import Retrained, SearchOutcome
from nas_fusion.serving import KeptEncoding, LogFacts, ModelManifest, ModelParts, keep_encoding, save_model, soft_form
from nas_fusion.settings import DataOptions
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.conditions import versions
from nas_fusion.studies.setup.jobs import Job, design_context
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.setup.study_space import fields_of
from nas_fusion.training import Metrics, WholeModel


def write_cell_model(
    place: Path,
    study: StudyFolder,
    assembly: Assembly,
    job: Job,
    outcome: SearchOutcome,
    retrained: Retrained,
    test: Metrics,
) -> None:
    """Write the re-trained model of a cell.

    Args:
        place: the folder that the model gets.
        study: where the encoding is kept that all models of the study share.
        assembly: of the study.
        job: the cell's.
        outcome: of its search.
        retrained: the model.
        test: its metrics on the test rows.

    Raises:
        WriteError: it cannot be written.
    """
    encoding = keep_encoding(study.encoding, assembly.dataset)
    save_model(place, model_parts(assembly, job, outcome, retrained, test, encoding))


def model_parts(
    assembly: Assembly,
    job: Job,
    outcome: SearchOutcome,
    retrained: Retrained,
    test: Metrics | None,
    encoding: KeptEncoding | FittedEncoding,
) -> ModelParts:
    """What a trained model is saved from.

    Args:
        assembly, job, outcome, retrained: as of `write_cell_model`.
        test: None where it was not tested.
        encoding: of the assembly's data set.
    """
    model, metrics = retrained.model, measured(retrained, test)
    manifest = model_manifest(job, outcome, assembly.dataset, metrics, retrained.parameters)
    manifest = replace(manifest, passes=model.passes if isinstance(model, WholeModel) else 0)
    design = outcome.design
    text = design_text(design, design_context(assembly, job).to_dict())
    drawing = draw_design(design, title=manifest.title) if isinstance(design, FusionDesign) else ""
    return ModelParts(manifest, model, encoding, text, drawing)


def measured(retrained: Retrained, test: Metrics | None) -> dict[str, dict[str, float]]:
    """What was measured of a model, by split and name."""
    valid = retrained.fit
    metrics = {"valid": {"auc": valid.best_valid_auc, "logloss": valid.best_valid_logloss}}
    if valid.best_valid_gauc is not None:
        metrics["valid"]["gauc"] = valid.best_valid_gauc
    if test is not None:
        metrics["test"] = {"auc": test.auc, "logloss": test.logloss, **test.told, **test.further}
    return metrics


def model_manifest(
    job: Job, outcome: SearchOutcome, dataset: EncodedDataset, metrics: Mapping[str, Mapping[str, float]], size: int
) -> ModelManifest:
    """What a job's model says of itself.

    Args:
        job: that trained it.
        outcome: of its search.
        dataset: that it was trained on.
        metrics: what was measured, by split and name.
        size: how much it has learnt.
    """
    entry, fields = job.entry, fields_of(job.settings, dataset)
    return ModelManifest(
        strategy=entry.name,
        kind=entry.kind,
        seed=job.task.seed,
        mode=entry.mode,
        design=outcome.design,
        space=replace(job.settings.model, emb_dim=fields.emb_dim, block_width=str(fields.block_width)),
        recipe=job.recipe,
        log=log_facts(dataset, job.settings.data),
        metrics=metrics,
        size=size,
        soft=soft_form(outcome.soft) if entry.mode == "soft" and outcome.soft is not None else None,
        versions=versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def log_facts(dataset: EncodedDataset, options: DataOptions) -> LogFacts:
    """A log as its models remember it.

    Args:
        dataset: the encoded log.
        options: by which it was read.
    """
    return LogFacts(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        rows=(len(dataset.train), len(dataset.valid), len(dataset.test)),
        label_rate=dataset.train.label_rate,
        options=options,
        form=dataset.log_form,
    )
