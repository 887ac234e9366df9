"""What a study gives to NNI: an experiment for its web UI, and its training service."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from nas_fusion.design import OPERATIONS, candidate_connections, connection_label, fused_blocks, operation_label
from nas_fusion.nni_bridge import ExperimentRecorder
from nas_fusion.search import TrainingService
from nas_fusion.settings import ComparisonSettings
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.training_log import PHASES


def recording(study: StudyFolder, settings: ComparisonSettings) -> AbstractContextManager[ExperimentRecorder]:
    """The NNI experiment in ``nni/``, for NNI's web UI."""
    axes: dict[str, list[Any]] = {
        "phase": list(PHASES),
        "strategy": list(settings.strategies),
        "seed": list(settings.seeds),
    }
    return ExperimentRecorder(study.nni, study.path.name, axes | design_axes(settings.model.levels))


def training_service_of(study: StudyFolder, settings: ComparisonSettings, config_file: Path | None) -> TrainingService:
    """NNI's own engine; its files are in ``nni-service/``."""
    return TrainingService(
        study.path / "nni-service",
        concurrency=settings.concurrency,
        config_file=config_file,
        axes=design_axes(settings.model.levels),
        name=study.name,
    )


def design_axes(levels: int) -> dict[str, list[Any]]:
    """Every connection and operation with its possible values, as axes of the web UI's graph."""
    connections = {connection_label(s, t): [0, 1] for s, t in candidate_connections(levels)}
    return connections | {operation_label(block): list(OPERATIONS) for block in fused_blocks(levels)}
