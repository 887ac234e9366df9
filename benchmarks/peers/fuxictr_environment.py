"""The environment of FuxiCTR, apart from ours: its versions of pandas, ray and so on need not agree with ours.

``python -m benchmarks.peers.fuxictr_environment`` makes it (``make fuxictr``).
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("fuxictr-requirements.txt")
FOLDER = Path(__file__).parents[2] / ".venv-fuxictr"
STAMP = FOLDER / "installed.txt"
"""A copy of the requirements, written when all of them are in."""


def python() -> Path | None:
    """Its interpreter; None where the environment is not there, or has other versions."""
    made = STAMP.is_file() and STAMP.read_text("utf-8") == REQUIREMENTS.read_text("utf-8")
    return FOLDER / "bin" / "python" if made else None


def make() -> None:
    """Make the environment, with the exact versions of the requirements.

    Raises:
        SystemExit: they cannot be installed or do not run; the output above it says why.
    """
    if python() is not None:
        return
    venv.create(FOLDER, with_pip=True, clear=True)
    own = str(FOLDER / "bin" / "python")
    _run([own, "-m", "pip", "install", "--quiet", "--no-compile", "--requirement", str(REQUIREMENTS)])
    # What is installed need not run: a library may miss one of the system's.
    _run([own, "-W", "ignore", "-c", "import fuxictr.pytorch.models, fuxictr.pytorch.dataloaders"])
    STAMP.write_text(REQUIREMENTS.read_text("utf-8"), "utf-8")


def _run(command: list[str]) -> None:
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(f"FuxiCTR could not be installed: {' '.join(command)} ended with {code}; its benchmark is skipped")


if __name__ == "__main__":
    make()
