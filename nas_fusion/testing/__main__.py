"""``python -m nas_fusion.testing [--seed N] NAMES…``: run the contract's search and write the designs as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from nas_fusion.search import run_search
from nas_fusion.testing.small_task import resolve_entry, tiny_data, tiny_task


def main() -> None:
    """Write ``{name: design}``, one line, to the standard output."""
    parser = argparse.ArgumentParser(prog="python -m nas_fusion.testing", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        task = tiny_task(tiny_data(Path(folder)), seed=options.seed)
        designs = {name: run_search(resolve_entry(name), task).design.to_json() for name in options.names}
    sys.stdout.write(json.dumps(designs) + "\n")


if __name__ == "__main__":
    main()
