"""NNI's manager in view mode, on loopback only: the web UI of a recorded experiment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from nas_fusion.errors import StudyError
from nas_fusion.nni_bridge.manager.guarded_manager import Manager, check_free, free_port, running_manager
from nas_fusion.nni_bridge.recorder import check_experiment, experiment_id


@contextmanager
def web_ui(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve the experiment that was, or is being, recorded in a folder; yields the address. See `viewing_manager`."""
    with viewing_manager(folder, port) as manager:
        yield manager.address


@contextmanager
def viewing_manager(folder: Path, port: int = 0) -> Iterator[Manager]:
    """A manager that serves the experiment that was, or is being, recorded in a folder.

    Args:
        folder: where the `ExperimentRecorder` wrote.
        port: of loopback; 0 for any free one.

    Raises:
        StudyError: nothing was recorded there, or the manager does not start.
        DamagedFileError: what was recorded is damaged.
        OptionError: the port is taken.
    """
    experiment = experiment_id(folder)
    if experiment is None:
        raise StudyError(f"{folder} holds no recorded experiment")
    check_experiment(folder, experiment, "the command that made the study makes it anew")
    port = check_free(port) if port else free_port()
    log = folder / experiment / "log" / "web_ui.log"
    with running_manager(folder, experiment, port, log=log, action="view", log_level="error", mode="local") as manager:
        try:
            manager.ask("experiment", {})
        except (URLError, ConnectionError) as error:
            raise StudyError(f"NNI's manager could not be started: {error}; its log is {log}") from error
        yield manager
