"""``python -m tests.endurance``: ends commands in the middle, in every way, and looks whether they go on as if nothing
had happened. Takes from minutes to hours, by the options; needs a quiet machine, and root for the disks."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from nas_fusion.system.interrupts import interruptible
from tests.endurance.disturbances import Endurance


def main() -> int:
    """Disturb as asked, print the counts; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--kills", type=int, default=0, help="random kill -9 of coordinators, workers, both")
    parser.add_argument("--terms", type=int, default=0, help="rounds of SIGTERM at five moments of every command")
    parser.add_argument("--disks", type=int, default=0, help="sizes of a disk that is full in the middle (root)")
    parser.add_argument("--outage", type=float, default=0.0, help="seconds for which PostgreSQL is stopped")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    asked = parser.parse_args()
    with interruptible(last=True), tempfile.TemporaryDirectory(prefix="nasfusion-endurance-") as folder:
        endurance = Endurance(Path(folder), asked.seed)
        try:
            endurance.kills(asked.kills)
            endurance.terms(asked.terms)
            endurance.disks(asked.disks)
            if asked.outage:
                endurance.outage(asked.outage)
        finally:
            sys.stdout.write(endurance.counts.table() + "\n")
    return 1 if endurance.counts.problems else 0


if __name__ == "__main__":
    sys.exit(main())
