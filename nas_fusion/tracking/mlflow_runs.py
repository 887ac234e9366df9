"""MLflow: a run per cell, below one run for the study, with the cell's artefact as a model that MLflow loads."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from nas_fusion.tracking.tracked_cell import RETRAIN, TrackedCell, TrackedStudy

EXPERIMENT, EXPERIMENT_VARIABLE = "nas-fusion", "MLFLOW_EXPERIMENT_NAME"
FLAVOUR = "nas_fusion.tracking.mlflow_flavour"
MODEL = "model"
"""A cell's artefact, in its folder and in its run."""
FILES = ("design.json", "design.svg")
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

    def tell(self, cell: TrackedCell) -> None:
        """A run with the cell's parameters, curves, figures, design and artefact; its times are the cell's."""
        start = _milliseconds(cell.ended - cell.seconds)
        tags = {**self._study.tags, **cell.tags}
        run = self._client.create_run(
            self._experiment,
            start_time=start,
            run_name=cell.name,
            tags={MLFLOW_PARENT_RUN_ID: self._parent, **{f"nas_fusion.{k}": v for k, v in tags.items()}},
        ).info.run_id
        ended = "FAILED"
        try:
            self._client.log_batch(run, list(_metrics(cell, start)), list(_parameters(cell)))
            self._log_files(run, cell.folder)
            ended = "FINISHED"
        finally:
            self._client.set_terminated(run, ended, _milliseconds(cell.ended))
        self._client.set_terminated(self._parent)  # the study's own run lasts as long as its cells

    def _log_files(self, run: str, folder: Path) -> None:
        for file in (folder / name for name in FILES):
            if file.is_file():
                self._client.log_artifact(run, str(file))
        if (folder / MODEL).is_dir():
            with mlflow.start_run(run, nested=True):
                mlflow.pyfunc.log_model(
                    name=MODEL,
                    loader_module=FLAVOUR,
                    data_path=str(folder / MODEL),
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


def _parameters(cell: TrackedCell) -> Iterator[Param]:
    for name, value in cell.parameters.items():
        if len(str(value)) <= LONGEST_PARAMETER:
            yield Param(name, str(value))


def _metrics(cell: TrackedCell, start: int) -> Iterator[Metric]:
    before = {RETRAIN: cell.record.search_seconds}
    for phase, points in cell.curves.items():
        for point in points:
            moment = start + _milliseconds(before.get(phase, 0.0) + point.seconds)
            yield Metric(f"{phase}/valid_auc", point.valid_auc, moment, point.step)
    for name, value in cell.figures.items():
        yield Metric(name, value, _milliseconds(cell.ended), 0)


def _milliseconds(seconds: float) -> int:
    return round(seconds * _PER_SECOND)
