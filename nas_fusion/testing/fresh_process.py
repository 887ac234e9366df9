"""Designs that a fresh Python process finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from nas_fusion.architecture import Found, found_from_json
from nas_fusion.errors import TrainingError


def designs_in_fresh_process(names: Sequence[str], *, seed: int = 0) -> dict[str, Found]:
    """Run the contract's search in a fresh process, which has another hash seed too.

    Args:
        names: of strategies, as `resolve_entry` takes them; one process runs all of them.
        seed: of the cells.

    Raises:
        TrainingError: the process failed; has the end of what it printed.
    """
    path = os.pathsep.join(p for p in sys.path if p)  # so that it imports what this process can import
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "random"}
    command = [sys.executable, "-W", "ignore", "-m", "nas_fusion.testing", "--seed", str(seed), *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrainingError(f"the fresh process ended with {done.returncode}: {done.stderr[-2000:]}")
    # A strategy that prints is another test's business: the answer is the last line.
    texts = json.loads(done.stdout.splitlines()[-1])
    return {name: found_from_json(text) for name, text in texts.items()}
