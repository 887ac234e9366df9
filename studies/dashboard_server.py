"""Optuna's dashboard of a study folder, on loopback only."""

from __future__ import annotations

import json
import re
import socketserver
import wsgiref.simple_server
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import BaseStorage
from optuna_dashboard import wsgi

from nas_fusion.errors import OptionError
from nas_fusion.studies.cells.artifacts import artifact_folder
from nas_fusion.studies.local_pages import Application, only_for_own_pages
from nas_fusion.studies.queue.cell_book import CELL_PARAMETERS
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.studies.storage.optuna_storage import open_storage

HOST = "127.0.0.1"
_IMPORTANCE = r"/api/studies/(\d+)/param_importances"
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
    pages = wsgi(found, artifact_store=FileSystemArtifactStore(study.artifacts))
    app = only_for_own_pages(_without_importance_of_cells(pages, found), _PAGES)
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


def _without_importance_of_cells(app: Application, storage: BaseStorage) -> Application:
    """Answer in the place of `app` how important the parameters of a comparison are: not at all.

    A cell's strategy and seed are what it is, and no settings that anybody tunes. They are parameters, since that is
    how cells are claimed and found again in a storage that others share; the dashboard takes all for settings.
    """

    def answering(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = re.fullmatch(_IMPORTANCE, environ["PATH_INFO"])
        if asked is None or not _is_comparison(storage, int(asked[1])):
            return app(environ, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"param_importances": [[]]}).encode()]

    return answering


def _is_comparison(storage: BaseStorage, study_id: int) -> bool:
    """Whether all that the trials of a study have is what tells cells apart."""
    try:
        trials = storage.get_all_trials(study_id, deepcopy=False)
    except KeyError:
        return False
    return {name for trial in trials for name in trial.params} == set(CELL_PARAMETERS)


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Silent(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Not a line for every request."""
