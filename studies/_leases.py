"""Who runs a trial, and whether they still live: for storages that several processes share.

Optuna's own heartbeat exists for databases only. This one is two attributes of the trial, so that it works with every
storage: who runs it (machine, process) and a count that grows while the process lives. Another process of the same
machine sees at once that a process is gone; one on another machine waits until the count has stood still for a while by
its own clock, so that clocks need not agree.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import optuna
import psutil
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from nas_fusion.files import lock_file

OWNER, BEAT, DIED = "nas-fusion:owner", "nas-fusion:beat", "nas-fusion:died"
BEAT_SECONDS = 10.0
GRACE_SECONDS = 60.0


def this_process() -> dict[str, Any]:
    """What identifies this process among those of all machines."""
    return {"machine": platform.node(), "pid": os.getpid(), "started": psutil.Process().create_time()}


def storage_id(storage: BaseStorage, study: optuna.Study, number: int) -> int:
    """The storage's own number of a trial."""
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)


@contextmanager
def held(storage: BaseStorage, trial_id: int, beat_seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Say that this process runs the trial, and go on saying so until the block ends."""
    storage.set_trial_system_attr(trial_id, OWNER, this_process())
    ended = threading.Event()

    def beat() -> None:
        count = 0
        while not ended.wait(beat_seconds):
            count += 1
            try:
                storage.set_trial_system_attr(trial_id, BEAT, count)
            except UpdateFinishedTrialError:
                return  # taken for dead by another process: its result will be refused

    thread = threading.Thread(target=beat, name="nas-fusion heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@dataclass
class Watch:
    """Finds running trials whose process is gone.

    Args:
        grace_seconds: a heartbeat that stands still for so long has stopped.
    """

    grace_seconds: float = GRACE_SECONDS
    _seen: dict[tuple[str, int], tuple[Any, float]] = field(default_factory=dict)

    def dead(self, study: optuna.Study) -> list[FrozenTrial]:
        """Running trials that nobody runs any more."""
        return [t for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if self._is_dead(study, t)]

    def _is_dead(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        owner = trial.system_attrs.get(OWNER)
        if owner is not None and owner["machine"] == platform.node():
            return not _lives(owner)
        beat, now = trial.system_attrs.get(BEAT), time.monotonic()
        last, since = self._seen.setdefault((study.study_name, trial.number), (beat, now))
        if last != beat:
            self._seen[study.study_name, trial.number] = (beat, now)
            return False
        return now - since > self.grace_seconds


def _lives(owner: dict[str, Any]) -> bool:
    try:
        process = psutil.Process(owner["pid"])
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() == owner["started"])
    except psutil.NoSuchProcess:
        return False


def take(storage: BaseStorage, trial_id: int) -> bool:
    """Start a waiting trial; False if another process was faster."""
    with _alone(storage):
        try:
            return storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False


def _alone(storage: BaseStorage) -> AbstractContextManager[Any]:
    # SQLite does not lock the row that Optuna reads before it writes.
    url = getattr(storage, "url", "")
    return lock_file(url.removeprefix("sqlite:///") + ".lock") if url.startswith("sqlite:///") else nullcontext()


def declare_dead(storage: BaseStorage, trial_id: int) -> bool:
    """Fail a trial whose process is gone; False if another process was faster."""
    with _alone(storage):
        try:
            storage.set_trial_system_attr(trial_id, DIED, True)
            return storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
