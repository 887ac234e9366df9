"""A cell's model as a folder that needs nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from nas_fusion.data import EncodedDataset
from nas_fusion.design import FusionDesign
from nas_fusion.design_file import design_text
from nas_fusion.report import draw_design
from nas_fusion.search import Retrained, SearchOutcome
from nas_fusion.serving import KeptEncoding, LogFacts, ModelManifest, ModelParts, keep_encoding, save_model, soft_form
from nas_fusion.settings import ModelSettings
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
    encoding: KeptEncoding,
) -> ModelParts:
    """What a trained model is saved from; the arguments are those of `write_cell_model`."""
    entry, model, design = job.entry, retrained.model, outcome.design
    valid = retrained.fit
    metrics = {"valid": {"auc": valid.best_valid_auc, "logloss": valid.best_valid_logloss}}
    if valid.best_valid_gauc is not None:
        metrics["valid"]["gauc"] = valid.best_valid_gauc
    if test is not None:
        metrics["test"] = {"auc": test.auc, "logloss": test.logloss, **test.told, **test.further}
    manifest = ModelManifest(
        strategy=entry.name,
        kind=entry.kind,
        seed=job.task.seed,
        mode=entry.mode,
        design=design,
        space=_space(assembly, job),
        recipe=job.recipe,
        log=log_facts(assembly.dataset, assembly),
        metrics=metrics,
        size=retrained.parameters,
        passes=model.passes if isinstance(model, WholeModel) else 0,
        soft=soft_form(outcome.soft) if entry.mode == "soft" and outcome.soft is not None else None,
        versions=versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    text = design_text(design, design_context(assembly, job).to_dict())
    drawing = draw_design(design, title=manifest.title) if isinstance(design, FusionDesign) else ""
    return ModelParts(manifest, model, encoding, text, drawing)


def log_facts(dataset: EncodedDataset, assembly: Assembly) -> LogFacts:
    """The log of a study, as its models remember it."""
    return LogFacts(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        rows=(len(dataset.train), len(dataset.valid), len(dataset.test)),
        label_rate=dataset.train.label_rate,
        options=assembly.settings.data,
        form=dataset.log_form,
    )


def _space(assembly: Assembly, job: Job) -> ModelSettings:
    """The settings of the space, with the widths in use."""
    fields = fields_of(job.settings, assembly.dataset)
    return replace(job.settings.model, emb_dim=fields.emb_dim, block_width=str(fields.block_width))
