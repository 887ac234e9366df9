"""A storage that is away: waited for, told of in one line, no call carried out twice."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError

from nas_fusion.errors import DamagedFileError, OptionError, StorageError, WriteError
from nas_fusion.studies import open_storage
from nas_fusion.studies.storage.journal import WholeJournal
from nas_fusion.studies.storage.leases import BEAT, held, storage_id
from nas_fusion.studies.storage.optuna_storage import open_study
from nas_fusion.studies.storage.patience import PATIENCE_VARIABLE, at_once, patience
from nas_fusion.studies.storage.patient_storage import OWNER, PatientStorage
from nas_fusion.system.processes import this_process


def database_error(text: str, kind: type[DBAPIError] = OperationalError) -> StorageInternalError:
    """As Optuna raises what SQLAlchemy raises."""
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = kind("select 1", {}, Exception(text))
    return error


class RpcError(Exception):
    """As of gRPC, which need not be installed."""

    def details(self) -> str:
        return "failed to connect to all addresses"


class Grpc:
    RpcError = RpcError


AWAY: dict[str, Exception] = {
    "a server that went away": database_error("server closed the connection unexpectedly\nThis probably means"),
    "a server that starts": database_error("the database system is starting up"),
    "a cut connection": database_error("(0, '')", InterfaceError),
    "MySQL": database_error("(2013, 'Lost connection to MySQL server during query')"),
    "a locked file": database_error("database is locked"),
    "a network file system": OSError(errno.ESTALE, "Stale file handle"),
    "a proxy": RpcError(),
    "a journal whose lock was taken away": RuntimeError("Error: did not possess lock"),
}


class Flaky:
    """Raises before, or behind, the calls of a storage that are still to fail."""

    def __init__(self, inner: BaseStorage) -> None:
        self.inner = inner
        self.fail: list[tuple[str, Exception]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            when, error = self.fail.pop(0) if self.fail and name != "get_trial" else ("", Exception())
            if when == "before":
                raise error
            answer = getattr(self.inner, name)(*arguments, **named)
            if when == "behind":
                raise error
            return answer

        return call


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def flaky() -> Flaky:
    return Flaky(InMemoryStorage())


@pytest.fixture
def clock() -> Clock:
    return Clock()


def patient(flaky: Any, clock: Clock, url: str = "postgresql://me:secret@host/db") -> PatientStorage:
    shown = url.replace("secret", "***")
    return PatientStorage(lambda: flaky, url, shown, 300.0, clock=lambda: clock.now, sleep=clock.sleep)


@pytest.mark.parametrize("what", list(AWAY))
def test_a_storage_that_comes_back_has_lost_nothing(
    what: str, flaky: Flaky, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "grpc", Grpc)
    storage = patient(flaky, clock)
    study = open_study(storage, "study")
    flaky.fail = [("before", AWAY[what])] * 12
    study.enqueue_trial({"x": 1})
    assert len(study.trials) == 1
    assert 10 < clock.now < 60, "the pauses grow"
    told = [r.getMessage() for r in caplog.records if r.name == "nas_fusion"]
    assert len(told) == 2, "one line when it is away, one when it is back"
    assert "the storage cannot be reached" in told[0]
    assert "trying again for 5 minutes" in told[0]
    assert "is back" in told[1]
    assert not any("\n" in line or "secret" in line for line in told)


def test_after_minutes_it_is_given_up(flaky: Flaky, clock: Clock) -> None:
    storage = patient(flaky, clock)
    flaky.fail = [("before", AWAY["a locked file"])] * 1000
    with pytest.raises(StorageError, match=r"host/db: the storage cannot be reached for 5 minutes: database is lock"):
        storage.get_all_studies()
    assert 300 <= clock.now < 310


def test_who_has_no_time_does_not_wait(flaky: Flaky, clock: Clock) -> None:
    storage = patient(flaky, clock)
    flaky.fail = [("before", AWAY["a locked file"])]
    with at_once(), pytest.raises(StorageError):
        storage.get_all_studies()
    assert clock.now == 0
    assert storage.get_all_studies() == []


@pytest.mark.parametrize(
    "error",
    [
        database_error("no such table: trials"),
        database_error('password authentication failed for user "me"'),
        database_error("syntax error", ProgrammingError),
        ValueError("Invalid log format."),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(error: Exception, flaky: Flaky, clock: Clock) -> None:
    storage = patient(flaky, clock)
    flaky.fail = [("before", error)]
    with pytest.raises(StorageError, match="the storage cannot be used"):
        storage.get_all_studies()
    assert clock.now == 0


def test_an_answer_is_an_answer(flaky: Flaky, clock: Clock) -> None:
    storage = patient(flaky, clock)
    with pytest.raises(KeyError):
        storage.get_study_id_from_name("none")
    flaky.fail = [("before", ValueError("choices must not be empty"))]
    with pytest.raises(ValueError, match="choices"):
        storage.get_all_studies()
    assert clock.now == 0


# Answers that are lost after the call was carried out ------------------------------------------------------------


def test_a_trial_is_made_once(flaky: Flaky, clock: Clock) -> None:
    study = open_study(patient(flaky, clock), "study")
    flaky.fail = [("behind", AWAY["a cut connection"])]
    study._storage.create_new_trial(study._study_id, optuna.trial.create_trial(state=TrialState.WAITING))
    assert [t.state for t in study.trials] == [TrialState.WAITING]


def test_a_trial_that_runs_from_the_beginning_says_who_runs_it(flaky: Flaky, clock: Clock) -> None:
    study = open_study(patient(flaky, clock), "study")
    study.ask()
    assert study.trials[0].state == TrialState.RUNNING
    assert study.trials[0].system_attrs[OWNER] == this_process().to_dict()


@pytest.mark.parametrize(("state", "values"), [(TrialState.COMPLETE, [0.7]), (TrialState.FAIL, None)])
def test_a_trial_ends_once(flaky: Flaky, clock: Clock, state: TrialState, values: list[float] | None) -> None:
    storage = patient(flaky, clock)
    study = open_study(storage, "study")
    number = storage_id(storage, study, study.ask().number)
    flaky.fail = [("behind", AWAY["a cut connection"])]
    assert storage.set_trial_state_values(number, state, values)
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(number, state, values)


def test_the_end_of_another_process_is_not_taken_for_ones_own(flaky: Flaky, clock: Clock) -> None:
    storage = patient(flaky, clock)
    study = open_study(storage, "study")
    number = storage_id(storage, study, study.ask().number)
    flaky.inner.set_trial_state_values(number, TrialState.FAIL)
    flaky.fail = [("before", AWAY["a cut connection"])]
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(number, TrialState.COMPLETE, [0.7])


def test_a_start_whose_answer_was_lost_is_nobodys(flaky: Flaky, clock: Clock) -> None:
    storage = patient(flaky, clock)
    study = open_study(storage, "study")
    study.enqueue_trial({"x": 1})
    number = storage_id(storage, study, 0)
    flaky.fail = [("behind", AWAY["a cut connection"])]
    assert not storage.set_trial_state_values(number, TrialState.RUNNING)
    assert OWNER not in study.trials[0].system_attrs


# Heartbeats ------------------------------------------------------------------------------------------------------


def test_a_heart_beats_on_behind_an_outage(flaky: Flaky, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    storage = patient(flaky, clock)
    study = open_study(storage, "study")
    number = storage_id(storage, study, study.ask().number)
    seen: list[int] = []
    with held(storage, number, beat_seconds=0.001):
        flaky.fail = [("before", AWAY["a server that went away"])] * 5
        while not seen or seen[-1] < 8:
            seen.append(study.get_trials(deepcopy=False)[0].system_attrs.get(BEAT, 0) if not flaky.fail else 0)
    assert "Exception in thread" not in caplog.text


# Real storages ---------------------------------------------------------------------------------------------------


def test_a_database_that_is_not_there_yet_is_waited_for() -> None:
    pauses: list[float] = []

    def connect() -> BaseStorage:
        if len(pauses) < 3:
            raise OperationalError("select 1", {}, Exception("connection refused"))
        return InMemoryStorage()

    storage = PatientStorage(connect, "url", "url", 300.0, clock=lambda: 0.0, sleep=pauses.append)
    assert open_study(storage, "study").trials == []


def test_a_locked_database_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"sqlite:///{tmp_path}/optuna.db?timeout=0"
    other = sqlite3.connect(tmp_path / "optuna.db", isolation_level=None)

    def give_way(seconds: float) -> None:
        if other.in_transaction:
            other.rollback()

    storage = PatientStorage(lambda: RDBStorage(url), url, url, 300.0, sleep=give_way)
    study = open_study(storage, "study")
    other.execute("begin exclusive")
    study.set_user_attr("a", 1)
    assert study.user_attrs == {"a": 1}
    assert "database is locked" in caplog.text
    other.close()
    storage.close()


@pytest.mark.parametrize("what", ["folder", "link"])
def test_a_journal_of_sqlites_that_cannot_be_opened_is_not_waited_for(what: str, tmp_path: Path) -> None:
    """SQLite's own words are those of a file that is away for a while."""
    url, journal = f"sqlite:///{tmp_path}/optuna.db", tmp_path / "optuna.db-journal"
    open_study(open_storage(url), "study")
    if what == "folder":
        journal.mkdir()
    else:
        journal.symlink_to("nothing")
    with pytest.raises(DamagedFileError, match=r"optuna\.db-journal: it is no file that can be read and written"):
        open_storage(url)


def test_a_full_disk_is_not_waited_for(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/optuna.db")
    study = open_study(storage, "study")
    storage.patiently(_limit_pages)
    with pytest.raises(WriteError, match=r"cannot write .*optuna\.db: the disk is full"):
        fill(study)
    assert open_study(open_storage(f"sqlite:///{tmp_path}/optuna.db"), "study").user_attrs


def fill(study: optuna.Study) -> None:
    for number in range(1000):
        study.set_user_attr(f"attribute {number}", "x" * 1000)


def _limit_pages(storage: Any) -> None:
    from sqlalchemy import event

    storage._backend.engine.dispose()
    storage._backend.scoped_session.remove()
    event.listen(
        storage._backend.engine, "connect", lambda connection, record: connection.execute("pragma max_page_count = 60")
    )


def test_a_journal_on_a_full_disk_can_be_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"journal://{tmp_path}/journal"
    study = open_study(open_storage(url), "study")
    lines = (tmp_path / "journal").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("nas_fusion.studies.storage.journal.os.fsync", full)
        with pytest.raises(WriteError, match=r"journal: the disk is full"):
            study.set_user_attr("a", 1)
    assert (tmp_path / "journal").read_bytes() == lines
    study.set_user_attr("a", 2)
    assert open_study(open_storage(url), "study").user_attrs == {"a": 2}


def test_half_a_line_of_a_process_that_was_killed_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    WholeJournal(str(file)).append_logs([{"op": 0}, {"op": 1}])
    with file.open("ab") as killed:
        killed.write(b'{"op": 2, "x": "' + b"y" * 10_000)
    WholeJournal(str(file)).append_logs([{"op": 3}])
    assert [log["op"] for log in WholeJournal(str(file)).read_logs(0)] == [0, 1, 3]


def test_patience_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "12.5")
    assert patience() == 12.5
    for wrong in ("-1", "soon", "inf", "nan"):
        monkeypatch.setenv(PATIENCE_VARIABLE, wrong)
        with pytest.raises(OptionError, match=PATIENCE_VARIABLE):
            patience()
