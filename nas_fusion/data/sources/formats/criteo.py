"""The raw format of Criteo's Display Advertising log."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead, most

CRITEO_NUMBERS = tuple(f"I{i}" for i in range(1, 14))
CRITEO_COLUMNS = ("label", *CRITEO_NUMBERS, *(f"C{i}" for i in range(1, 27)))


UNLABELLED = CRITEO_COLUMNS[1:]
WHOLE = re.compile(r"(-?\d+)?")
HASH = re.compile(r"([0-9a-f]{8})?")


class CriteoSource(DelimitedSource):
    """Criteo Display Advertising: tab-separated, no header: label, I1–I13 (numbers), C1–C26 (hashes).

    Rows that are to be scored may lack the label, as those of the published ``test.txt``.
    """

    kind = "criteo"
    marks = ()
    label = "label"
    infer_numbers = False
    log_buckets = frozenset(CRITEO_NUMBERS)

    def __init__(self, head: FileHead) -> None:
        widths = [line.count("\t") + 1 for line in head.sniffed]
        names = UNLABELLED if most([width == len(UNLABELLED) for width in widths]) else CRITEO_COLUMNS
        super().__init__(head, names=names, delimiter="\t", quotes=False)

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """Most lines have 40 cells, the first of which is 0 or 1, or the 39 others; with a header it is a text like any
        other."""
        cells = [line.split("\t") for line in lines]
        rows = [len(c) == len(CRITEO_COLUMNS) and c[0] in ("0", "1") for c in cells]
        unlabelled = [_is_unlabelled(c) for c in cells]
        return (most(rows) and (rows[0] or len(cells[0]) != len(CRITEO_COLUMNS))) or most(unlabelled)


def _is_unlabelled(cells: Sequence[str]) -> bool:
    """Whether cells are 13 whole numbers and 26 hashes, any of which may be missing."""
    numbers, hashes = cells[: len(CRITEO_NUMBERS)], cells[len(CRITEO_NUMBERS) :]
    there = len(cells) == len(UNLABELLED) and any(hashes)
    return there and all(map(WHOLE.fullmatch, numbers)) and all(map(HASH.fullmatch, hashes))
