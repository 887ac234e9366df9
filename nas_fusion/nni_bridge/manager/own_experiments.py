"""Experiments that users start themselves, through NNI's own Python interface, with the guard in front of the manager.

That interface has no passwords: it is made to tell the guard this process's secret. nas-fusion's own managers have a
secret each and are asked without this.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import websockets
from nni.experiment import rest
from nni.runtime.command_channel.websocket import connection

from nas_fusion.nni_bridge.manager.guarded_manager import GUARD, authorization, new_secret

_NO_PROXY = {"http": None, "all": None}  # none may see the secret


@contextmanager
def guarded() -> Iterator[None]:
    """Inside the block, a manager that NNI itself starts has the guard in front of it.

    For an experiment of one's own: ``with guarded(): experiment.start(port)``. Only this process can change anything in
    it: from the first such block on, NNI's own Python interface tells managers the secret. The environment is as
    before once the block has ended; the manager's trials see what the user had in ``NODE_OPTIONS``.
    """
    names = ("NODE_OPTIONS", "NASFUSION_NODE_OPTIONS", "NASFUSION_SECRET")
    before = {name: os.environ.get(name) for name in names}
    users = before["NODE_OPTIONS"] or ""
    quoted = str(GUARD).replace("\\", "\\\\").replace('"', '\\"')
    os.environ.update(
        NODE_OPTIONS=f'{users} --require "{quoted}"'.strip(),
        NASFUSION_NODE_OPTIONS=users,
        NASFUSION_SECRET=introduce_nnis_own_clients(),
    )
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@cache
def introduce_nnis_own_clients() -> str:
    """From now on they send the secret, which is returned."""
    secret = new_secret()
    headers = authorization(secret)
    request_of_requests = rest.requests.request

    def sign(request: Any) -> Any:
        request.headers.update(headers)
        return request

    def ask(method: str, url: str, **options: Any) -> Any:
        return request_of_requests(method, url, auth=sign, proxies=_NO_PROXY, **options)

    async def connect(url: str) -> Any:
        return await websockets.connect(url, max_size=None, additional_headers=headers, proxy=None)

    rest.requests = SimpleNamespace(request=ask)
    connection._connect_async = connect
    return secret
