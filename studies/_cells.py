"""Which cells are done: an Optuna study with one trial per cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState
from optuna_dashboard import save_plotly_graph_object

from nas_fusion.records import CellRecord

STUDY_NAME = "comparison"


@dataclass(frozen=True, order=True)
class Cell:
    """One strategy with one seed."""

    strategy: str
    seed: int


class CellBook:
    """The cells of a comparison in Optuna's storage, which is the truth about what is finished.

    A cell is a trial with the parameters ``strategy`` and ``seed`` and the validation AUC after re-training as its
    value. Every cell waits as an enqueued trial, so that dashboards show what is still to come.

    Args:
        storage_url: Optuna's storage.
        cells: all cells, in the order in which they are to run.
        artifacts: folder for what dashboards show beside a cell's figures.
    """

    def __init__(self, storage_url: str, cells: Sequence[Cell], artifacts: Path) -> None:
        self.cells = list(cells)
        artifacts.mkdir(exist_ok=True)
        self._artifacts = FileSystemArtifactStore(artifacts)
        self.study = optuna.create_study(
            study_name=STUDY_NAME, storage=storage_url, direction="maximize", load_if_exists=True
        )
        self._distributions: dict[str, BaseDistribution] = {
            "strategy": CategoricalDistribution(list(dict.fromkeys(c.strategy for c in cells))),
            "seed": CategoricalDistribution(list(dict.fromkeys(c.seed for c in cells))),
        }
        self._fail_interrupted()
        self._enqueue(c for c in self.cells if c not in self.done() | self._in_state(TrialState.WAITING))

    def done(self) -> set[Cell]:
        """The finished cells."""
        return self._in_state(TrialState.COMPLETE)

    def start(self, cell: Cell) -> optuna.Trial:
        """Take a cell's trial out of the queue."""
        while True:
            trial = self.study.ask(self._distributions)
            found = _cell_of(trial.params)
            if found == cell:
                return trial
            # Another order than last time (cells are enqueued once): put the other cell back and go on.
            self.study.tell(trial, state=TrialState.FAIL)
            self._enqueue([found])

    def finish(self, trial: optuna.Trial, record: CellRecord, folder: Path) -> None:
        """Mark a cell as finished; its re-training is the curve, design and drawing in its folder are artifacts."""
        for epoch, point in enumerate(record.retrain_history, start=1):
            trial.report(point.valid_auc, step=epoch)
        for name in ("design.svg", "design.json"):
            upload_artifact(artifact_store=self._artifacts, file_path=str(folder / name), study_or_trial=trial)
        for name in ("test_auc", "test_logloss", "valid_logloss", "search_seconds", "retrain_seconds"):
            trial.set_user_attr(name, getattr(record, name))
        trial.set_user_attr("design", str(record.design))
        self.study.tell(trial, record.valid_auc)

    def fail(self, trial: optuna.Trial, reason: str) -> None:
        """Mark a cell as failed; it stays to be done."""
        trial.set_user_attr("error", reason)
        self.study.tell(trial, state=TrialState.FAIL)

    def publish(self, figures: Mapping[str, Any]) -> None:
        """Put figures (plotly) beside the cells in dashboards; one of the same name is replaced."""
        for name, figure in figures.items():
            save_plotly_graph_object(self.study, figure, graph_object_id=name)

    def repeat(self, cell: Cell) -> None:
        """Put a finished cell whose folder is gone back into the queue."""
        self._enqueue([cell])

    def _fail_interrupted(self) -> None:
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)

    def _enqueue(self, cells: Iterable[Cell]) -> None:
        for cell in cells:
            self.study.enqueue_trial({"strategy": cell.strategy, "seed": cell.seed})

    def _in_state(self, state: TrialState) -> set[Cell]:
        found = (self._cell(trial) for trial in self.study.get_trials(deepcopy=False, states=(state,)))
        return {cell for cell in found if cell is not None}

    def _cell(self, trial: FrozenTrial) -> Cell | None:
        params = trial.params or trial.system_attrs.get("fixed_params", {})
        return _cell_of(params) if {"strategy", "seed"} <= set(params) else None


def _cell_of(params: dict[str, object]) -> Cell:
    return Cell(str(params["strategy"]), int(str(params["seed"])))
