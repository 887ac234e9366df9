"""The raw format of the KDD Cup 2012, track 2."""

from __future__ import annotations

from collections.abc import Sequence

from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead, most

KDD12_COLUMNS = (
    *("click", "impression", "display_url", "ad", "advertiser", "depth"),
    *("position", "query", "keyword", "title", "description", "user"),
)


class Kdd12Source(DelimitedSource):
    """KDD Cup 2012 track 2: tab-separated, no header: clicks, impressions and ten ids; label = clicks > 0."""

    kind = "kdd12"
    marks = ()
    label = "click"
    counts_clicks = True
    infer_numbers = False

    def __init__(self, head: FileHead) -> None:
        super().__init__(head, names=KDD12_COLUMNS, delimiter="\t", quotes=False)

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """Most lines have 12 cells, all of them digits; with a header it is a text like any other."""
        cells = [line.split("\t") for line in lines]
        rows = [len(c) == len(KDD12_COLUMNS) and all(cell.isdigit() for cell in c) for c in cells]
        return most(rows) and (rows[0] or len(cells[0]) != len(KDD12_COLUMNS))
