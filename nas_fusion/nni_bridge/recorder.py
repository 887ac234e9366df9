"""Recording what this process trains as an NNI experiment, for NNI's web UI: no manager, no process per trial.

NNI's manager keeps an experiment in three SQLite tables, and in view mode it shows whatever stands in them. The
recorder writes those tables itself. What follows from how the manager reads them:

- A trial is its rows in ``TrialJobEvent``; its parameters are those of the first row that has any, so a design that is
  found late (by a one-shot search) is put into that row.
- Metrics are JSON within JSON. A dictionary's ``default`` is the one that is ranked and drawn.
- The experiment is recorded as one of hyperparameters: the web UI shows each entry of its search space as an axis, and
  each parameter of a trial that is none as one more. Where a trial has a summary, that alone is drawn, and the rest of
  its parameters stands in its details ("Original parameters").
"""

from __future__ import annotations

import json
import logging
import math
import re
import secrets
import shutil
import sqlite3
import string
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from nas_fusion.architecture import Found
from nas_fusion.errors import DamagedFileError, StudyError, WriteError
from nas_fusion.nni_bridge.ui_axes import Axes, search_space, with_summary
from nas_fusion.training_log import StoppedEarly, Training

logger = logging.getLogger("nas_fusion")

_SCHEMA = """
create table TrialJobEvent (timestamp integer, trialJobId text, event text, data text, logPath text,
    sequenceId integer, message text, environmentId text);
create table MetricData (timestamp integer, trialJobId text, parameterId text, type text, sequence integer, data text);
create table ExperimentProfile (params text, id text, execDuration integer, startTime integer, endTime integer,
    logDir text, nextSequenceId integer, revision integer);
"""
_NEEDED = {
    "TrialJobEvent": "trialJobId, event, sequenceId",
    "MetricData": "trialJobId, parameterId, type, sequence, data",
    "ExperimentProfile": "params, startTime, revision",
}
_ODD = (
    "select (select count(*) from TrialJobEvent where typeof(sequenceId) != 'integer') + (select count(*)"
    " from ExperimentProfile where typeof(startTime) != 'integer' or typeof(revision) != 'integer')"
)
_DAMAGED = ("no such table", "no such column", "unable to open", "Could not decode")
_COMMAND = "trained by the recording process"
_LONGEST_NAME = 24
"""Letters of a strategy in the names of its trials."""
_BUSY_SECONDS = 30.0


def experiment_id(folder: Path) -> str | None:
    """The experiment that was recorded in a folder, if any."""
    experiments = sorted(path.parent.parent.name for path in folder.glob("*/db/nni.sqlite"))
    return experiments[0] if experiments else None


def check_experiment(folder: Path, experiment: str, remedy: str = "") -> None:
    """Refuse the tables of a recorded experiment that are damaged.

    Raises:
        DamagedFileError: names the file. What is busy, or on a full disk, is not damaged.
    """
    path = folder / experiment / "db" / "nni.sqlite"
    try:
        if not path.is_file():
            raise ValueError("it is no file")
        with closing(sqlite3.connect(path, _BUSY_SECONDS)) as database:
            (answer,) = database.execute("pragma quick_check(1)").fetchone()
            if answer != "ok":
                raise ValueError(answer)
            rows = database.execute("select data from TrialJobEvent where data is not null").fetchall()
            if not all(isinstance(json.loads(data)["parameters"], dict) for (data,) in rows):
                raise ValueError("parameters that are none")
            for table, columns in _NEEDED.items():
                database.execute(f"select {columns} from {table}").fetchall()
            if database.execute(_ODD).fetchone()[0]:
                raise ValueError("times and numbers that are none")
    except (sqlite3.DatabaseError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, sqlite3.OperationalError) and not str(error).startswith(_DAMAGED):
            return
        raise DamagedFileError(path, f"damaged: {error}", remedy) from error


class ExperimentRecorder:
    """An NNI experiment in a folder; an experiment that is there already goes on, one that is damaged begins anew.

    A context manager; trials that were running when the recording process was killed are failed ones then.

    Args:
        folder: holds ``<experiment id>/db/nni.sqlite``.
        name: of the experiment.
        axes: the parameters of trials that the web UI draws, with their possible values; a range is one of numbers.

    Raises:
        StudyError: the folder cannot be written, or holds something that is no experiment.
    """

    def __init__(self, folder: Path, name: str, axes: Axes) -> None:
        self.folder, self.name, self.axes = folder, name, dict(axes)
        self.id = ""

    def __enter__(self) -> ExperimentRecorder:
        """Open the tables."""
        try:
            self._open()
        except WriteError:
            raise
        except (OSError, sqlite3.Error) as error:
            raise StudyError(f"{self.folder}: cannot record for NNI's web UI ({error})") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the tables."""
        with closing(self._database), _unless(kind is not None):
            self._write_profile(end=_now())

    def _known(self) -> str | None:
        """The experiment that goes on; a damaged one, which is only a copy of what the study knows, is removed."""
        if self.folder.exists() and not self.folder.is_dir():
            logger.warning("%s is no folder: it is made anew", self.folder)
            self.folder.unlink()
        while (known := experiment_id(self.folder)) is not None:
            try:
                check_experiment(self.folder, known)
                break
            except DamagedFileError as error:
                logger.warning("%s: what NNI's web UI shows is made anew", error)
                shutil.rmtree(self.folder / known)
        return known

    def _open(self) -> None:
        known = self._known()
        self.id = known or _identifier(8)
        root = self.folder.resolve() / self.id
        for name in ("db", "log"):
            (root / name).mkdir(parents=True, exist_ok=True)
        # Only a copy of what the study knows: it need not wait for the disk.
        self._database = sqlite3.connect(root / "db" / "nni.sqlite", _BUSY_SECONDS, isolation_level=None)
        self._database.execute("pragma synchronous = off")
        if known is None:
            self._database.executescript(f"begin; {_SCHEMA} commit;")
        self._root = str(root)
        self._start = self._one("select min(startTime) from ExperimentProfile") or _now()
        self._revision = (self._one("select max(revision) from ExperimentProfile") or 0) + 1
        self._sequence = (self._one("select max(sequenceId) + 1 from TrialJobEvent")) or 0
        self._fail_interrupted()
        self._write_profile()

    @contextmanager
    def training(self, phase: str, design: Found | None = None, **parameters: object) -> Iterator[Training]:
        """See `nas_fusion.training_log.TrainingLog`."""
        trial = _RecordedTrial(self, {"phase": phase, **parameters}, design)
        try:
            yield trial
        except StoppedEarly as stop:
            trial.end("EARLY_STOPPED", str(stop))
            raise
        except BaseException as error:
            with _unless(True):
                trial.end("FAILED", f"{type(error).__name__}: {error}")
            raise
        if trial.succeeded:
            trial.end("SUCCEEDED")
        else:
            trial.end("FAILED", "no finite validation AUC")

    def succeeded(self, **parameters: object) -> bool:
        """Whether a trial with these parameters (among others) has ended well."""
        rows = self._database.execute(
            "select data from TrialJobEvent where data is not null and trialJobId in"
            " (select trialJobId from TrialJobEvent where event = 'SUCCEEDED')"
        ).fetchall()
        return any(parameters.items() <= json.loads(data)["parameters"].items() for (data,) in rows)

    def next_sequence(self) -> int:
        """The number of a new trial."""
        self._sequence += 1
        return self._sequence - 1

    def write_event(
        self, trial: str, event: str, sequence: int, data: str | None = None, message: str | None = None
    ) -> None:
        """Add a row about a trial."""
        row = (_now(), trial, event, data, self._root, sequence, message, "local-env")
        self._write("insert into TrialJobEvent values (?,?,?,?,?,?,?,?)", row)

    def rewrite_parameters(self, trial: str, data: str) -> None:
        """Replace the parameters of a trial."""
        self._write("update TrialJobEvent set data = ? where trialJobId = ? and data is not null", (data, trial))

    def write_metric(self, trial: str, parameter: int, kind: str, sequence: int, value: object) -> None:
        """Add a metric of a trial."""
        row = (_now(), trial, str(parameter), kind, sequence, json.dumps(json.dumps(value)))
        self._write("insert into MetricData values (?,?,?,?,?,?)", row)

    def _fail_interrupted(self) -> None:
        events = self._database.execute(
            "select trialJobId, max(sequenceId) from TrialJobEvent group by trialJobId"
            " having sum(event in ('SUCCEEDED', 'FAILED', 'EARLY_STOPPED')) = 0"
        ).fetchall()
        for trial, sequence in events:
            self.write_event(trial, "FAILED", sequence, message="the process was interrupted")

    def _write_profile(self, end: int | None = None) -> None:
        params = {
            "experimentName": self.name,
            "experimentType": "hpo",
            "searchSpace": search_space(self.axes),
            "trialCommand": _COMMAND,
            "trialCodeDirectory": self._root,
            "trialConcurrency": 1,
            "maxTrialNumber": 99999,
            "useAnnotation": False,
            "debug": False,
            "logLevel": "info",
            "experimentWorkingDirectory": str(self.folder.resolve()),
            "tuner": {"name": "recorded", "classArgs": {"optimize_mode": "maximize"}},
            "trainingService": {
                "platform": "local",
                "trialCommand": _COMMAND,
                "trialCodeDirectory": self._root,
                "debug": False,
                "maxTrialNumberPerGpu": 1,
                "reuseMode": False,
            },
        }
        row = (
            json.dumps(params), self.id, (_now() - self._start) // 1000, self._start, end, self._root, self._sequence,
            self._revision,
        )  # fmt: skip
        self._write("insert into ExperimentProfile values (?,?,?,?,?,?,?,?)", row)
        self._revision += 1

    def _write(self, statement: str, values: Sequence[Any]) -> None:
        try:
            self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise WriteError(self.folder, error) from error

    def _one(self, query: str) -> Any:
        return self._database.execute(query).fetchone()[0]


class _RecordedTrial:
    def __init__(self, recorder: ExperimentRecorder, parameters: dict[str, Any], design: Found | None) -> None:
        self._recorder, self._parameters = recorder, parameters
        self._id, self._number, self._epochs = _trial_name(parameters), recorder.next_sequence(), 0
        self.succeeded = False
        recorder.write_event(self._id, "RUNNING", self._number, self._data(design))

    def validated(self, valid_auc: float, **more: float) -> None:
        """A point of the curve."""
        self._recorder.write_metric(self._id, self._number, "PERIODICAL", self._epochs, _finite(valid_auc))
        self._epochs += 1

    def derived(self, design: Found) -> None:
        """The design's axes get their values."""
        self._recorder.rewrite_parameters(self._id, self._data(design))

    def result(self, valid_auc: float | None, **more: float) -> None:
        """The final metric, unless it is not finite."""
        if valid_auc is None or not math.isfinite(valid_auc):
            return
        self.succeeded = True
        value = {"default": valid_auc, **{name: _finite(figure) for name, figure in more.items()}}
        self._recorder.write_metric(self._id, self._number, "FINAL", 0, value if more else valid_auc)

    def end(self, event: str, message: str | None = None) -> None:
        """The trial is over."""
        self._recorder.write_event(self._id, event, self._number, message=message)

    def _data(self, design: Found | None) -> str:
        sample, short = ({}, {}) if design is None else (design.to_sample(), design.in_short())
        told = self._parameters | sample | short
        summary = {name: told[name] for name in self._recorder.axes if name in told}
        parameters = with_summary(self._parameters | sample, summary)
        return json.dumps(
            {
                "parameter_id": self._number,
                "parameters": parameters,
                "parameter_source": "algorithm",
                "parameter_index": 0,
            }
        )


def _trial_name(parameters: Mapping[str, Any]) -> str:
    """A name that tells whose trial it is: the web UI's table and curves have no other word for it."""
    whose = re.sub(r"[^0-9A-Za-z]+", "_", str(parameters.get("strategy", "")))[:_LONGEST_NAME].strip("_")
    return "_".join(filter(None, [whose, _identifier(5)]))


def _unless(failed: bool) -> AbstractContextManager[None]:
    # An error that is on its way is not hidden by a second one: the disk is full for both.
    return suppress(WriteError) if failed else nullcontext()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _now() -> int:
    return int(time.time() * 1000)


def _identifier(length: int) -> str:
    # Of no consequence for any result, so not from the seed: a resumed study must not draw the same names again.
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
