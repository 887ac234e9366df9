"""Pages for this machine's browser, and for no page from elsewhere that the same browser shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

_LOCAL = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_READING = ("GET", "HEAD")

Application = Callable[..., Iterable[bytes]]


def only_for_own_pages(app: Application, pages: str) -> Application:
    """Let a WSGI application answer its own pages only.

    A page from elsewhere can send requests to this machine, also by a name of its own that it made to point here. The
    browser then says so: in ``Host``, ``Origin`` or ``Sec-Fetch-Site``. What changes anything must name its origin.

    Args:
        app: what is to be guarded.
        pages: a pattern of the paths that a link on any page may open.
    """

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        problem = why_not(environ, pages)
        if problem is None:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [f"refused: {problem}".encode()]

    return guarded


def why_not(environ: dict[str, Any], pages: str) -> str | None:
    """Why a request is refused; None if it is not."""
    host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")
    if not _LOCAL.fullmatch(host):
        return "it names another host"
    if origin is None and environ["REQUEST_METHOD"] not in _READING:
        return "it does not say of which page it comes"
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return "it comes from a page of another origin"
    site = environ.get("HTTP_SEC_FETCH_SITE", "none")
    if site not in ("same-origin", "none") and not _opens(environ, pages):
        return "it comes from a page of another site"
    return None


def _opens(environ: dict[str, Any], pages: str) -> bool:
    return (
        environ["REQUEST_METHOD"] == "GET"
        and re.fullmatch(pages, environ["PATH_INFO"]) is not None
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
    )
