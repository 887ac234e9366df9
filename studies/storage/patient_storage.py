"""A storage that may be away for a while: every call is tried again, for minutes, before it is given up.

A call whose answer was lost may have been carried out. Reading, and setting an attribute, a parameter or a report, can
be repeated as they are. The others are told apart by what the storage holds: a new trial has a token by which it is
found again, and a trial that has ended by the end that was asked for.
"""

from __future__ import annotations

import copy
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, GrpcStorageProxy, get_storage
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas_fusion.errors import StorageError
from nas_fusion.studies.storage.holds import owner_now
from nas_fusion.studies.storage.patience import PATIENCE_SECONDS, is_hurried
from nas_fusion.studies.storage.storage_errors import why_away

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

OWNER, MADE = "nas-fusion:owner", "nas-fusion:made"
"""A trial's attributes: which process runs it, and by which call it was made."""

logger = logging.getLogger("nas_fusion")
_pauses = random.Random()  # of no consequence for a result, so not the generator that strategies draw from


def _forwarded(name: str) -> Any:
    def call(self: PatientStorage, *arguments: Any, **named: Any) -> Any:
        return self.patiently(lambda storage: getattr(storage, name)(*arguments, **named))

    call.__name__ = name
    call.__doc__ = "See `optuna.storages.BaseStorage`; tried again while the storage is away."
    return call


class PatientStorage(BaseStorage):
    """Optuna's storage, whose calls wait for it when it is away.

    One line says that it is away, and one that it is back.

    Args:
        connect: opens the storage itself.
        url: of the storage.
        name: the URL as it may be shown.
        seconds: how long each call is tried.
        clock, sleep: seconds, and how they pass.

    Raises:
        StorageError: it has been waited for in vain, or waiting would not help; so does every call.
        WriteError: the disk on which it lies is full; so does every call.
    """

    def __init__(
        self,
        connect: Callable[[], BaseStorage],
        url: str,
        name: str,
        seconds: float = PATIENCE_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url, self.name, self.seconds = url, name, seconds
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._connect = connect
        self._inner: BaseStorage | None = None
        self.patiently(lambda storage: None)

    def patiently(self, call: Callable[[BaseStorage], Any], settle: Callable[[BaseStorage], Any] | None = None) -> Any:
        """Make a call until it is answered.

        Args:
            call: with Optuna's storage.
            settle: called instead after an answer that was lost.

        Raises:
            StorageError, WriteError: see the class.
        """
        asked, pause, attempt = self._clock(), FIRST_PAUSE, call
        while True:
            try:
                answer = attempt(self._opened())
            except Exception as error:
                reason = why_away(error, self.url, self.name)
                if reason is None:
                    raise
                self._wait(error, reason, asked, pause)
                pause, attempt = min(2 * pause, LONGEST_PAUSE), settle or call
            else:
                self._tell_back()
                return answer

    def _opened(self) -> BaseStorage:
        with self._lock:
            if self._inner is None:
                self._inner = get_storage(self._connect())
            return self._inner

    def _wait(self, error: Exception, reason: str, asked: float, pause: float) -> None:
        hurried = is_hurried()
        passed = self._clock() - asked
        if hurried or passed >= self.seconds:
            waited = "" if hurried or not self.seconds else f" for {_span(self.seconds)}"
            raise StorageError(
                f"{self.name}: the storage cannot be reached{waited}: {reason}; what is finished is kept, and the same "
                "command goes on"
            ) from error
        with self._lock:
            if self._away_since is None:
                self._away_since = self._clock()
                logger.warning(
                    "%s: the storage cannot be reached: %s; trying again for %s",
                    self.name, reason, _span(self.seconds),
                )  # fmt: skip
        self._sleep(min(pause * _pauses.uniform(0.5, 1.0), max(self.seconds - passed, 0.0)))

    def _tell_back(self) -> None:
        if self._away_since is None:
            return
        with self._lock:
            since, self._away_since = self._away_since, None
        if since is not None:
            logger.warning("%s: the storage is back after %s", self.name, _span(self._clock() - since))

    # What cannot simply be repeated

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """See `optuna.storages.BaseStorage`; makes one trial, however often it is tried."""
        template = copy.deepcopy(template_trial)
        if template is None:  # it runs at once, and says from the beginning who runs it
            template = create_trial(state=TrialState.RUNNING, system_attrs={OWNER: owner_now()})
        token = secrets.token_hex(8)
        template.system_attrs = {**template.system_attrs, MADE: token}

        def make(storage: BaseStorage) -> int:
            return storage.create_new_trial(study_id, template)

        def find_or_make(storage: BaseStorage) -> int:
            for trial in storage.get_all_trials(study_id, deepcopy=False):
                if trial.system_attrs.get(MADE) == token:
                    return trial._trial_id
            return make(storage)

        return int(self.patiently(make, find_or_make))

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """See `optuna.storages.BaseStorage`; a trial that has the end that was asked for has been ended by this call.

        A start whose answer was lost counts as another process's: nobody holds the trial then, and it is free again
        when it has been without a heartbeat for a while.
        """

        def end(storage: BaseStorage) -> bool:
            return storage.set_trial_state_values(trial_id, state, values)

        def look_or_end(storage: BaseStorage) -> bool:
            try:
                return end(storage)
            except UpdateFinishedTrialError:
                found = storage.get_trial(trial_id)
                if found.state != state or (values is not None and list(values) != found.values):
                    raise
                return True

        return bool(self.patiently(end, look_or_end))

    # What can be.

    create_new_study: Any = _forwarded("create_new_study")
    delete_study: Any = _forwarded("delete_study")
    set_study_user_attr: Any = _forwarded("set_study_user_attr")
    set_study_system_attr: Any = _forwarded("set_study_system_attr")
    get_study_id_from_name: Any = _forwarded("get_study_id_from_name")
    get_study_name_from_id: Any = _forwarded("get_study_name_from_id")
    get_study_directions: Any = _forwarded("get_study_directions")
    get_study_user_attrs: Any = _forwarded("get_study_user_attrs")
    get_study_system_attrs: Any = _forwarded("get_study_system_attrs")
    get_all_studies: Any = _forwarded("get_all_studies")
    set_trial_param: Any = _forwarded("set_trial_param")
    get_trial_id_from_study_id_trial_number: Any = _forwarded("get_trial_id_from_study_id_trial_number")
    get_trial_number_from_id: Any = _forwarded("get_trial_number_from_id")
    get_trial_param: Any = _forwarded("get_trial_param")
    set_trial_intermediate_value: Any = _forwarded("set_trial_intermediate_value")
    set_trial_user_attr: Any = _forwarded("set_trial_user_attr")
    set_trial_system_attr: Any = _forwarded("set_trial_system_attr")
    get_trial: Any = _forwarded("get_trial")
    get_all_trials: Any = _forwarded("get_all_trials")
    get_best_trial: Any = _forwarded("get_best_trial")

    def remove_session(self) -> None:
        """See `optuna.storages.BaseStorage`."""
        if self._inner is not None:
            self._inner.remove_session()

    def close(self) -> None:
        """End the connections to a database or a proxy; the next call opens new ones."""
        self.remove_session()
        engine = getattr(getattr(self._inner, "_backend", None), "engine", None)
        if engine is not None:
            engine.dispose()
        if isinstance(self._inner, GrpcStorageProxy):
            with self._lock:
                self._inner.close()
                self._inner = None


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.3g} minutes"
