"""The reports of a study: written when a comparison ends, and again from its cells at any time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.design import FusionDesign
from nas_fusion.design_file import CONTEXT, design_text
from nas_fusion.errors import DamagedFileError, StudyError
from nas_fusion.records import CellRecord, ComparisonInfo, FailedCell
from nas_fusion.report import (
    ReportModel,
    StrategySummary,
    design_dot,
    draw_design,
    latex_table,
    report_model,
    write_fronts_csv,
    write_markdown_report,
    write_report,
    write_results_csv,
    write_summary_csv,
)
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.study_toml import read_settings
from nas_fusion.studies.cells.cell_files import AGAIN, CELL, read_cell, warn_of_unsealed
from nas_fusion.studies.kept_models import write_best_model
from nas_fusion.studies.setup.study_checks import check_reference
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.study_info import info_from_cells, known_info
from nas_fusion.system.files import write_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

DOT = ".dot"
"""The suffix of a design in the language of Graphviz, beside its drawing."""

logger = logging.getLogger("nas_fusion")


def write_reports(
    study: StudyFolder,
    model: ReportModel,
    latex: Path | None = None,
    figures: Mapping[str, go.Figure] | None = None,
) -> None:
    """Write everything that a study folder says about its cells.

    Args:
        study: the folder.
        model: the report.
        latex: a file for the table in LaTeX, if one is wanted.
        figures: its `comparison_figures`, where they are drawn already.

    Raises:
        StudyError: a file cannot be written.
    """
    _write_design(model.decision.best, study.best_model_json, study.best_model_svg)
    _write_design(model.decision.best_found, study.best_json, study.best_svg)
    write_best_model(study, model.decision)
    write_results_csv(model.records, model.info, study.results)
    write_summary_csv(model, study.summary)
    write_fronts_csv(model.records, study.fronts)
    write_report(model, study.report, figures)
    write_markdown_report(model, study.report_markdown, lambda cell: _drawing(study, cell))
    if latex is not None:
        write_text(latex, latex_table(model))


def _write_design(best: StrategySummary | None, content: Path, drawing: Path) -> None:
    """Write the design of a strategy's best seed, its drawing, and its graph; of an earlier one nothing stays."""
    graph = drawing.with_suffix(DOT)
    if best is None or not isinstance(best.best.design, FusionDesign):
        drawing.unlink(missing_ok=True)
        graph.unlink(missing_ok=True)
    if best is None:
        content.unlink(missing_ok=True)
        return
    cell = best.best
    write_text(content, design_text(cell.design, cell.details.get(CONTEXT)))
    if isinstance(cell.design, FusionDesign):
        title = f"{cell.strategy}, seed {cell.seed}"
        write_text(drawing, draw_design(cell.design, title=title))
        write_text(graph, design_dot(cell.design, title=title))


def _drawing(study: StudyFolder, cell: CellRecord) -> str | None:
    path = study.cell(cell.strategy, cell.seed) / "design.svg"
    return path.relative_to(study.path).as_posix() if path.is_file() else None


def rewrite_reports(study: StudyFolder, *, reference: str | None = None, latex: Path | None = None) -> ReportModel:
    """Write a study's reports again from its cells, finished or not; nothing is trained and no data are read.

    Where the comparison has ended and every cell has failed, the reports say so.

    Args:
        study: the folder.
        reference: the strategy to compare with, if not the one that was named before.
        latex: a file for the table in LaTeX, if one is wanted.

    Returns:
        The report that was written.

    Raises:
        StudyError: the folder holds no comparison, or none of its cells has ended; a file cannot be read or written.
        UnknownNameError: the reference is none of the strategies with a finished cell, or none at all where no cell is.
    """
    study.check_exists()
    settings = ComparisonSettings.from_dict(read_settings(study.settings)[0])
    info = known_info(study)
    records, damaged = load_cells(study, settings)
    if not records and damaged:
        raise StudyError(f"no cell of {study.path} can be read: {damaged[0].words}")
    info = info or info_from_cells(study, settings, records)
    if not records and not (info.ended and info.failures):
        words = "has a result, and the comparison has ended" if info.ended else "is finished yet"
        raise StudyError(f"no cell of {study.path} {words}")
    info = replace(info, failures=(*info.failures, *damaged))
    if info.ended:
        info = replace(info, failures=without_record(info, records))
    if reference is not None:
        check_reference(reference, [r.strategy for r in records] or settings.strategies)
        before = info.named_beforehand and reference == info.reference
        info = replace(info, reference=reference, named_beforehand=before)
    model = report_model(records, info)
    write_reports(study, model, latex)
    return model


def has_ended(study: StudyFolder) -> bool:
    """Whether a study's comparison has come to its end."""
    info = known_info(study)
    return info is not None and info.ended


def without_record(info: ComparisonInfo, records: Sequence[CellRecord]) -> tuple[FailedCell, ...]:
    """The cells without a record, and why: they failed, or their files are gone, or it has not come to them yet."""
    found = {(r.strategy, r.seed) for r in records} | {(cell.strategy, cell.seed) for cell in info.left_out}
    failed = {(f.strategy, f.seed): f for f in info.failures}
    cells = ((name, seed) for name in info.settings.get("strategies", ()) for seed in info.seeds)
    why = "it was finished, but its cell.json is gone" if info.ended else "no result yet"
    return tuple(
        failed.get((name, seed)) or FailedCell(name, seed, why) for name, seed in cells if (name, seed) not in found
    )


def load_cells(study: StudyFolder, settings: ComparisonSettings) -> tuple[list[CellRecord], tuple[FailedCell, ...]]:
    """The finished cells in the order of the table, and those whose record is damaged, with what to do about it."""
    records, damaged, folders = [], [], []
    for name, seed in _finished(study, settings):
        folder = study.cell(name, seed)
        try:
            records.append(read_cell(folder, AGAIN))
            folders.append(folder)
        except DamagedFileError as error:
            logger.warning("%s", error)
            damaged.append(FailedCell(name, seed, str(error)))
    warn_of_unsealed(folders)
    return records, tuple(damaged)


def _finished(study: StudyFolder, settings: ComparisonSettings) -> list[tuple[str, int]]:
    cells = [(name, seed) for name in settings.strategies for seed in settings.seeds]
    return [(name, seed) for name, seed in cells if (study.cell(name, seed) / CELL).exists()]


def is_named_beforehand(study: StudyFolder, settings: ComparisonSettings, reference: str | None) -> bool:
    """Whether nobody can have chosen a reference by the results: there are none yet, or it was the same before."""
    before = known_info(study)
    same = reference is None if before is None else before.named_beforehand and before.reference == reference
    return same or not _finished(study, settings)
