"""The channel on which NNI's manager is given trials, and tells of their metrics and ends.

NNI's own `TunerCommandChannel` is left aside: it ends at a command that it does not know (a trial added by hand in the
web UI, for instance) and then waits for ever; it unpickles what it is sent; and it leaves an event loop open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from nas_fusion.nni_bridge.manager.guarded_manager import authorization

_INITIALIZE, _INITIALIZED, _NEW_TRIAL, _METRIC, _TRIAL_END = "IN", "ID", "TR", "ME", "EN"
_OPEN_SECONDS = 20.0


class Reported(NamedTuple):
    """A trial reported a metric: ``PERIODICAL`` or ``FINAL``."""

    number: int
    kind: str
    value: Any


class Ended(NamedTuple):
    """A trial has ended; `name` is NNI's id of it."""

    number: int
    name: str
    status: str


class ManagerChannel:
    """A connection to the manager; trials go by numbers of one's own.

    Args:
        address: ``ws://…/tuner``.
        secret: of the manager.
    """

    def __init__(self, address: str, secret: str) -> None:
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(
                address,
                additional_headers=authorization(secret),
                proxy=None,  # a proxy must neither be asked for this machine nor see the secret
                max_size=None,
                open_timeout=_OPEN_SECONDS,
                ping_interval=None,
            )
        )
        self._told: SimpleQueue[Reported | Ended | Exception] = SimpleQueue()
        self._listener = Thread(target=self._listen, name="nas-fusion: NNI's manager", daemon=True)
        self._listener.start()

    def submit(self, number: int, parameters: Mapping[str, Any]) -> None:
        """Send a trial; its parameters are plain values.

        Raises:
            ConnectionError: there is no connection any more.
        """
        content = {
            "parameter_id": number,
            "parameters": parameters,
            "parameter_source": "algorithm",
            "parameter_index": 0,
        }
        self._send(_NEW_TRIAL, json.dumps(content, allow_nan=False))

    def receive(self, seconds: float) -> Reported | Ended | None:
        """The next thing that the manager tells; None if it tells nothing for so long.

        Raises:
            ConnectionError: there is no connection any more, or what it told cannot be understood.
        """
        try:
            told = self._told.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(told, Exception):
            raise ConnectionError(repr(told)) from told
        return told

    def close(self) -> None:
        """End the connection."""
        self._open.close()
        self._listener.join()

    def _send(self, kind: str, content: str) -> None:
        try:
            self._socket.send(json.dumps({"type": kind, "content": content}))
        except ConnectionClosed as error:
            raise ConnectionError(repr(error)) from error

    def _listen(self) -> None:
        try:
            for message in self._socket:
                command = json.loads(message)
                if command["type"] == _INITIALIZE:
                    self._send(_INITIALIZED, "")
                elif (told := parse(command)) is not None:
                    self._told.put(told)
            self._told.put(ConnectionError("it closed the connection"))
        except Exception as error:  # noqa: BLE001 - whoever waits for a trial gets it
            self._told.put(error)


def parse(command: Mapping[str, Any]) -> Reported | Ended | None:
    """What a command tells of a trial; None for a command that has no meaning here (pings, hand-made trials, …)."""
    if command["type"] == _METRIC:
        metric = json.loads(command["content"])
        return Reported(metric["parameter_id"], metric["type"], json.loads(metric["value"]))
    if command["type"] == _TRIAL_END:
        end = json.loads(command["content"])
        number = json.loads(end["hyper_params"])["parameter_id"]
        return Ended(number, end["trial_job_id"], end["event"])
    return None
