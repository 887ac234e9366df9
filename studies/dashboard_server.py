"""Optuna's dashboard of a study folder, on loopback only."""

from __future__ import annotations

import socketserver
import wsgiref.simple_server
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from optuna.artifacts import FileSystemArtifactStore
from optuna_dashboard import wsgi

from nas_fusion.errors import OptionError
from nas_fusion.studies.cells.artifacts import artifact_folder
from nas_fusion.studies.local_pages import only_for_own_pages
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.storage.optuna_storage import open_storage

HOST = "127.0.0.1"
_PAGES = r"/(dashboard(/[\w/-]*)?)?"


@contextmanager
def dashboard(study: StudyFolder, port: int = 0, storage: str | None = None) -> Iterator[str]:
    """Serve the study, also while it runs; yields the address.

    Args:
        study: a study folder.
        port: of loopback; 0 for any free one.
        storage: URL of Optuna's storage, if it is not the one in the folder.

    Raises:
        StudyError: the folder holds no study, or the storage cannot be reached.
        OptionError: the port is taken.
    """
    study.check_exists()
    artifact_folder(study.artifacts)
    found = open_storage(storage or study.storage_url)
    app = only_for_own_pages(wsgi(found, artifact_store=FileSystemArtifactStore(study.artifacts)), _PAGES)
    try:
        server = wsgiref.simple_server.make_server(HOST, port, app, _Server, _Silent)
    except (OSError, OverflowError) as error:
        raise OptionError("port", "a port that is free and allowed, or 0 for any free one", port) from error
    with server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Silent(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Not a line for every request."""
