"""TensorBoard and Weights & Biases, through Lightning's loggers."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from nas_fusion.tracking.tracked_cell import TrackedCell, TrackedStudy

if TYPE_CHECKING:
    from pytorch_lightning.loggers.logger import Logger

TENSORBOARD = "tensorboard"
PROJECT, PROJECT_VARIABLE, FOLDER_VARIABLE = "nas-fusion", "WANDB_PROJECT", "WANDB_DIR"


class TensorBoardTracker:
    """Writes ``tensorboard/<cell>/`` into the study folder: curves, parameters and figures.

    Args:
        study: its cells.
    """

    def __init__(self, study: TrackedStudy) -> None:
        self._study = study
        self.place = TENSORBOARD  # inside the study folder, which may be moved

    def tell(self, cell: TrackedCell) -> None:
        """A cell has ended; what an earlier one of its name has left is replaced."""
        from pytorch_lightning.loggers import TensorBoardLogger

        shutil.rmtree(self._study.folder / TENSORBOARD / cell.name, ignore_errors=True)
        logger = TensorBoardLogger(self._study.folder, TENSORBOARD, cell.name, default_hp_metric=False)
        _log_curves(logger, cell)
        logger.log_hyperparams(cell.parameters, cell.figures)
        logger.finalize("success")


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

    def tell(self, cell: TrackedCell) -> None:
        """A run with the cell's parameters, curves and figures."""
        import wandb
        from pytorch_lightning.loggers import WandbLogger

        # A run of its own, whatever run the user's program has: Lightning's logger would take, and end, that one.
        with wandb.init(
            reinit="create_new",
            name=cell.name,
            dir=os.environ.get(FOLDER_VARIABLE) or str(self._study.folder),
            id=f"{self._study.identifier}-{cell.name}-{cell.identifier}",
            project=self._project,
            group=self._study.name,
            config={"study": self._study.tags, "cell": cell.tags},
        ) as run:
            logger = WandbLogger(experiment=run)
            logger.log_hyperparams(cell.parameters)
            for phase in cell.curves:
                run.define_metric(f"{phase}/*", step_metric="trainer/global_step")  # Lightning's name of a step
            _log_curves(logger, cell)
            run.summary.update(cell.figures)


def _log_curves(logger: Logger, cell: TrackedCell) -> None:
    for phase, points in cell.curves.items():
        for point in points:
            logger.log_metrics({f"{phase}/valid_auc": point.valid_auc}, step=point.step)
