"""MLflow: a run per cell, below one run for the study, with the cell's artefact as a model that MLflow loads."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import version
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from nas_fusion.tracking.live_cells import LivePoint, LiveRuns
from nas_fusion.tracking.tracked_cell import MODEL, Tracked, TrackedStudy

EXPERIMENT, EXPERIMENT_VARIABLE = "nas-fusion", "MLFLOW_EXPERIMENT_NAME"
FLAVOUR = "nas_fusion.tracking.mlflow_flavour"
LONGEST_PARAMETER = 6000
"""Characters; MLflow refuses longer ones. A design that is longer is among the run's files all the same."""

_STUDY_TAG = "nas_fusion.study"
_PER_SECOND = 1000
"""MLflow counts milliseconds."""

logging.getLogger("mlflow").setLevel(logging.WARNING)


class MlflowTracker:
    """Tells MLflow, at the place and in the experiment that MLflow's own variables name.

    Without ``MLFLOW_TRACKING_URI`` that is ``mlflow.db`` in the working directory, as everywhere in MLflow; without
    ``MLFLOW_EXPERIMENT_NAME`` the experiment is `EXPERIMENT`.

    Args:
        study: its cells.
    """

    def __init__(self, study: TrackedStudy) -> None:
        self.place = _without_password(mlflow.get_tracking_uri())
        self._client, self._study = MlflowClient(), study
        self._experiment = self._find_experiment(os.environ.get(EXPERIMENT_VARIABLE) or EXPERIMENT)
        self._parent = self._find_parent()
        self._live: LiveRuns[str] = LiveRuns(lambda cell: self._begin(cell, {}, round(time.time() * _PER_SECOND)))

    def live(self, point: LivePoint) -> None:
        """A point of the curves of the cell's run; that of one that has failed is closed as such."""
        if not point.phase:
            if (failed := self._live.end(point.cell)) is not None:
                self._client.set_terminated(failed.run, "FAILED")
            return
        run, now = self._live.add(point), round(time.time() * _PER_SECOND)
        found = point.figures.items()
        self._client.log_batch(run, [Metric(f"{point.phase}/{name}", v, now, point.step) for name, v in found])

    def tell(self, cell: Tracked) -> None:
        """A run with the cell's parameters, curves, figures, design and artefact; its times are the cell's."""
        start = _milliseconds(cell.ended - cell.seconds)
        live = self._live.end(cell.name)
        run = self._begin(cell.name, cell.tags, start) if live is None else live.run
        ended = "FAILED"
        try:
            tags = [RunTag(f"nas_fusion.{name}", value) for name, value in cell.tags.items()]
            metrics = list(_metrics(cell, start, () if live is None else live.told))
            self._client.log_batch(run, metrics, list(_parameters(cell)), tags)
            self._log_files(run, cell)
            ended = "FINISHED"
        finally:
            self._client.set_terminated(run, ended, _milliseconds(cell.ended))
        self._client.set_terminated(self._parent)  # the study's own run lasts as long as its cells

    def _begin(self, name: str, tags: Mapping[str, str], start: int) -> str:
        """A run below the study's."""
        own = {f"nas_fusion.{key}": value for key, value in {**self._study.tags, **tags}.items()}
        tags = {MLFLOW_PARENT_RUN_ID: self._parent, **own}
        return self._client.create_run(self._experiment, start, tags, name).info.run_id

    def _log_files(self, run: str, cell: Tracked) -> None:
        for file in cell.files:
            self._client.log_artifact(run, str(file))
        if cell.model is not None:
            with mlflow.start_run(run, nested=True):
                mlflow.pyfunc.log_model(
                    name=MODEL,
                    loader_module=FLAVOUR,
                    data_path=str(cell.model),
                    pip_requirements=[f"nas-fusion=={version('nas-fusion')}"],
                )

    def _find_experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return self._client.create_experiment(name) if found is None else found.experiment_id

    def _find_parent(self) -> str:
        """The study's run: the one of an earlier start, which goes on, or a new one."""
        study = self._study
        known = self._client.search_runs([self._experiment], f"tags.`{_STUDY_TAG}` = '{study.identifier}'")
        if known:
            return known[0].info.run_id
        tags = {f"nas_fusion.{name}": value for name, value in study.tags.items()}
        note = f"A study of nas-fusion, in {study.folder.resolve()}; its cells are the runs below it."
        tags |= {_STUDY_TAG: study.identifier, MLFLOW_RUN_NOTE: note}
        return self._client.create_run(self._experiment, run_name=study.name, tags=tags).info.run_id


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", "@", 1) if parts.password else url


def _parameters(cell: Tracked) -> Iterator[Param]:
    for name, value in cell.parameters.items():
        if len(str(value)) <= LONGEST_PARAMETER:
            yield Param(name, str(value))


def _metrics(cell: Tracked, start: int, told: Collection[tuple[str, int]]) -> Iterator[Metric]:
    for phase, points in cell.curves.items():
        for point in points:
            moment = start + _milliseconds(cell.before.get(phase, 0.0) + point.seconds)
            if (phase, point.step) not in told:
                yield Metric(f"{phase}/valid_auc", point.valid_auc, moment, point.step)
    for name, value in cell.figures.items():
        yield Metric(name, value, _milliseconds(cell.ended), 0)


def _milliseconds(seconds: float) -> int:
    return round(seconds * _PER_SECOND)
