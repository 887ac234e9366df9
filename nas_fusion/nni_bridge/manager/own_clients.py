"""NNI's own Python interface, which has no passwords, is made to tell the guard this process's secret.

For experiments that users start themselves (`guarded`); nas-fusion's own managers have a secret each and are asked
without this.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import websockets
from nni.experiment import rest
from nni.runtime.command_channel.websocket import connection

from nas_fusion.nni_bridge.manager.guarded_manager import authorization, new_secret

_NO_PROXY = {"http": None, "all": None}  # none may see the secret


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
