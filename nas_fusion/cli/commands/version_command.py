"""``nasfusion version``."""

from __future__ import annotations

from rich.console import Console

from nas_fusion import __version__
from nas_fusion.cli.command import Command


def version() -> None:
    """Print the version."""
    Console().print(f"nas-fusion {__version__}", highlight=False)


VERSION = Command(version, "nasfusion version")
