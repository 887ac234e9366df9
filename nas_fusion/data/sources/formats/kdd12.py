"""The raw format of the KDD Cup 2012, track 2."""

from __future__ import annotations

from collections.abc import Sequence

from nas_fusion.data.sources.formats.delimited import DelimitedSource
from nas_fusion.data.sources.log_files import FileHead, most
from nas_fusion.data.sources.source import Guess

KDD12_COLUMNS = (
    *("click", "impression", "display_url", "ad", "advertiser", "depth"),
    *("position", "query", "keyword", "title", "description", "user"),
)

COUNTS = 2
"""Columns that only rows with clicks have."""

IMPRESSION = "impression"
"""In how many sessions an ad was shown so: counted afterwards, as clicks are."""

KNOWN_AFTERWARDS = Guess(
    f"{IMPRESSION} is a field",
    "published results have it among their 11; it is known only afterwards, and a model that learns from it cannot "
    "score rows without it",
    f"--drop {IMPRESSION}",
)


class Kdd12Source(DelimitedSource):
    """KDD Cup 2012 track 2: tab-separated, no header: clicks, impressions and ten ids; label = clicks > 0.

    Rows that are to be scored may lack clicks and impressions, as those of the published ``test.txt``. Impressions are
    a field all the same, since published results (Zhang et al., WSDM 2025) have all 11 columns beside the clicks.
    """

    kind = "kdd12"
    marks = ()
    label = "click"
    counts_clicks = True
    infer_numbers = False

    def __init__(self, head: FileHead) -> None:
        widths = [line.count("\t") + 1 for line in head.sniffed]
        names = KDD12_COLUMNS[COUNTS:]
        counted = not most([width == len(names) for width in widths])
        super().__init__(head, names=KDD12_COLUMNS if counted else names, delimiter="\t", quotes=False)
        if counted and head.options.fields is None and IMPRESSION not in head.options.declared_kinds:
            self.guesses += (KNOWN_AFTERWARDS,)

    @classmethod
    def looks_like(cls, lines: Sequence[str]) -> bool:
        """Most lines have 12 cells, or the last 10 of them, all digits; with a header it is a text like any other."""
        cells = [line.split("\t") for line in lines]
        return any(_are_rows(cells, width) for width in (len(KDD12_COLUMNS), len(KDD12_COLUMNS) - COUNTS))


def _are_rows(lines: Sequence[Sequence[str]], width: int) -> bool:
    rows = [len(cells) == width and all(cell.isdigit() for cell in cells) for cells in lines]
    return most(rows) and (rows[0] or len(lines[0]) != width)
