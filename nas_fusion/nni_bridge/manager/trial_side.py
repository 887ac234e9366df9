"""A trial's side of NNI's channel.

`nni.report_intermediate_result` follows whichever engine runs at the moment: while a strategy runs inside a trial, what
it reports goes to the strategy's own engine, and NNI's manager hears nothing. A `TrialChannel` keeps to the manager.

NNI's own channels read a trial's parameters with `nni.load`, which unpickles and imports what they name; the channels
here take plain JSON alone. A metric that the manager does not take is an error, where NNI's own is silent.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.error import HTTPError
from urllib.request import Request

from nni.runtime.env_vars import trial_env_vars
from nni.runtime.trial_command_channel.local_legacy import LocalLegacyTrialCommandChannel

from nas_fusion.errors import StudyError
from nas_fusion.nni_bridge.manager.guarded_manager import directly
from nas_fusion.nni_bridge.manager.plain_json import load_plain
from nas_fusion.nni_bridge.nni_import import nni

_FILE_SECONDS = 1.0


@runtime_checkable
class PlainChannel(Protocol):
    """A way to the manager."""

    def receive_parameter(self) -> Any:
        """The record with the trial's parameters, as the manager sent it."""

    def send_metric(self, type: str, parameter_id: int | None, trial_job_id: str, sequence: int, value: object) -> None:
        """Report a metric."""


class TrialChannel:
    """What NNI tells this process as a trial, and what the trial tells NNI.

    Args:
        channel: the way to the manager; by default the one that NNI names in the trial's environment.
        parameters: of the trial.

    Raises:
        StudyError: this process is no trial, or what it is sent is not plain parameters.
    """

    def __init__(self, channel: PlainChannel | None = None) -> None:
        self._channel = _channel_of_this_trial() if channel is None else channel
        try:
            record = self._channel.receive_parameter()
        except ValueError as error:
            raise StudyError(f"NNI's manager sent a trial something else than plain parameters: {error}") from error
        if not isinstance(record, dict) or not isinstance(record.get("parameters"), dict):
            raise StudyError(f"NNI's manager sent a trial something else than parameters: {str(record)[:200]}")
        self.parameters: dict[str, Any] = record["parameters"]
        self._id, self._sequence = record.get("parameter_id"), 0

    def intermediate(self, value: object) -> None:
        """Report a point of the curve."""
        self._channel.send_metric("PERIODICAL", self._id, nni.get_trial_id(), self._sequence, value)
        self._sequence += 1

    def final(self, value: object) -> None:
        """Report the result."""
        self._channel.send_metric("FINAL", self._id, nni.get_trial_id(), 0, value)


class HttpChannel:
    """The channel of NNI's local and remote services.

    Args:
        url: this trial's, with its key.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def receive_parameter(self) -> Any:
        """Ask for the parameters, and wait for them.

        Raises:
            ValueError: they are not plain JSON.
            URLError: the manager refuses, or is gone.
        """
        self._put({"type": "request_parameter"})
        while True:
            try:
                with directly.open(self._url) as answer:
                    return parameters_of(load_plain(answer.read()))
            except HTTPError as error:
                if error.code != HTTPStatus.REQUEST_TIMEOUT:  # nothing yet
                    raise

    def send_metric(self, type: str, parameter_id: int | None, trial_job_id: str, sequence: int, value: object) -> None:
        """Report a metric.

        Raises:
            URLError: the manager refuses, or is gone.
        """
        metric = {
            "parameter_id": parameter_id,
            "trial_job_id": trial_job_id,
            "type": type,
            "sequence": sequence,
            "value": json.dumps(value),
        }
        self._put({"type": "metric", "metric": json.dumps(metric)})

    def _put(self, command: dict[str, Any]) -> None:
        content = json.dumps(command).encode()
        request = Request(self._url, content, {"Content-Type": "application/json"}, method="PUT")
        directly.open(request).close()


def parameters_of(command: Any) -> Any:
    """What a command of the manager says of a trial's parameters.

    Raises:
        ValueError: it is another command, or they are not plain JSON.
    """
    text = command.get("parameter") if isinstance(command, dict) else None
    if not isinstance(text, str):
        raise ValueError(f"a command with a trial's parameters is expected, got {str(command)[:200]}")
    return load_plain(text)


class FileChannel(LocalLegacyTrialCommandChannel):
    """The channel of NNI's older services: files in the trial's folder."""

    def receive_parameter(self) -> Any:
        """Ask for the parameters, and wait for them.

        Raises:
            ValueError: they are not plain JSON.
        """
        file = Path(trial_env_vars.NNI_SYS_DIR) / "parameter.cfg"
        if not file.is_file():
            self._request_next_parameter()
        while not (file.is_file() and file.stat().st_size):
            time.sleep(_FILE_SECONDS)
        return load_plain(file.read_bytes())


def _channel_of_this_trial() -> PlainChannel:
    url = trial_env_vars.NNI_TRIAL_COMMAND_CHANNEL
    if url is None and trial_env_vars.NNI_PLATFORM not in (None, "unittest"):
        return FileChannel()
    if url is None or not url.startswith("http://"):
        raise StudyError(f"NNI_TRIAL_COMMAND_CHANNEL must be the http:// address of NNI's channel, got {url!r}")
    return HttpChannel(url)
