"""TensorBoard and Weights & Biases, through Lightning's loggers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from nas_fusion.tracking.live_cells import LivePoint, LiveRuns
from nas_fusion.tracking.tracked_cell import MODEL, RETRAIN, SEARCH, Tracked, TrackedStudy

if TYPE_CHECKING:
    import wandb
    from pytorch_lightning.loggers import TensorBoardLogger
    from pytorch_lightning.loggers.logger import Logger

TENSORBOARD = "tensorboard"
STEP = "trainer/global_step"
"""Lightning's name of a step."""

PROJECT, PROJECT_VARIABLE, FOLDER_VARIABLE = "nas-fusion", "WANDB_PROJECT", "WANDB_DIR"


class TensorBoardTracker:
    """Writes ``tensorboard/<cell>/`` into the study folder: curves, parameters and figures.

    Args:
        study: its cells.
    """

    def __init__(self, study: TrackedStudy) -> None:
        self._study = study
        self.place = TENSORBOARD  # inside the study folder, which may be moved
        self._live: LiveRuns[TensorBoardLogger] = LiveRuns(self._logger)

    def live(self, point: LivePoint) -> None:
        """A point of the cell's curves; one that has failed is closed."""
        if not point.phase:
            if (failed := self._live.end(point.cell)) is not None:
                failed.run.finalize("failed")
            return
        logger = self._live.add(point)
        logger.log_metrics(_in_phase(point.phase, point.figures), step=point.step)
        logger.experiment.flush()

    def tell(self, cell: Tracked) -> None:
        """A cell has ended; what an earlier one of its name has left is replaced."""
        live = self._live.end(cell.name)
        logger = self._logger(cell.name) if live is None else live.run
        _log_curves(logger, cell, () if live is None else live.told)
        logger.log_hyperparams(dict(cell.parameters), dict(cell.figures))
        logger.finalize("success")

    def _logger(self, cell: str) -> TensorBoardLogger:
        from pytorch_lightning.loggers import TensorBoardLogger

        shutil.rmtree(self._study.folder / TENSORBOARD / cell, ignore_errors=True)
        return TensorBoardLogger(self._study.folder, TENSORBOARD, cell, default_hp_metric=False)


class WandbTracker:
    """Tells Weights & Biases: a run per cell, in a group per study.

    Project, mode and folder are what its own variables say (``WANDB_PROJECT``, ``WANDB_MODE``, ``WANDB_DIR``); the
    project is `PROJECT` and the folder the study's where they say nothing.

    Args:
        study: its cells.
    """

    def __init__(self, study: TrackedStudy) -> None:
        self._study = study
        self._project = os.environ.get(PROJECT_VARIABLE) or PROJECT
        self.place = f"{os.environ.get('WANDB_MODE', 'online')} {self._project}"
        self._live: LiveRuns[wandb.Run] = LiveRuns(lambda cell: self._run(cell, None))

    def live(self, point: LivePoint) -> None:
        """A point of the curves of the cell's run; that of one that has failed is closed as such."""
        if not point.phase:
            if (failed := self._live.end(point.cell)) is not None:
                failed.run.finish(exit_code=1)
            return
        from pytorch_lightning.loggers import WandbLogger

        logger = WandbLogger(experiment=self._live.add(point))
        logger.log_metrics(_in_phase(point.phase, point.figures), step=point.step)

    def tell(self, cell: Tracked) -> None:
        """A run with the cell's parameters, curves and figures, and its saved model as an artefact."""
        import wandb
        from pytorch_lightning.loggers import WandbLogger

        live = self._live.end(cell.name)
        with self._run(cell.name, cell.identifier) if live is None else live.run as run:
            tags = {"study": dict(self._study.tags), "cell": dict(cell.tags)}
            run.config.update(tags, allow_val_change=True)  # type: ignore[no-untyped-call]
            logger = WandbLogger(experiment=run)
            logger.log_hyperparams(dict(cell.parameters))
            for phase in cell.curves:
                run.define_metric(f"{phase}/*", step_metric=STEP)
            _log_curves(logger, cell, () if live is None else live.told)
            run.summary.update(dict(cell.figures))
            if cell.model is not None:
                kept = wandb.Artifact(f"{cell.name}-{cell.identifier}", MODEL, metadata=dict(cell.figures))
                kept.add_dir(str(cell.model))
                run.log_artifact(kept)

    def _run(self, cell: str, identifier: str | None) -> wandb.Run:
        """A run of its own, whatever run the user's program has: Lightning's logger would take, and end, that one."""
        import wandb

        run = wandb.init(
            reinit="create_new",
            name=cell,
            dir=os.environ.get(FOLDER_VARIABLE) or str(self._study.folder),
            id=None if identifier is None else f"{self._study.identifier}-{cell}-{identifier}",
            project=self._project,
            group=self._study.name,
        )
        for phase in (SEARCH, RETRAIN):
            run.define_metric(f"{phase}/*", step_metric=STEP)
        return run


def _in_phase(phase: str, figures: Mapping[str, float]) -> dict[str, float]:
    return {f"{phase}/{name}": value for name, value in figures.items()}


def _log_curves(logger: Logger, cell: Tracked, told: Collection[tuple[str, int]]) -> None:
    """The points of the curves that are not among those, phase and step, that are told of already."""
    for phase, points in cell.curves.items():
        for point in points:
            if (phase, point.step) not in told:
                logger.log_metrics({f"{phase}/valid_auc": point.valid_auc}, step=point.step)
