"""Who runs a trial, and whether they still live: for storages that several processes share.

Optuna's own heartbeat exists for databases only. This one is two attributes of the trial, so that it works with every
storage: who runs it (`nas_fusion.system.processes`) and a count that grows while the process lives. A process that
sees the other sees at once that it is gone, and as long as it is there, it is not taken for dead. One that does not see
it, on another machine or in another container, waits until the count has stood still for a while by its own clock, so
that clocks need not agree.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from nas_fusion.errors import StorageError, WriteError
from nas_fusion.studies.storage.holds import fate_of_owner, holding, owner_now
from nas_fusion.studies.storage.patience import at_once
from nas_fusion.studies.storage.patient_storage import OWNER
from nas_fusion.system.files import lock_file

BEAT, DIED = "nas-fusion:beat", "nas-fusion:died"
BEAT_SECONDS = 10.0
GRACE_SECONDS = 60.0
JOIN_SECONDS = 2.0
"""A heartbeat that waits for a storage that does not answer is left to itself."""


def storage_id(storage: BaseStorage, study: optuna.Study, number: int) -> int:
    """The storage's own number of a trial."""
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)


@contextmanager
def held(storage: BaseStorage, trial_id: int, beat_seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Say that this process runs the trial, and go on saying so until the block ends."""
    ended = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(storage, trial_id, beat_seconds, ended), name="nas-fusion heartbeat", daemon=True
    )
    try:
        with holding() as owner:
            storage.set_trial_system_attr(trial_id, OWNER, owner)
            thread.start()
            yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join(JOIN_SECONDS)


@contextmanager
def held_or_given_back(storage: BaseStorage, trial_id: int) -> Iterator[None]:
    """As `held`; a trial that the block does not finish, since it raises, is given back for another process."""
    try:
        with held(storage, trial_id):
            yield
    except BaseException:
        give_back(storage, trial_id)
        raise


def _beat(storage: BaseStorage, trial_id: int, seconds: float, ended: threading.Event) -> None:
    count = 0
    while not ended.wait(seconds):
        count += 1
        try:
            with at_once():
                storage.set_trial_system_attr(trial_id, BEAT, count)
        except UpdateFinishedTrialError:
            return  # taken for dead by another process: its result will be refused
        except (StorageError, WriteError):
            continue  # who computes the cell finds out, and says so, when it needs the storage; the next beat may work


@dataclass
class _Seen:
    """What was last seen of a heartbeat.

    Args:
        beat: its count.
        looked: when, by this process's clock.
        still: for how many seconds the count has been seen to stand still.
    """

    beat: Any
    looked: float
    still: float = 0.0


@dataclass
class Watch:
    """Finds running trials whose process is gone.

    Args:
        grace_seconds: a heartbeat that stands still for so long has stopped.
        clock: seconds, of this process alone.
    """

    grace_seconds: float = GRACE_SECONDS
    clock: Callable[[], float] = time.monotonic
    _seen: dict[tuple[str, int], _Seen] = field(default_factory=dict)

    def dead(self, study: optuna.Study) -> list[FrozenTrial]:
        """Running trials that nobody runs any more."""
        return [t for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if self._is_dead(study, t)]

    def _is_dead(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        owner = trial.system_attrs.get(OWNER)
        found = fate_of_owner(owner) if isinstance(owner, Mapping) else "unknown"
        return found == "gone" if found != "unknown" else self._stands_still(study, trial)

    def _stands_still(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        beat, now = trial.system_attrs.get(BEAT), self.clock()
        seen = self._seen.setdefault((study.study_name, trial.number), _Seen(beat, now, -1.0))
        if seen.beat != beat or seen.still < 0:
            seen.beat, seen.looked, seen.still = beat, now, 0.0
            return False
        # Where nobody looked, the storage may have been away, or this machine asleep, and the other one not dead: what
        # passed meanwhile decides only half.
        seen.still += min(now - seen.looked, self.grace_seconds / 2)
        seen.looked = now
        return seen.still >= self.grace_seconds


def take(storage: BaseStorage, trial_id: int) -> bool:
    """Start a waiting trial; False if another process was faster."""
    owner = owner_now()
    with _alone(storage) as alone:
        try:
            if alone:  # a process that is killed in the next moment has said who it was
                if storage.get_trial(trial_id).state != TrialState.WAITING:
                    return False
                storage.set_trial_system_attr(trial_id, OWNER, owner)
                return storage.set_trial_state_values(trial_id, TrialState.RUNNING)
            taken = storage.set_trial_state_values(trial_id, TrialState.RUNNING)
            if taken:
                storage.set_trial_system_attr(trial_id, OWNER, owner)
            return taken
        except UpdateFinishedTrialError:
            return False


@contextmanager
def _alone(storage: BaseStorage) -> Iterator[bool]:
    """SQLite does not lock the row that Optuna reads before it writes: with it, one process at a time is in the block.

    Yields:
        Whether that is so.

    Raises:
        WriteError: the lock's file cannot be written.
    """
    url = getattr(storage, "url", "")
    if not url.startswith("sqlite:///"):
        yield False
        return
    with lock_file(url.removeprefix("sqlite:///").partition("?")[0] + ".lock"):
        yield True


def declare_dead(storage: BaseStorage, trial_id: int) -> bool:
    """Fail a trial whose process is gone; False if another process was faster."""
    return _fail(storage, trial_id)


def give_back(storage: BaseStorage, trial_id: int) -> bool:
    """Fail a trial that this process cannot finish, for reasons of its own; False if it does not run any more.

    When the storage is away, or the disk full, nothing happens: the process is about to end, and others will see it.
    """
    try:
        with at_once():
            return _fail(storage, trial_id)
    except (StorageError, WriteError):
        return False


def _fail(storage: BaseStorage, trial_id: int) -> bool:
    with _alone(storage):
        try:
            storage.set_trial_system_attr(trial_id, DIED, True)
            return storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
