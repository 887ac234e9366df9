"""Which cells are done: an Optuna study with one trial per cell, shared by any number of processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from optuna_dashboard import save_plotly_graph_object

from nas_fusion.errors import StorageError, StudyError, WriteError
from nas_fusion.records import CellRecord
from nas_fusion.studies.cells.artifacts import artifact_folder, copy_artifacts
from nas_fusion.studies.cells.cell_files import COPIES
from nas_fusion.studies.cells.failures import Failure
from nas_fusion.studies.queue.stored_records import has_record, read_record, store_record
from nas_fusion.studies.storage.leases import DIED, Watch, declare_dead, give_back, held, storage_id, take
from nas_fusion.studies.storage.optuna_storage import open_study
from nas_fusion.studies.storage.patience import at_once

MAX_DEATHS = 3
"""A cell that has cost more processes than this their lives since it was last started is not tried again by others."""

CELL_PARAMETERS = ("strategy", "seed")
"""The parameters of a cell's trial."""

_PENDING = (TrialState.WAITING, TrialState.RUNNING)

_AGAIN, _DEATHS = "again", "deaths"
_QUEUED = (_AGAIN, _DEATHS)
"""What a waiting cell carries: its result is gone, so it is to be run once more; processes that have died of it."""

_TRACEBACK = "nas-fusion:traceback"


@dataclass(frozen=True, order=True)
class Cell:
    """One strategy with one seed."""

    strategy: str
    seed: int

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.strategy}-{self.seed}"


@dataclass(frozen=True)
class Claim:
    """A cell that this process has taken."""

    cell: Cell
    trial: optuna.Trial
    trial_id: int


class CellBook:
    """The cells of a comparison in Optuna's storage, which is the truth about what is finished.

    A cell is a trial with the parameters ``strategy`` and ``seed`` and the validation AUC after re-training as its
    value. Every cell waits as an enqueued trial, so that dashboards show what is still to come. A process claims a
    waiting cell (Optuna lets one of them win) and holds it while it computes; a cell whose process died is enqueued
    again by whoever notices first.

    Args:
        storage: Optuna's storage.
        name: of the study.
        cells: all cells, in the order in which they are to run.
        artifacts: folder for what dashboards show in addition to a cell's figures.
        watch: notices dead processes.
    """

    def __init__(
        self, storage: BaseStorage, name: str, cells: Sequence[Cell], artifacts: Path, watch: Watch | None = None
    ) -> None:
        self.cells = list(cells)
        self._known = frozenset(cells)  # what else a storage may hold is none of this comparison
        self._folder = artifact_folder(artifacts)
        self._artifacts = FileSystemArtifactStore(artifacts)
        self._storage, self._watch = storage, watch or Watch()
        self.study = open_study(storage, name)
        self._choices: dict[str, list[Any]] = {
            "strategy": list(dict.fromkeys(c.strategy for c in cells)),
            "seed": list(dict.fromkeys(c.seed for c in cells)),
        }

    def enqueue_missing(self, wanted: Collection[Cell] | None = None) -> None:
        """Let every cell wait that is neither done nor waiting nor running: a failed one is tried again.

        Args:
            wanted: of these cells only.
        """
        self.revive()
        known = self._in_state(*_PENDING, TrialState.COMPLETE)
        for cell in self.cells if wanted is None else wanted:
            if cell not in known:
                self._enqueue(cell)

    def waiting(self) -> list[Cell]:
        """The cells that nobody has claimed yet, in the order in which they will run."""
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        found = (self._cell(trial) for trial in waiting)
        return [cell for cell in dict.fromkeys(found) if cell in self._known]

    def leave_out(self, cells: Collection[Cell]) -> list[Cell]:
        """Take waiting cells out of the queue; the next `enqueue_missing` lets them wait again.

        Returns:
            Those that nobody has claimed meanwhile.
        """
        left_out = []
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            cell = self._cell(trial)
            trial_id = storage_id(self._storage, self.study, trial.number)
            if cell in cells and take(self._storage, trial_id):
                self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
                left_out.append(cell)
        return [cell for cell in cells if cell in left_out]

    def done(self) -> set[Cell]:
        """The finished cells."""
        return self._in_state(TrialState.COMPLETE)

    def pending(self) -> set[Cell]:
        """The cells that wait or run."""
        return self._in_state(*_PENDING)

    def claim(self) -> Claim | None:
        """Take the next waiting cell; None if there is none."""
        for waiting in self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            trial_id = storage_id(self._storage, self.study, waiting.number)
            if not take(self._storage, trial_id):
                continue
            try:
                claim = self._claim_of(trial_id)
            except BaseException:
                give_back(self._storage, trial_id)
                raise
            if claim is not None:
                return claim
        return None

    def holding(self, claim: Claim) -> AbstractContextManager[None]:
        """A context in which others see that this process computes the cell."""
        return held(self._storage, claim.trial_id)

    def finish(
        self,
        claim: Claim,
        record: CellRecord,
        folder: Path,
        told: Mapping[str, float] | None = None,
        *,
        remote: bool = False,
    ) -> bool:
        """Mark a cell as finished; its re-training is the curve, what tells of it in its folder are artifacts.

        Args:
            claim: the cell.
            record: its result.
            folder: the cell's.
            told: further figures for dashboards, by name.
            remote: put the record into the storage, for a coordinator that does not see the folder.

        Returns:
            False if this process had been taken for dead, and the result does not count.

        Raises:
            WriteError: an artifact cannot be written.
        """
        trial = claim.trial
        try:
            if remote:
                store_record(self._storage, claim.trial_id, record)
            for epoch, point in enumerate(record.retrain_history, start=1):
                trial.report(point.valid_auc, step=epoch)
            for name in COPIES:
                if (folder / name).exists():  # what is no design of the fusion space has no drawing
                    self._upload(folder / name, trial)
            for name in ("test_auc", "test_logloss", "valid_logloss", "search_seconds", "retrain_seconds"):
                trial.set_user_attr(name, getattr(record, name))
            for name, value in (told or {}).items():
                trial.set_user_attr(name, value)
            trial.set_user_attr("design", str(record.design))
            return self._storage.set_trial_state_values(claim.trial_id, TrialState.COMPLETE, [record.valid_auc])
        except UpdateFinishedTrialError:
            return False

    def fail(self, claim: Claim, failure: Failure) -> None:
        """Mark a cell as failed; it is not tried again before the next start."""
        try:
            claim.trial.set_user_attr("error", failure.reason)
            self._storage.set_trial_system_attr(claim.trial_id, _TRACEBACK, failure.traceback)
            self._storage.set_trial_state_values(claim.trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return  # taken for dead meanwhile: another process has the cell now

    def release(self, claim: Claim) -> None:
        """Give a cell back that this process could not finish for reasons of its own."""
        if give_back(self._storage, claim.trial_id):
            with suppress(StorageError, WriteError), at_once():  # whoever looks next finds it forgotten
                self._enqueue(claim.cell, claim.trial.user_attrs)

    def revive(self) -> list[Cell]:
        """Let the cells wait again whose processes are gone, unless they have cost too many; the cells."""
        dead = self._watch.dead(self.study)
        return [
            cell
            for trial in dead
            if declare_dead(self._storage, storage_id(self._storage, self.study, trial.number))
            and (cell := self._cell(trial)) is not None
            and self._enqueue_after_death(cell, trial)
        ]

    def revive_forgotten(self) -> list[Cell]:
        """Let the cells wait again that a process gave back and did not put into the queue before it died, too."""
        trials = self.study.get_trials(deepcopy=False)
        last = {cell: trial for trial in trials if (cell := self._cell(trial)) is not None}
        known = {self._cell(trial) for trial in trials if trial.state in (*_PENDING, TrialState.COMPLETE)}
        return [
            cell
            for cell, trial in last.items()
            if cell not in known and trial.system_attrs.get(DIED) and self._enqueue_after_death(cell, trial)
        ]

    def failures(self) -> dict[Cell, Failure]:
        """Cells that have failed, or have cost too many processes, since they were last put into the queue; and why."""
        trials = self.study.get_trials(deepcopy=False)
        known = {self._cell(trial) for trial in trials if trial.state != TrialState.FAIL}
        found: dict[Cell, Failure] = {}
        for trial in trials:
            cell, error = self._cell(trial), trial.user_attrs.get("error")
            if cell is None or cell in known:
                continue
            if error is not None:
                found[cell] = Failure(error, trial.system_attrs.get(_TRACEBACK, ""))
            elif trial.system_attrs.get(DIED) and _deaths(trial) >= MAX_DEATHS:
                found[cell] = Failure(f"{MAX_DEATHS + 1} processes died of it (out of memory?)")
            elif trial.system_attrs.get(DIED):  # it was given back, and somebody will put it into the queue
                found.pop(cell, None)
        return found

    def remote_record(self, cell: Cell) -> CellRecord | None:
        """The result of a finished cell that a worker put into the storage.

        Raises:
            StudyError: it cannot be read.
        """
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if self._cell(trial) == cell and has_record(trial):
                return read_record(trial)
        return None

    def copy_artifacts(self, cell: Cell, folder: Path) -> None:
        """Let dashboards of this folder show a cell's design, also where it was computed in another folder."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if self._cell(trial) == cell:
                copy_artifacts(trial, self._storage, folder, self._folder)

    def publish(self, figures: Mapping[str, Any], words: Mapping[str, str]) -> None:
        """Add figures (plotly) and words to what dashboards show of the study; one of the same name is replaced."""
        for name, text in words.items():
            self.study.set_user_attr(name, text)
        for name, figure in figures.items():
            save_plotly_graph_object(self.study, figure, graph_object_id=name)

    def repeat(self, cell: Cell) -> None:
        """Put a finished cell whose folder is gone back into the queue."""
        self._enqueue(cell, {_AGAIN: True})

    def _claim_of(self, trial_id: int) -> Claim | None:
        trial = optuna.Trial(self.study, trial_id)
        try:
            for name, choices in self._choices.items():
                trial.suggest_categorical(name, choices)
        except ValueError as error:
            raise StudyError(f"the storage holds cells of other strategies or seeds; damaged? ({error})") from error
        claim = Claim(_cell_of(trial.params), trial, trial_id)
        if claim.cell in self._known and not self._is_duplicate(claim):
            return claim
        self.study.tell(trial, state=TrialState.FAIL)
        return None

    def _is_duplicate(self, claim: Claim) -> bool:
        # Two coordinators that start together may enqueue a cell twice.
        again = claim.trial.user_attrs.get(_AGAIN, False)
        known = (TrialState.RUNNING,) if again else (TrialState.RUNNING, TrialState.COMPLETE)
        others = self.study.get_trials(deepcopy=False, states=known)
        return any(self._cell(t) == claim.cell and t.number < claim.trial.number for t in others)

    def _upload(self, file: Path, trial: optuna.Trial) -> None:
        try:
            upload_artifact(artifact_store=self._artifacts, file_path=str(file), study_or_trial=trial)
        except OSError as error:
            raise WriteError(self._folder, error.strerror or error) from error

    def _enqueue(self, cell: Cell, attributes: Mapping[str, Any] | None = None) -> None:
        kept = {name: value for name, value in (attributes or {}).items() if name in _QUEUED}
        params = {"strategy": cell.strategy, "seed": cell.seed}
        self.study.enqueue_trial(params, user_attrs=kept or None)

    def _enqueue_after_death(self, cell: Cell, trial: FrozenTrial) -> bool:
        if _deaths(trial) >= MAX_DEATHS:
            return False
        self._enqueue(cell, {**trial.user_attrs, _DEATHS: _deaths(trial) + 1})
        return True

    def _in_state(self, *states: TrialState) -> set[Cell]:
        # One look at all of them: between two looks a trial may go from a state that is looked at to one that was.
        found = (self._cell(trial) for trial in self.study.get_trials(deepcopy=False, states=states))
        return {cell for cell in found if cell in self._known}

    def _cell(self, trial: FrozenTrial) -> Cell | None:
        # A process may have died when it had said only half of what it claimed.
        params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        return _cell_of(params) if set(CELL_PARAMETERS) <= set(params) else None


def _deaths(trial: FrozenTrial) -> int:
    """How many processes had died of a cell since it was last started, when this trial began."""
    return int(trial.user_attrs.get(_DEATHS, 0))


def _cell_of(params: dict[str, object]) -> Cell:
    return Cell(str(params["strategy"]), int(str(params["seed"])))
