"""``nasfusion ui`` and ``nasfusion dashboard``: a study in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from nas_fusion.commands._shared import (
    DEFAULT_STUDIES,
    Options,
    output,
    print_plain,
)
from nas_fusion.errors import OptionError


def run_ui(options: Options) -> None:
    """``nasfusion ui``."""
    with output() as console:
        study: Path | None = options["study"]
        if study is None:
            list_studies(console, "ui")
            return
        from nas_fusion.nni_bridge import viewing_manager
        from nas_fusion.studies import StudyFolder

        folder = StudyFolder(study)
        folder.check_exists()
        with viewing_manager(folder.nni, options["port"]) as manager:
            _serve(console, f"NNI's web UI of {study}", manager.address, options, manager.check)


def run_dashboard(options: Options) -> None:
    """``nasfusion dashboard``."""
    with output() as console:
        study: Path | None = options["study"]
        if study is None:
            list_studies(console, "dashboard")
            return
        from nas_fusion.studies import StudyFolder, check_storage, dashboard

        if options["storage"] is not None:
            check_storage(options["storage"], is_there=True)
        with dashboard(StudyFolder(study), options["port"], options["storage"]) as address:
            _serve(console, f"Optuna's dashboard of {study}", address, options)


def _serve(
    console: Console, what: str, address: str, options: Options, check: Callable[[], None] = lambda: None
) -> None:
    """Say where, and wait for Ctrl-C, or until `check` raises: it looks whether there is still something to serve."""
    import time
    import webbrowser

    print_plain(console, f"{what}: {address}")
    console.print("Ctrl-C ends it", highlight=False)
    if options["open_browser"]:
        webbrowser.open(address)
    try:
        while True:
            time.sleep(1)
            check()
    except KeyboardInterrupt:
        console.print("ended")


def list_studies(console: Console, command: str) -> None:
    # A comparison of several logs has a study folder per log inside its own.
    found = sorted(path.parent for depth in ("*", "*/*") for path in DEFAULT_STUDIES.glob(f"{depth}/study.toml"))
    if not found:
        raise OptionError("STUDY", f"a study folder; there is none in {DEFAULT_STUDIES}", "none")
    for folder in found:
        cells = len(list(folder.glob("cells/*/cell.json")))
        print_plain(console, f"{folder}  {cells} finished cells")
    console.print(f"show one: nasfusion {command} FOLDER", highlight=False)
