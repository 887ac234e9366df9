"""The raw format of Criteo's Display Advertising log."""

from __future__ import annotations

from collections.abc import Sequence

from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead, most

CRITEO_NUMBERS = tuple(f"I{i}" for i in range(1, 14))
CRITEO_COLUMNS = ("label", *CRITEO_NUMBERS, *(f"C{i}" for i in range(1, 27)))


class CriteoSource(DelimitedSource):
    """Criteo Display Advertising: tab-separated, no header: label, I1–I13 (numbers), C1–C26 (hashes)."""

    kind = "criteo"
    marks = ()
    label = "label"
    infer_numbers = False
    log_buckets = frozenset(CRITEO_NUMBERS)

    def __init__(self, head: FileHead) -> None:
        super().__init__(head, names=CRITEO_COLUMNS, delimiter="\t", quotes=False)

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """Most lines have 40 cells, the first of which is 0 or 1; with a header it is a text like any other."""
        cells = [line.split("\t") for line in lines]
        rows = [len(c) == len(CRITEO_COLUMNS) and c[0] in ("0", "1") for c in cells]
        return most(rows) and (rows[0] or len(cells[0]) != len(CRITEO_COLUMNS))
