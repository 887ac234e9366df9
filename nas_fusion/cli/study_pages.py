"""A study in a browser, and the studies that could be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from nas_fusion import bounds
from nas_fusion.cli.console import print_plain
from nas_fusion.cli.log_reading import DEFAULT_STUDIES
from nas_fusion.errors import OptionError
from nas_fusion.settings import Panel
from nas_fusion.settings.option import flag, number


@dataclass(frozen=True)
class Page:
    """Where a study is shown."""

    port: int = number(0, bounds.PORT, "Of loopback; 0: any free one.", panel=Panel.RUN, first=True)
    open: bool = flag(False, "Open a browser, too.", panel=Panel.RUN)


def serve(console: Console, what: str, address: str, page: Page, check: Callable[[], None] = lambda: None) -> None:
    """Say where, and wait for Ctrl-C, or until `check` raises: it looks whether there is still something to serve."""
    import time
    import webbrowser

    print_plain(console, f"{what}: {address}")
    console.print("Ctrl-C ends it", highlight=False)
    if page.open:
        webbrowser.open(address)
    try:
        while True:
            time.sleep(1)
            check()
    except KeyboardInterrupt:
        console.print("ended")


def list_studies(console: Console, command: str) -> None:
    """The studies in the usual folder, for a command that was not told of one.

    Raises:
        OptionError: there is none.
    """
    # A comparison of several logs has a study folder per log inside its own.
    found = sorted(path.parent for depth in ("*", "*/*") for path in DEFAULT_STUDIES.glob(f"{depth}/study.toml"))
    if not found:
        raise OptionError("STUDY", f"a study folder; there is none in {DEFAULT_STUDIES}", "none")
    for folder in found:
        cells = len(list(folder.glob("cells/*/cell.json")))
        print_plain(console, f"{folder}  {cells} finished cells")
    console.print(f"show one: nasfusion {command} FOLDER", highlight=False)
