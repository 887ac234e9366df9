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
        SystemExit: pip could not install them; its output says why.
    """
    if python() is not None:
        return
    venv.create(FOLDER, with_pip=True, clear=True)
    # --no-deps: what is not named there is not needed, and nothing newer comes in.
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    done = subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=False)
    if done.returncode:
        sys.exit(f"FuxiCTR could not be installed (pip ended with {done.returncode}); its benchmark will be skipped")
    STAMP.write_text(REQUIREMENTS.read_text("utf-8"), "utf-8")


if __name__ == "__main__":
    make()
