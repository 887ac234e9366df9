"""`python -m tests.structure`: how well one finds one's way in this checkout, or in another one.

    python -m tests.structure                       counts of this checkout
    python -m tests.structure PATH                  counts of another one
    python -m tests.structure --compare PATH        both side by side, the other one first
    python -m tests.structure --way log             the steps of a way (log, record), one a line
    python -m tests.structure --draw FILE.svg       the drawing of the architecture

The counts come from the syntax trees (`counting.py`); those of the two ways from walking them (`ways.py`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.structure.counting import ROWS, Counts
from tests.structure.drawing import drawing
from tests.structure.source_tree import Checkout
from tests.structure.ways import counted, ways_of

HERE = Path(__file__).resolve().parents[2]

WAYS = {"log": "a log to its data set", "record": "a record to the report"}


def rows_of(root: Path) -> list[tuple[str, str]]:
    """What is counted of a checkout, and the counts."""
    counts = Counts(Checkout(root))
    ways = [(f"{WAYS[way]}: files / stays / returns", counted(steps)) for way, steps in ways_of(root).items()]
    return [(name, count(counts)) for name, count in ROWS] + [(name, " / ".join(map(str, way))) for name, way in ways]


def table(roots: Sequence[Path]) -> str:
    """The counts of one or more checkouts, a column each."""
    columns = [rows_of(root) for root in roots]
    rows = [(parts[0][0], *(count for _, count in parts)) for parts in zip(*columns, strict=True)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(roots) + 1)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.structure", description=str(__doc__).split("\n")[0])
    parser.add_argument("path", type=Path, nargs="?", default=HERE, help="the checkout to count (default: this one)")
    parser.add_argument("--compare", type=Path, metavar="PATH", help="count this checkout too, in a column before")
    parser.add_argument("--way", choices=WAYS, help="print the steps of a way instead")
    parser.add_argument("--draw", type=Path, metavar="FILE.svg", help="write the drawing of the architecture instead")
    options = parser.parse_args()
    if options.draw is not None:
        options.draw.write_text(drawing(Checkout(options.path.resolve())), "utf-8")
        return
    if options.way is not None:
        text = "\n".join(ways_of(options.path.resolve())[options.way])
    else:
        roots = [options.path] if options.compare is None else [options.compare, options.path]
        text = table([root.resolve() for root in roots])
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
