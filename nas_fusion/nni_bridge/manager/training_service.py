"""NNI's training services: trials go out to an NNI manager, their metrics and ends come back.

What NNI leaves out, put back:

- A trial's final metric may arrive after the end of the trial: an end without one is given a few seconds.
- A trial that ends well without a final metric counts as succeeded, with None: `TrialEnd.final` tells.
"""

from __future__ import annotations

import json
import logging
import secrets
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.error import HTTPError, URLError

import yaml
from nni.experiment.config import AlgorithmConfig, ExperimentConfig, LocalConfig
from nni.experiment.config.utils import case_insensitive, unset_base_path

from nas_fusion.errors import OptionError, StudyError
from nas_fusion.nni_bridge.manager.channel import Ended, ManagerChannel, Reported
from nas_fusion.nni_bridge.manager.guarded_manager import (
    EVERY_INTERFACE,
    HOST,
    Manager,
    check_free,
    free_port,
    running_manager,
)
from nas_fusion.nni_bridge.manager.plain_json import check_plain
from nas_fusion.nni_bridge.manager.remote_machines import SCRIPT, are_remote, refuse_passwords, take_machines
from nas_fusion.nni_bridge.ui_axes import Axes, search_space

ENDED_WELL = "SUCCEEDED"
_MANY = 99999  # NNI's own "no bound"
_LATE_SECONDS = 5.0
_POLL_SECONDS = 1.0

logger = logging.getLogger("nas_fusion")


@dataclass
class TrialEnd:
    """How a trial ended.

    Args:
        name: NNI's id of the trial.
        status: NNI's word for it; only ``SUCCEEDED`` is good.
        intermediates: what it reported on the way.
        final: its final metric, if any.
        last_words: the last line that it printed to standard error, if it did not succeed.
    """

    name: str = ""
    status: str = ""
    intermediates: tuple[Any, ...] = ()
    final: Any = None
    last_words: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it ended well and has a final metric."""
        return self.status == ENDED_WELL and self.final is not None


@dataclass(frozen=True)
class ServiceSettings:
    """What a training service is to be.

    Args:
        folder: NNI's working directory, unless the file names one.
        command: starts a trial, unless the file has one.
        concurrency: how many trials at once, unless the file says.
        file: NNI's own configuration (YAML); None for NNI's local service.
        axes: the parameters that the web UI draws.
        name: of the experiment.
        port: of the manager and its web UI; 0 for any free one.
        open_to_network: the manager listens on every interface, not on loopback only, for trials in clusters.
            Its pages stay for this machine; the trials' channel has a key, but is not encrypted.
        environment: more variables for the manager and its trials on this machine.
    """

    folder: Path
    command: str
    concurrency: int = 1
    file: Path | None = None
    axes: Axes | None = None
    name: str = "nas-fusion"
    port: int = 0
    open_to_network: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def experiment(self) -> dict[str, Any]:
        """The experiment as NNI's manager takes it.

        Raises:
            OptionError: NNI refuses the file; names the file and the problem.
        """
        given: dict[str, Any] = {}
        try:
            if self.file is not None:
                given = yaml.safe_load(self.file.read_text("utf-8"))
            config = ExperimentConfig() if self.file is None else ExperimentConfig.load(self.file)
            self._complete(config, {case_insensitive(name) for name in given})
            settings: dict[str, Any] = config.json()
        except (
            OSError, ValueError, TypeError, AttributeError, AssertionError, RecursionError, yaml.YAMLError,
        ) as error:  # fmt: skip
            problem = " ".join(str(error).split()) or type(error).__name__
            raise OptionError("NNI's configuration", f"a file that NNI accepts ({problem})", str(self.file)) from error
        finally:
            unset_base_path()  # NNI leaves it set when a file is wrong, and then refuses the next file
        return settings

    def check(self) -> None:
        """Look at the file, and whether its machines are known, without starting anything.

        Raises:
            OptionError: NNI refuses the file, or a machine is not known.
        """
        _of_machines(self.experiment(), self.folder / "why", self)

    def _complete(self, config: Any, given: set[str]) -> None:
        ours = {
            "trial_concurrency": self.concurrency,
            "max_trial_number": _MANY,
            "experiment_working_directory": str(self.folder.resolve()),
            "experiment_name": self.name,
            "trial_command": self.command,
            "trial_code_directory": str(self._code_folder()),
            "training_service": LocalConfig(),
            "search_space": search_space(self.axes or {}),
            "tuner": AlgorithmConfig(name="Random"),  # NNI asks for one; nas-fusion's strategies propose
            "log_level": "warning",
        }
        for name, value in ours.items():
            if case_insensitive(name) not in given:
                setattr(config, name, value)
        if isinstance(config.training_service, dict):
            raise ValueError(f"trainingService: no platform {config.training_service.get('platform')!r}")
        if "searchspacefile" in given:
            config.search_space = None

    def _code_folder(self) -> Path:
        # NNI copies the trials' code to other machines. Ours is installed there; but NNI cannot copy nothing.
        folder = self.folder.resolve() / "code"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README").write_text("nas-fusion is installed where trials run\n", "utf-8")
        return folder


class TrainingServiceRun:
    """A running experiment to which trials can be given; see `training_service`.

    Args:
        id: of the experiment.
        folder: of the experiment's files.
    """

    def __init__(self, id: str, folder: Path, manager: Manager, channel: ManagerChannel) -> None:
        self.id, self.folder = id, folder
        self._manager, self._channel = manager, channel
        self._numbers = self._outcomes = 0

    @property
    def address(self) -> str:
        """Of the web UI."""
        return self._manager.address

    def run(
        self, trials: Sequence[Mapping[str, Any]], on_metric: Callable[[int, Any], None] = lambda position, value: None
    ) -> list[TrialEnd]:
        """Run trials, and wait until all of them have ended; the answers are in their order.

        When this ends early, by Ctrl-C for instance, the trials are cancelled.

        Args:
            trials: the parameters of each: plain values only, nothing that NNI would pickle.
            on_metric: called in this thread with a trial's position and every intermediate metric, as they come.

        Raises:
            OptionError: a parameter is not a plain value.
            StudyError: the manager ended or gave up.
        """
        texts = [_plain(parameters) for parameters in trials]
        ends = {self._next_number(): TrialEnd() for _ in texts}
        try:
            for number, text in zip(ends, texts, strict=True):
                self._channel.submit(number, text)
            self._wait(ends, on_metric)
        except (ConnectionError, URLError) as error:
            if self._manager.why.is_file():
                self._manager.check()
            raise StudyError(f"NNI's manager is gone ({error}); its logs are in {self.folder}/log") from error
        except BaseException:
            self._cancel({number for number, end in ends.items() if not end.status})
            raise
        for end in ends.values():
            if not end.succeeded:
                end.last_words = self._last_words(end.name)
        return list(ends.values())

    def _last_words(self, trial: str) -> str:
        # A trial on another machine, for instance where nas-fusion is not installed, has no other way to say it.
        with suppress(URLError, ConnectionError, TimeoutError):
            lines = [line.strip() for line in self._manager.printed_by(trial).splitlines() if line.strip()]
            return lines[-1] if lines else ""
        return ""

    def _wait(self, ends: Mapping[int, TrialEnd], on_metric: Callable[[int, Any], None]) -> None:
        positions = {number: i for i, number in enumerate(ends)}
        late: dict[int, float] = {}
        while any(_is_open(end, late.get(number)) for number, end in ends.items()):
            told = self._channel.receive(_POLL_SECONDS)
            if told is None:
                if any(not end.status for end in ends.values()):
                    self._check_manager()
            elif told.number not in ends:
                continue
            elif isinstance(told, Ended):
                ends[told.number].name, ends[told.number].status = told.name, told.status
                late[told.number] = time.monotonic() + _LATE_SECONDS
            else:
                self._note(ends[told.number], told, partial(on_metric, positions[told.number]))

    @staticmethod
    def _note(end: TrialEnd, told: Reported, on_metric: Callable[[Any], None]) -> None:
        if told.kind == "FINAL":
            end.final = told.value
        else:
            end.intermediates += (told.value,)
            on_metric(told.value)

    def new_outcome(self) -> Path:
        """A path below the experiment's folder that no other trial has, for what a trial leaves behind."""
        self._outcomes += 1
        return self.folder / "outcomes" / str(self._outcomes)

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _check_manager(self) -> None:
        self._manager.check()
        state = self._manager.ask("check-status")
        if state["status"] in ("ERROR", "STOPPING", "STOPPED", "DONE"):
            problem = "; ".join(state["errors"]) or "no more trials are allowed"
            raise StudyError(f"NNI's manager gave up ({state['status']}: {problem}); its logs are in {self.folder}/log")

    def _cancel(self, numbers: set[int]) -> None:
        # On the way out of an error, which must not be hidden by another one; the manager's end ends them, too.
        with suppress(URLError, ConnectionError, TimeoutError):
            for job in self._manager.ask("trial-jobs"):
                parameters = json.loads(job["hyperParameters"][0])
                if parameters["parameter_id"] in numbers and job["status"] in ("WAITING", "RUNNING"):
                    self._manager.ask(f"trial-jobs/{job['trialJobId']}", method="DELETE")


@contextmanager
def training_service(settings: ServiceSettings) -> Iterator[TrainingServiceRun]:
    """Start NNI's manager with a training service; it ends with the block, and with this process.

    Raises:
        OptionError: NNI refuses the settings, or the port is taken.
        StudyError: the manager does not start.
    """
    experiment = settings.experiment()
    port = check_free(settings.port) if settings.port else free_port()
    if settings.open_to_network:
        logger.warning(
            "NNI's manager listens on every interface, port %d, for the trials' machines. They have a key, but what is "
            "sent is not encrypted: use it in a network that you trust.", port,
        )  # fmt: skip
    name = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
    folder = Path(experiment["experimentWorkingDirectory"])
    channel_address = f"ws://localhost:{port}/tuner"  # the manager compares it, word for word
    options = {
        "action": "create",
        "mode": _platform(experiment),
        "log_level": experiment["logLevel"],
        "tuner_command_channel": channel_address,
    }
    log = folder / name / "log" / "manager.log"
    more, scripts = _of_machines(experiment, log.with_name("why"), settings)
    host = EVERY_INTERFACE if settings.open_to_network else HOST
    started = running_manager(
        folder, name, port, log=log, host=host, environment={**settings.environment, **more}, scripts=scripts, **options
    )
    with started as manager, ExitStack() as channels:
        _create(manager, experiment)
        channel = ManagerChannel(channel_address, manager.secret)
        channels.callback(channel.close)
        logger.info("NNI's web UI of the trials: %s (files: %s)", manager.address, folder / name)
        yield TrainingServiceRun(name, folder / name, manager, channel)


def _of_machines(
    experiment: dict[str, Any], why: Path, settings: ServiceSettings
) -> tuple[dict[str, str], tuple[Path, ...]]:
    """What a manager needs of other machines: variables, and what is loaded into it."""
    if not are_remote(experiment):
        refuse_passwords(experiment)
        return {}, ()
    return take_machines(experiment, why, forward=not settings.open_to_network), (SCRIPT,)


def python_command(module: str) -> str:
    """The command of a trial that runs a module with this interpreter."""
    parts = [sys.executable, "-W", "ignore", "-m", module]
    return subprocess.list2cmdline(parts) if sys.platform == "win32" else " ".join(quote(part) for part in parts)


def _is_open(end: TrialEnd, late: float | None) -> bool:
    if not end.status or late is None:
        return True
    return end.status == ENDED_WELL and end.final is None and time.monotonic() < late


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(parameters, allow_nan=False))
        check_plain(plain)
    except (TypeError, ValueError) as error:
        raise OptionError("a trial's parameters", f"plain values ({error})", dict(parameters)) from error
    return plain


def _platform(experiment: Mapping[str, Any]) -> str:
    service = experiment["trainingService"]
    return "hybrid" if isinstance(service, list) else str(service["platform"])


def _create(manager: Manager, experiment: dict[str, Any]) -> None:
    try:
        manager.ask("experiment", experiment)
    except HTTPError as error:
        problem = error.read().decode(errors="replace") or error
        folder = manager.log.parent
        raise StudyError(f"NNI's manager refuses the experiment: {problem}; its logs are in {folder}") from error
