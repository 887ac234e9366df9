"""What a study gives to NNI: an experiment for its web UI, and its training service."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from nas_fusion.design import KNOWN_OPERATIONS, OPEN_CONNECTIONS, candidate_connections, fused_blocks
from nas_fusion.nni_bridge import ExperimentRecorder
from nas_fusion.search import TrainingService
from nas_fusion.settings import ComparisonSettings
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.training_log import PHASES


def recording(study: StudyFolder, settings: ComparisonSettings) -> AbstractContextManager[ExperimentRecorder]:
    """The NNI experiment in ``nni/``, for NNI's web UI."""
    connections, *operations = design_axes(settings.model.levels).items()
    # The first axis has no room for long words at its left.
    axes = dict([connections, ("phase", PHASES), ("strategy", settings.strategies), *operations])
    return ExperimentRecorder(study.nni, study.path.name, axes)


def training_service_of(study: StudyFolder, settings: ComparisonSettings, config_file: Path | None) -> TrainingService:
    """NNI's own engine; its files are in ``nni-service/``."""
    return TrainingService(
        study.path / "nni-service",
        concurrency=settings.concurrency,
        config_file=config_file,
        axes=design_axes(settings.model.levels),
        name=study.name,
    )


def design_axes(levels: int) -> dict[str, Sequence[Any]]:
    """The axes of the web UI's graph that tell designs apart (`FusionDesign.in_short`), with their values.

    One per connection would be dozens, whose names cover each other; a trial's details have every connection.
    """
    connections = range(len(candidate_connections(levels)) + 1)
    return {OPEN_CONNECTIONS: connections, **dict.fromkeys(fused_blocks(levels), KNOWN_OPERATIONS)}
